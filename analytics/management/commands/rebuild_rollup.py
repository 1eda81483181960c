from time import sleep

from django.core.management.base import BaseCommand

from analytics import rebuilding, rollup
from analytics.management.workspaces import chosen

AT_ONCE_S = 2
REST_S = 1


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
        owners = chosen(options["workspace"])
        if left := rebuilding.left_to_count(owners):
            self.stdout.write(f"Going on: {left} days are left.")
        else:
            ids = owners.values_list("pk", flat=True)
            days = rebuilding.ask_for_everything(ids.iterator())
            self.stdout.write(f"{days} days are counted again.")
        while not options["ask_only"] and rebuilding.left_to_count(owners):
            if not rollup.fold(limit_s=AT_ONCE_S):
                sleep(REST_S)  # a worker counts just now
            left = rebuilding.left_to_count(owners)
            self.stdout.write(f"{left} days are left.")
