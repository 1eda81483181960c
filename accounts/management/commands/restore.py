from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from voiceops import backups


class Command(BaseCommand):
    help = (
        "Restore a backup into an empty database, with everything else stopped. "
        "Nothing changes unless the backup is whole; all of it comes back or nothing."
    )
    # A database without tables is what it is for.
    requires_system_checks: list = []

    def add_arguments(self, parser):
        parser.add_argument("backup", type=Path, metavar="BACKUP")
        parser.add_argument(
            "--force",
            action="store_true",
            help="replace what the database holds; take a newer release's backup too",
        )

    def handle(self, *, backup, force, **options):
        try:
            restored = backups.restore(connection, backup, replace=force)
        except backups.ERRORS as error:
            raise CommandError(str(error)) from error
        manifest = restored.manifest
        rows = sum(manifest.rows.values())
        self.stdout.write(f"Restored {rows} rows, as they were at {manifest.made_at}.")
        if restored.is_behind:
            self.stdout.write(
                "This release has more migrations: run manage.py migrate."
            )
        if restored.is_sealed:
            self.stderr.write(
                "FIELD_ENCRYPTION_KEYS do not open the secrets of this backup: put the "
                "keys of its time behind yours, or connect carrier accounts anew."
            )
