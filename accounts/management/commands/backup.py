from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from voiceops import backups


class Command(BaseCommand):
    help = (
        "Make a backup of the database in DIR, while everything runs: a directory with "
        "the data and a manifest. Secrets of the environment are not in it: keep "
        "FIELD_ENCRYPTION_KEYS, or the secrets in the database are lost."
    )

    def add_arguments(self, parser):
        parser.add_argument("directory", type=Path, metavar="DIR")

    def handle(self, *, directory, **options):
        try:
            made = backups.make(connection, directory)
        except backups.ERRORS as error:
            raise CommandError(f"No backup was made: {error}") from error
        self.stdout.write(str(made))
