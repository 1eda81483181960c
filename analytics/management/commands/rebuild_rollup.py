from django.core.management.base import BaseCommand

from accounts.models import Workspace
from analytics import rebuilding, rollup

AT_ONCE_S = 2


class Command(BaseCommand):
    help = (
        "Count the calls and texts of every workspace again, a day at a time. Safe "
        "while everything runs. If it is ended, the workers do the rest, or the next "
        "run goes on where it stopped."
    )

    def add_arguments(self, parser):
        parser.add_argument("--workspace", help="only the one with this id")
        parser.add_argument(
            "--ask-only", action="store_true", help="leave all of it to the workers"
        )

    def handle(self, **options):
        left = rebuilding.left_to_count()
        if left:
            self.stdout.write(f"Going on: {left} days are left.")
        else:
            owners = Workspace.objects.values_list("pk", flat=True)
            if options["workspace"]:
                owners = owners.filter(pk=options["workspace"])
            days = rebuilding.ask_for_everything(owners.iterator())
            self.stdout.write(f"{days} days are counted again.")
        while not options["ask_only"] and rollup.fold(limit_s=AT_ONCE_S):
            self.stdout.write(f"{rebuilding.left_to_count()} days are left.")
