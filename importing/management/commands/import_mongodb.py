import os
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import now
from tqdm import tqdm

from importing import mapping, workspaces
from importing.ledger import Ledger
from importing.making import Run
from importing.mapping import BadMapping
from importing.reading import Source, Unreachable
from importing.running import Importer, Report
from importing.workspaces import Workspaces

URI, AUTH_TOKEN = "IMPORT_MONGODB_URI", "IMPORT_AUTH_TOKEN"
OUTCOMES = ("created", "known", "altered", "refused")


class Command(BaseCommand):
    help = (
        "Bring in what an earlier system has in MongoDB. Nobody is called, texted or "
        "mailed, no carrier or webhook is asked. Safe to kill and to repeat: what came "
        "in once stays as it is here. docs/coming-from-mongodb.md tells more."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "--uri",
            default=os.environ.get(URI, ""),
            help=f"of the database, with its name; better in {URI}: it has a password",
        )
        parser.add_argument("--database", help="its name, where the URI has none")
        parser.add_argument(
            "--workspace-map",
            required=True,
            type=Path,
            metavar="FILE",
            help="JSON or TOML: the ids of people there to workspaces here",
        )
        parser.add_argument(
            "--mapping",
            type=Path,
            metavar="FILE",
            help="TOML: what differs from the names in importing/mapping.toml",
        )
        parser.add_argument(
            "--source",
            help="what the earlier system is called here; the database's name if not",
        )
        parser.add_argument(
            "--report",
            type=Path,
            metavar="FILE",
            default=settings.VAR_DIR / "import_mongodb.jsonl",
            help="a line of JSON for each row that was refused or altered",
        )
        parser.add_argument("--batch-size", type=int, default=500)
        parser.add_argument(
            "--dial",
            action="store_true",
            help="let future scheduled calls be dialled; else they wait, paused",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only say what would happen"
        )

    def handle(self, **options):
        if not options["uri"]:
            raise CommandError(f"Give --uri, or set {URI}.")
        if not 1 <= options["batch_size"] <= 5000:
            raise CommandError("--batch-size takes a number from 1 to 5000.")
        try:
            with (
                Source(options["uri"], options["database"]) as source,
                _private(options["report"]) as lines,
            ):
                report = Report(lines)
                run = _run(source, options)
                Importer(source, run, report, _bar, options["batch_size"]).bring_in()
        except (BadMapping, Unreachable, OSError) as error:
            raise CommandError(f"{error} What came in by now stays.") from None
        self._tell(report, options)

    def _tell(self, report: Report, options) -> None:
        verb = "would be made" if options["dry_run"] else "made"
        heads = (verb, "there before", "altered", "refused")
        self.stdout.write(f"{'':16}" + "".join(f"{head:>15}" for head in heads))
        for collection, counts in report.counts.items():
            figures = "".join(f"{counts[outcome]:>15,}" for outcome in OUTCOMES)
            self.stdout.write(f"{collection:16}{figures}")
        self.stdout.write(f"What was refused or altered, and why: {options['report']}")


def _run(source: Source, options) -> Run:
    ledger = Ledger((options["source"] or source.name)[:100])
    told = workspaces.read(options["workspace_map"])
    is_dry = options["dry_run"]
    return Run(
        names=mapping.read(options["mapping"]),
        ledger=ledger,
        workspaces=Workspaces(told, ledger, is_dry=is_dry),
        at=now(),
        is_dry=is_dry,
        dials=options["dial"],
        auth_token=os.environ.get(AUTH_TOKEN, ""),
    )


def _private(path: Path):
    """The file, made anew, for nobody else to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")


def _bar(name: str, total: int) -> tqdm:
    """Only on a terminal."""
    return tqdm(desc=name, total=total, unit="", disable=None)
