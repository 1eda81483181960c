import signal

from django.core.management.base import BaseCommand, CommandError

from voiceops.isolation import report


class Command(BaseCommand):
    help = (
        "Ask every page, API and webhook route as one throw-away workspace with the "
        "ids of another, and show what it is told. Fails at a leak. Touches only rows "
        "of its own and removes them; sends nothing to anybody."
    )

    def add_arguments(self, parser):
        forms = parser.add_mutually_exclusive_group()
        forms.add_argument("--json", action="store_true", help="for programs")
        forms.add_argument(
            "--markdown", action="store_true", help="the table of docs/isolation.md"
        )
        parser.add_argument(
            "--all", action="store_true", help="list all leaks, not only the first"
        )

        parser.add_argument(
            "--only",
            default="",
            metavar="TEXT",
            help="the routes that have this in their address, such as /api/prompts",
        )

    def handle(self, **options):
        is_table = not (options["json"] or options["markdown"])
        with _ending_politely():
            result = report.check(
                all_leaks=options["all"],
                only=options["only"],
                progress=self._show if is_table else _say_nothing,
            )
        if options["json"]:
            self.stdout.write(report.as_json(result))
        elif options["markdown"]:
            self.stdout.write(report.as_markdown(result), ending="")
        if result.leaks:
            raise CommandError("\n".join([result.verdict, *result.leaks]))
        if is_table:
            self.stdout.write(self.style.SUCCESS(result.verdict))

    def _show(self, line: report.Line) -> None:
        style = self.style.ERROR if line.leaks else str
        self.stdout.write(style(report.as_text(line)))


def _say_nothing(line: report.Line) -> None:
    """Programs read the whole at the end."""


class _ending_politely:
    """Let SIGTERM end the check as Ctrl-C does: what it made is removed first."""

    def __enter__(self):
        self._before = signal.signal(signal.SIGTERM, _interrupt)

    def __exit__(self, *raised):
        signal.signal(signal.SIGTERM, self._before)


def _interrupt(number, frame):
    raise KeyboardInterrupt
