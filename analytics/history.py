"""Invented calls and texts of past weeks, marked as such: for a first look around and
for benchmarks. The same for the same workspace, seed and end.
"""

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate, islice
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.models import Workspace
from agents.models import MessageAgent, VoiceAgent
from agents.outcomes import Outcome
from analytics import rebuilding
from analytics.models import Change
from telephony import samples
from telephony.models import (
    AfterCall,
    Call,
    CallCost,
    Conversation,
    Message,
    Phone,
    Turn,
)
from voiceops import bulk
from voiceops.ids import earliest_uuid7

SID_PREFIX = "history-"
AT_ONCE = 10_000  # calls that are held in memory
Status, Reason = Call.Status, Call.EndReason

# How often a call goes so: of those that come in, of those that go out.
INCOMING = {
    (Status.COMPLETED, Reason.AGENT_ENDED): 62,
    (Status.COMPLETED, Reason.CALLER_HUNG_UP): 22,
    (Status.COMPLETED, Reason.TRANSFERRED): 6,
    (Status.COMPLETED, Reason.CALLER_SILENT): 4,
    (Status.CANCELED, Reason.CALLER_HUNG_UP): 4,
    (Status.FAILED, Reason.CONNECTION_LOST): 2,
}
OUTGOING = {
    (Status.COMPLETED, Reason.AGENT_ENDED): 52,
    (Status.COMPLETED, Reason.VOICEMAIL): 14,
    (Status.NO_ANSWER, Reason.NO_ANSWER): 20,
    (Status.BUSY, Reason.BUSY): 8,
    (Status.FAILED, Reason.NOT_REACHED): 4,
    (Status.CANCELED, Reason.REFUSED): 2,
}
OUTCOMES = {
    Outcome.RESOLVED: 62,
    Outcome.FOLLOW_UP_NEEDED: 22,
    Outcome.NOT_RESOLVED: 9,
    Outcome.WRONG_NUMBER: 4,
    Outcome.UNCLEAR: 3,
}
OUTCOME_OF = {
    Reason.VOICEMAIL: Outcome.VOICEMAIL,
    Reason.CALLER_SILENT: Outcome.NO_CONVERSATION,
}
OF_WEEKDAYS = (12, 11, 11, 10, 9, 5, 2)  # Monday first
OF_HOURS = (*(1, 1, 1, 1, 1, 1, 2, 5), *(14, 20, 19, 16, 11, 14, 17, 15), 12)
OF_HOURS += (8, 5, 4, 3, 2, 1, 1)
UNANSWERED = {Reason.NO_ANSWER, Reason.BUSY, Reason.NOT_REACHED}
OUTGOING_PERCENT = 25
LONGEST = timedelta(minutes=30)
AREAS = (212, 312, 415, 503, 617, 702, 808)
# 555-0100 to 555-0199: for fiction, in any area.
AMERICAN = tuple(f"+1{area}555{100 + n:04}" for area in AREAS for n in range(100))
A_MINUTE = {"incoming": Decimal("0.0085"), "outgoing": Decimal("0.0140")}
MODEL_A_SECOND = Decimal("0.00012")
A_TEXT = Decimal("0.0079")
TEXTS_OF_A_THREAD = 5
CURRENCY = "USD"
WORDLESS = ("", "", "")
TALKS = [script.lines for script in samples.SCRIPTS if len(script.lines) > 3]
TEXTS = (
    ("Hi, are you open on Saturday?", "Yes, on Saturdays from nine to one."),
    ("How much is a cleaning?", "A check-up with cleaning costs 120 dollars."),
    ("Can I move my appointment?", "I take a note, and the team will write back."),
    ("Where can I park?", "In the garage across the street; we stamp the ticket."),
)


@dataclass(frozen=True)
class Plan:
    """What is made: `calls` of the `days` before `until` (two at least), on the clocks
    of `zones`, with people who have these `numbers` and who talk like that.

    One call in `talk_every` that were answered has its words too, the others only the
    times of the replies. `first` numbers the calls, which a workspace has once.
    """

    owner: Workspace
    agents: list[VoiceAgent]
    phones: list[Phone]
    calls: int
    days: int
    until: datetime
    zones: tuple[str, ...] = ("UTC",)
    seed: int = 1
    talk_every: int = 1
    numbers: Sequence[str] = AMERICAN
    talks: Sequence[Sequence[str]] = tuple(TALKS)
    first: int = 1


def is_made(owner: Workspace) -> bool:
    return Call.objects.for_owner(owner).filter(sid=f"{SID_PREFIX}1").exists()


def make(plan: Plan) -> None:
    """Write the calls, and have their days counted."""
    chance = random.Random(f"{plan.owner.pk} {plan.seed}")
    made = (
        _made(plan, chance, place, at)
        for place, at in enumerate(_starts(plan), plan.first)
    )
    while chunk := list(islice(made, AT_ONCE)):
        with transaction.atomic():
            _write(plan.owner, chunk)
    count_by_days(plan.owner)


def count_by_days(owner: Workspace) -> None:
    """Ask for whole days in the place of what was noted for each row."""
    mine = Change.objects.filter(owner_id=owner.pk)
    newest = mine.order_by("pk").last()
    with transaction.atomic():
        if newest:
            mine.filter(pk__lte=newest.pk).delete()
        rebuilding.ask_for_everything([owner.pk])


def _write(owner: Workspace, chunk: list["Made"]) -> None:
    bulk.insert(Call, _pattern(owner), (made.call for made in chunk))
    for model, part in ((Turn, "turns"), (CallCost, "costs"), (AfterCall, "analyses")):
        rows = (row for made in chunk for row in getattr(made, part))
        bulk.insert(model, model(owner=owner, **PATTERNS[model]), rows)


PATTERNS: dict[type, dict[str, Any]] = {
    Turn: {},
    CallCost: {"currency": CURRENCY},
    AfterCall: {"step": AfterCall.Step.DONE, "analysis": AfterCall.Analysis.DONE},
}


def _pattern(owner: Workspace) -> Call:
    return Call(
        owner=owner,
        is_demo=True,
        model_label=samples.MODEL_LABEL,
        transport=VoiceAgent.Transport.STREAM,
    )


# -- When ------------------------------------------------------------------------------


def _starts(plan: Plan) -> Iterator[datetime]:
    """When the calls start: more in the mornings and at the beginning of weeks."""
    chance = random.Random(f"{plan.owner.pk} {plan.seed} starts")
    last = plan.until.date()
    days = [last - timedelta(days=back) for back in reversed(range(plan.days))]
    until_then = list(accumulate(OF_WEEKDAYS[day.weekday()] for day in days))
    done = 0
    for day, weight in zip(days, until_then, strict=True):
        wanted = plan.calls * weight // until_then[-1]
        yield from sorted(_on(chance, day, plan) for _ in range(wanted - done))
        done = wanted


def _on(chance: random.Random, day: date, plan: Plan) -> datetime:
    (hour,) = chance.choices(range(24), OF_HOURS)
    clock = time(hour, chance.randrange(60), chance.randrange(60))
    zone = ZoneInfo(chance.choice(plan.zones))
    at = datetime.combine(day, clock, zone).astimezone(UTC)
    is_past = at < plan.until - LONGEST
    return at if is_past else at - timedelta(days=chance.randrange(1, plan.days))


# -- What ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Made:
    """The columns of a call and of what belongs to it."""

    call: dict[str, Any]
    turns: list[dict[str, Any]]
    costs: list[dict[str, Any]]
    analyses: list[dict[str, Any]]


def _made(plan: Plan, chance: random.Random, place: int, at: datetime) -> Made:
    is_outgoing = chance.randrange(100) < OUTGOING_PERCENT
    ways = OUTGOING if is_outgoing else INCOMING
    ((status, reason),) = chance.choices(list(ways), list(ways.values()))
    is_answered = reason not in UNANSWERED and status != Status.CANCELED
    duration_s = min(8 + int(chance.lognormvariate(4.5, 0.7)), LONGEST.seconds)
    agents = _able(plan.agents, is_outgoing=is_outgoing)
    call = _call(plan, agents, chance, at, duration_s if is_answered else 0) | {
        "sid": f"{SID_PREFIX}{place}",
        "status": status.value,
        "end_reason": reason.value,
    }
    if is_outgoing:
        theirs, ours = call["from_number"], call["to_number"]
        call |= {"direction": "outgoing", "from_number": ours, "to_number": theirs}
        call["placement"] = Call.Placement.PLACED.value
    if not is_answered:
        outcome = Outcome.NOT_REACHED if is_outgoing else Outcome.NO_CONVERSATION
        return Made(call | {"answered_at": None}, [], [], [_analysis(call, outcome)])
    (outcome,) = chance.choices(list(OUTCOMES), list(OUTCOMES.values()))
    outcome = OUTCOME_OF.get(reason, outcome)
    costs = _costs(call, duration_s)
    call |= {
        "cost": str(sum(Decimal(row["amount"]) for row in costs)),
        "currency": CURRENCY,
    }
    has_words = place % plan.talk_every == 0
    talk = chance.choice(plan.talks) if has_words else WORDLESS
    turns = list(_turns(chance, call, at, duration_s, talk))
    return Made(call, turns, costs, [_analysis(call, outcome)])


def _able(agents: list[VoiceAgent], *, is_outgoing: bool) -> list[VoiceAgent]:
    """Those that take or place calls; all of them, if none of them does."""
    ways = VoiceAgent.PLACING if is_outgoing else VoiceAgent.ANSWERING
    return [agent for agent in agents if agent.direction in ways] or agents


def _call(
    plan: Plan,
    agents: list[VoiceAgent],
    chance: random.Random,
    at: datetime,
    duration_s: int,
) -> dict[str, Any]:
    answered_at = at + timedelta(seconds=samples.RING_S)
    ended_at = answered_at + timedelta(seconds=duration_s)
    phone = chance.choice(plan.phones) if plan.phones else None
    pk = uuid.UUID(int=earliest_uuid7(at).int | chance.getrandbits(62)).hex
    return {
        "id": pk,
        "relay_token": pk,
        "direction": "incoming",
        "placement": "",
        "agent_id": chance.choice(agents).pk.hex if agents else None,
        "phone_id": phone.pk.hex if phone else None,
        "carrier_account_id": phone.carrier_account_id.hex if phone else None,
        "prompt_version": 1 if (plan.until - at).days > plan.days / 3 else 2,
        "from_number": chance.choice(plan.numbers),
        "to_number": phone.number if phone else samples.CALLED_NUMBER,
        "duration_s": duration_s,
        "started_at": _written(at),
        "created_at": _written(at),
        "answered_at": _written(answered_at),
        "ended_at": _written(ended_at),
        "last_event_at": _written(ended_at),
    }


def _costs(call: dict[str, Any], duration_s: int) -> list[dict[str, Any]]:
    minutes = -(-duration_s // 60)
    amounts = {
        CallCost.Part.CARRIER: A_MINUTE[call["direction"]] * minutes,
        CallCost.Part.MODEL: MODEL_A_SECOND * duration_s,
    }
    return [
        _part(call, number) | {"part": part.value, "amount": str(amount)}
        for number, (part, amount) in enumerate(amounts.items())
    ]


def _analysis(call: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    return _part(call, 0) | {"outcome": outcome.value}


def _turns(
    chance: random.Random,
    call: dict[str, Any],
    at: datetime,
    duration_s: int,
    lines: Sequence[str],
) -> Iterator[dict[str, Any]]:
    """A talk, or of one whose words are not told the times of the replies."""
    for number, text in enumerate(lines):
        at_ms = 1_000 * duration_s * number // len(lines)
        is_agent = number % 2 == 0
        reply_ms = (
            int(chance.lognormvariate(6.5, 0.35)) if is_agent and number else None
        )
        if text or reply_ms:
            yield _part(call, number) | {
                "number": number + 1,
                "speaker": "agent" if is_agent else "caller",
                "text": text,
                "at": _written(at + timedelta(milliseconds=at_ms)),
                "at_ms": at_ms,
                "reply_ms": reply_ms,
            }


def _part(call: dict[str, Any], number: int) -> dict[str, Any]:
    """A row that belongs to a call; its id is next to the call's."""
    return {
        "id": f"{int(call['id'], 16) + number:032x}",
        "call_id": call["id"],
        "created_at": call["started_at"],
    }


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S.%f}"


# -- Texts -----------------------------------------------------------------------------


def make_texts(plan: Plan, agent: MessageAgent, count: int) -> None:
    """Texts to the plan's first number and the agent's answers, `count` together.

    Every conversation is closed: nobody is waited for.
    """
    chance = random.Random(f"{plan.owner.pk} {plan.seed} texts")
    threads = _threads(plan, chance, -(-count // TEXTS_OF_A_THREAD))
    if not threads:
        return
    said: list[Message] = []
    for at in _starts(replace(plan, calls=count // 2)):
        said += _exchange(chance, chance.choice(threads), agent, at)
    with transaction.atomic():
        Conversation.unscoped.bulk_create(threads)
        bulk.create(said)
        newest = {message.conversation: message for message in said}
        for thread, message in newest.items():
            thread.last_message, thread.last_message_at = message, message.created_at
        Conversation.unscoped.bulk_update(newest, ["last_message", "last_message_at"])
    count_by_days(plan.owner)


def _threads(plan: Plan, chance: random.Random, count: int) -> list[Conversation]:
    """With `count` others who have not texted with the plan's first number, or with as
    many as there are.
    """
    phone = plan.phones[0]
    known = Conversation.unscoped.filter(phone=phone).values_list("address", flat=True)
    free = sorted(set(plan.numbers) - set(known))
    return [
        Conversation(
            owner=plan.owner,
            phone=phone,
            address=address,
            status=Conversation.Status.CLOSED,
        )
        for address in chance.sample(free, min(count, len(free)))
    ]


def _exchange(
    chance: random.Random, thread: Conversation, agent: MessageAgent, at: datetime
) -> Iterator[Message]:
    asked, answered = chance.choice(TEXTS)
    ours, theirs = thread.phone.number, thread.address
    sides = (
        ("incoming", "received", asked, theirs, ours),
        ("outgoing", "delivered", answered, ours, theirs),
    )
    for seconds, (direction, status, body, sender, receiver) in enumerate(sides):
        made_at = at + timedelta(seconds=20 * seconds)
        is_answer = direction == "outgoing"
        yield Message(
            id=uuid.UUID(int=earliest_uuid7(made_at).int | chance.getrandbits(62)),
            owner=thread.owner,
            created_at=made_at,
            conversation=thread,
            carrier_account_id=thread.phone.carrier_account_id,
            agent=agent if is_answer else None,
            direction=direction,
            status=status,
            sent_by="agent" if is_answer else "other_party",
            body=body,
            from_number=sender,
            to_number=receiver,
            segments=1,
            cost=A_TEXT,
            currency=CURRENCY,
        )
