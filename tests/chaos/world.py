"""What there is to dial, and what became of it: run with the stack's environment.

python -m tests.chaos.world fill < world.json
python -m tests.chaos.world wait SECONDS
python -m tests.chaos.world tell
"""

import json
import sys
import time
from datetime import timedelta

import django

from tests.chaos.verdict import OVER

LOOK_EVERY_S = 1
OWNER_SHOWN = 8  # of an account's SID, in the name of its workspace


def main() -> None:
    django.setup()
    match sys.argv[1:]:
        case ["fill"]:
            _fill(json.load(sys.stdin))
        case ["wait", within_s]:
            _wait(float(within_s))
        case ["tell"]:
            json.dump(_tell(), sys.stdout, default=str)


def _fill(world: dict) -> None:
    """A workspace for each account, and all the numbers that are due, in turn."""
    from django.utils.timezone import now

    from telephony.models import ScheduledCall

    agents = [_open(account) for account in world["accounts"]]
    due_at = now() + timedelta(seconds=world["in_s"])
    rows = [
        ScheduledCall(
            owner=agents[place % len(agents)].owner,
            agent=agents[place % len(agents)],
            to_number=number,
            scheduled_for=due_at,
            due_at=due_at,
            next_attempt_at=due_at,
            max_attempts=1 + (place % 3 == 0),
            retry_delay_s=world["tries_again"],
        )
        for place, number in enumerate(world["numbers"])
    ]
    ScheduledCall.unscoped.bulk_create(rows, batch_size=500)


def _open(account: dict):
    from datetime import time

    from accounts.models import Workspace
    from agents.models import VoiceAgent
    from telephony.models import CallingRules, CarrierAccount, Phone

    owner = Workspace.objects.create(name=account["sid"][:OWNER_SHOWN])
    CallingRules.unscoped.create(
        owner=owner,
        window_start=time(0),
        window_end=time(0),
        countries=["US"],
        calls_a_day=100_000,
        calls_a_month=100_000,
    )
    stored = CarrierAccount.unscoped.create(
        owner=owner,
        label="Main",
        account_sid=account["sid"],
        auth_token=account["auth_token"],
        calls_per_second=account["calls_per_second"],
        max_concurrent_calls=account["lines"],
    )
    phone = Phone.unscoped.create(
        owner=owner, carrier_account=stored, number=account["number"]
    )
    return VoiceAgent.unscoped.create(
        owner=owner,
        phone=phone,
        name="Reminder",
        is_active=True,
        direction=VoiceAgent.Direction.OUTGOING,
        greeting="Hello, this is a reminder of your appointment.",
        instructions="You remind people of their appointments.",
        end_call_phrases=["goodbye"],
    )


def _wait(within_s: float) -> None:
    """Until every row has ended, or the time is over."""
    from telephony.models import ScheduledCall

    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not _filled(ScheduledCall).exclude(status__in=OVER).exists():
            return
        time.sleep(LOOK_EVERY_S)


def _filled(model):
    """The rows of the workspaces that nobody is in: not of the demo."""
    return model.unscoped.filter(owner__memberships=None)


def _tell() -> dict:
    """Every scheduled call, and every attempt of one."""
    from telephony.models import Call, ScheduledCall

    rows = _filled(ScheduledCall).values(
        "pk", "to_number", "status", "detail", "attempts_made", "lease_token"
    )
    calls = (
        _filled(Call)
        .filter(scheduled_call__isnull=False)
        .values(
            *("pk", "scheduled_call", "to_number", "attempt", "placement", "sid"),
            *("status", "ended_at", "end_reason", "asked_at"),
        )
    )
    return {"rows": list(rows), "calls": list(calls)}


if __name__ == "__main__":
    main()
