"""Many calls at once, the same in every run: rows by the hundred thousand, fast."""

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from django.db import connection
from django.test import Client
from django.utils.timezone import now

from accounts import services
from accounts.models import Workspace
from agents.models import Prompt, VoiceAgent
from telephony.models import Call, Phone, Turn
from telephony.tests.calls import make_agent, make_phone
from tests.people import make_tenant
from voiceops import bulk
from voiceops.ids import earliest_uuid7

OPEN_CALLS = 5  # of each workspace, the newest
YEAR = timedelta(days=365)
Row = dict[str, Any]
Home = tuple[Workspace, VoiceAgent, Phone]
# Every so manieth of the crowd's calls has its words, every one of the tenant's.
CROWD_TALKS = 10
WORDS = "I would like an appointment on Thursday afternoon, please, as early as can be."
REPLY = "On Thursday there is two o'clock and half past four. Which one would you like?"
# Spread over the whole year: one in a hundred, and one in ten thousand.
RARE, RAREST = 100, 10_000
RARE_WORDS = "whitening"


def open_workspaces(crowd: int) -> tuple[list[Home], Client, Client]:
    """The tenant's workspace and the crowd's; the tenant's browser, and its program."""
    tenant = make_tenant(secrets.token_hex(4))
    others = [Workspace.objects.create(name=f"Crowd {n}") for n in range(crowd)]
    token = services.issue_login_token(tenant.user)
    program = Client(headers={"authorization": f"Bearer {token}"})
    homes = [_furnished(owner) for owner in (tenant.workspace, *others)]
    return homes, tenant.client, program


def _furnished(owner: Workspace) -> Home:
    number = f"+1415{secrets.randbelow(10**7):07}"
    Prompt.unscoped.create(owner=owner, name="Receptionist", text="Be brief.")
    return owner, make_agent(owner), make_phone(owner, number)


def fill(owners: list[Home], counts: list[int]) -> None:
    """Ended calls of the last year for each owner, mixed as they would have come in.

    The first is the tenant, the others are the crowd.
    """
    end = now()
    calls = (
        call
        for owner, count in zip(owners, counts, strict=True)
        for call in _calls(*owner, count, end)
    )
    # In the order of their ids, as they are made in life: it decides how tables lie.
    ordered = sorted(calls, key=itemgetter("id"))
    tenant = owners[0][0]
    bulk.insert(Call, _pattern_call(*owners[0]), ordered, is_trusted=True)
    bulk.insert(Turn, _pattern_turn(tenant), _turns(ordered, tenant), is_trusted=True)
    analyze()


def _calls(owner, agent, phone, count: int, end: datetime) -> Iterator[Row]:
    same = {
        "owner_id": owner.pk.hex,
        "agent_id": agent.pk.hex,
        "phone_id": phone.pk.hex,
    }
    low_bits = owner.pk.int % 2**40 << 20
    for number in range(count):
        started = end - YEAR * (count - number) / count
        pk = f"{earliest_uuid7(started).int | low_bits | number % 2**20:032x}"
        is_open = number >= count - OPEN_CALLS
        status = "busy" if number % RARE == 0 else "completed"
        status = Call.Status.IN_PROGRESS if is_open else status
        at = f"{started:%Y-%m-%d %H:%M:%S.%f}"
        yield same | {
            "id": pk,
            "sid": f"CA{pk}",
            "relay_token": pk,
            "status": status,
            "from_number": f"+1415{number % 10_000_000:07}",
            "started_at": at,
            "answered_at": at,
            "ended_at": None if is_open else at,
            "last_event_at": at,
            "created_at": at,
            "updated_at": at,
        }


def _turns(calls: list[Row], tenant: Workspace) -> Iterator[Row]:
    own = tenant.pk.hex
    for place, call in enumerate(calls):
        if call["owner_id"] != own and place % CROWD_TALKS:
            continue
        rare = f" And {RARE_WORDS}?" if place % RAREST == 0 else ""
        for number, speaker, text, reply_ms in (
            (1, "caller", WORDS + rare, None),
            (2, "agent", REPLY, 300 + place % 700),
        ):
            yield {
                "id": f"{int(call['id'], 16) + (number << 60):032x}",
                "owner_id": call["owner_id"],
                "call_id": call["id"],
                "number": number,
                "speaker": speaker,
                "text": text,
                "reply_ms": reply_ms,
                "at": call["started_at"],
                "created_at": call["started_at"],
                "updated_at": call["started_at"],
            }


def _pattern_call(owner, agent, phone) -> Call:
    return Call(
        owner=owner,
        agent=agent,
        phone=phone,
        carrier_account=phone.carrier_account,
        direction=Call.Direction.INCOMING,
        end_reason=Call.EndReason.CALLER_HUNG_UP,
        to_number=phone.number,
        transport="stream",
        duration_s=60,
    )


def _pattern_turn(owner) -> Turn:
    return Turn(owner=owner, at_ms=1000)


def analyze() -> None:
    """What autovacuum does on an installation: the planner knows the tables."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("RESET statement_timeout")
        else:
            cursor.execute("ANALYZE")
