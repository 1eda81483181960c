from collections import Counter
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import now

from accounts.deleted.listing import RESTORABLE_FOR
from accounts.deleted.purging import Verdict, purge
from accounts.models import Workspace


class Command(BaseCommand):
    help = (
        "Remove for ever what was deleted long ago, as far as nothing that stays (such "
        "as calls) points at it; say what is kept and why. Safe to kill and to repeat."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "--older-than",
            type=int,
            default=RESTORABLE_FOR.days,
            metavar="DAYS",
            help="deleted more than so many days ago (30); with less, what could still "
            "be restored goes too",
        )
        parser.add_argument("--workspace", metavar="ID", help="of this workspace alone")
        parser.add_argument(
            "--dry-run", action="store_true", help="only say what would happen"
        )

    def handle(self, *, older_than, workspace, dry_run, **options):
        if not 0 <= older_than <= 36500:
            raise CommandError("--older-than takes a number of days from 0 to 36500.")
        totals = Counter()
        for verdict in purge(
            before=now() - timedelta(days=older_than),
            owner=_workspace(workspace) if workspace else None,
            is_rehearsal=dry_run,
        ):
            totals["purged" if verdict.goes else "kept"] += 1
            self.stdout.write(_as_text(verdict, dry_run))
        words = "would be purged" if dry_run else "purged"
        self.stdout.write(f"{totals['purged']} {words}, {totals['kept']} kept.")


def _workspace(given: str) -> Workspace:
    try:
        return Workspace.objects.get(pk=given)
    except (Workspace.DoesNotExist, ValidationError):
        raise CommandError(f"There is no workspace {given}.") from None


def _as_text(verdict: Verdict, is_rehearsal: bool) -> str:
    what = f"{verdict.kind.key} {verdict.row.pk}"
    if not verdict.goes:
        return f"kept   {what}: needed by {_counted(verdict.kept_by)}"
    along = f", with {_counted(verdict.along)}" if verdict.along else ""
    return f"{'would go' if is_rehearsal else 'purged'} {what}{along}"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{called} ({count})" for called, count in counts.items())
