import sys

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from voiceops import rotation
from voiceops.encryption import key_id


class Command(BaseCommand):
    help = (
        "Encrypt everything in the database anew, under the first of "
        "FIELD_ENCRYPTION_KEYS. Safe while everything runs, to kill and to repeat: it "
        "goes on where it was. Keys are called by the beginning of their hash."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "--check",
            action="store_true",
            help="change nothing; say how many texts are under which key. The exit "
            "status is 1 while one is not under the first",
        )
        parser.add_argument(
            "--batch",
            type=int,
            default=rotation.BATCH,
            metavar="ROWS",
            help=f"rows in a transaction ({rotation.BATCH})",
        )

    def handle(self, *, check, batch, **options):
        if batch < 1:
            raise CommandError("--batch takes a number from 1.")
        first, *others = map(key_id, settings.FIELD_ENCRYPTION_KEYS)
        self.stdout.write(f"first key {first}; others: {', '.join(others) or 'none'}")
        if not (self._check(first) if check else self._rotate(batch)):
            sys.exit(1)

    def _check(self, first: str) -> bool:
        is_done = True
        for place in rotation.places():
            counts = rotation.count_keys(place)
            told = ", ".join(f"{count} under {key}" for key, count in counts.items())
            self.stdout.write(f"{place}: {told or 'nothing'}")
            is_done = is_done and set(counts) <= {first}
        words = "Everything is" if is_done else "Not everything is"
        self.stdout.write(f"{words} under the first key.")
        return is_done

    def _rotate(self, batch: int) -> bool:
        unreadable = 0
        for place in rotation.places():
            progress = rotation.Progress(place)
            for progress in rotation.rotate(place, batch):
                self.stdout.write(
                    f"{place}: {progress.seen} looked at, {progress.renewed} renewed"
                )
                self.stdout.flush()
            unreadable += progress.unreadable
        if unreadable:
            self.stderr.write(
                f"{unreadable} cannot be read with any of the keys and were left alone:"
                " put the key that they are under back into the list."
            )
        return not unreadable
