from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from analytics import rebuilding, triggers
from analytics.management.workspaces import chosen
from analytics.models import Series


class Command(BaseCommand):
    help = (
        "Hold what was counted against the calls and texts themselves. Fails where "
        "they differ; manage.py rebuild_rollup counts again. Days of which something "
        "is still to be counted are left out, and told how many."
    )

    def add_arguments(self, parser):
        parser.add_argument("--workspace", help="only the one with this id")

    def handle(self, **options):
        owners = chosen(options["workspace"])
        wrong = [f"trigger {name} is missing" for name in triggers.missing(connection)]
        for owner_id in owners.values_list("pk", flat=True):
            for series in Series:
                wrong += rebuilding.differences(series, owner_id)
        for line in wrong:
            self.stderr.write(line)
        if left := len(rebuilding.days_to_count(owners)):
            self.stdout.write(f"Left out: {left} days that are still to be counted.")
        if wrong:
            raise CommandError(f"{len(wrong)} differences.")
        self.stdout.write(self.style.SUCCESS("What was counted is what the rows say."))
