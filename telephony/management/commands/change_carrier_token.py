import sys
from getpass import getpass

from django.core.management.base import BaseCommand, CommandError

from telephony import twilio
from telephony.models import CarrierAccount
from telephony.services import carrier


class Command(BaseCommand):
    help = (
        "Give a carrier account its new auth token in every workspace that has it "
        "connected, once the carrier accepts it. The token is asked for, or read from "
        "standard input. Safe while everything runs, to kill and to repeat: for 24 "
        "hours webhooks signed with the one before are accepted as well."
    )

    def add_arguments(self, parser):
        parser.add_argument("account_sid", metavar="SID")
        parser.add_argument(
            "--end",
            action="store_true",
            help="accept the newest token alone from now on; no token is asked for",
        )

    def handle(self, *, account_sid, end, **options):
        found = CarrierAccount.unscoped.filter(account_sid=account_sid, deleted_at=None)
        accounts = list(found.select_related("owner").order_by("pk"))
        if not accounts:
            raise CommandError("No workspace has connected an account with this SID.")
        auth_token = "" if end else _new_token()
        for place, account in enumerate(accounts, 1):
            done = self._end(account) if end else self._change(account, auth_token)
            name = f"{account.owner.name} ({account.owner_id})"
            self.stdout.write(f"{place} of {len(accounts)}: {name}: {done}")
            self.stdout.flush()

    def _change(self, account: CarrierAccount, auth_token: str) -> str:
        if account.auth_token == auth_token:
            return "has it already"
        try:
            carrier.change_account(account, auth_token=auth_token)
        except (twilio.CarrierError, carrier.AccountNotActive) as error:
            raise CommandError(f"{account}: {error}") from error
        return "changed"

    def _end(self, account: CarrierAccount) -> str:
        carrier.end_token_change(account)
        return "accepts the newest alone"


def _new_token() -> str:
    if sys.stdin.isatty():
        return getpass("New auth token: ").strip()
    return sys.stdin.readline().strip()
