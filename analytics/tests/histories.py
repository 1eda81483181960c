"""Random calls and texts, and what plain Python makes of them."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from agents.models import MessageAgent
from analytics.histogram import BOUNDS
from telephony.models import AfterCall, CallCost, Conversation, Message, TextCost
from telephony.tests.calls import make_agent, make_call, make_phone, make_turn

STATUSES = ("completed", "completed", "completed", "busy", "no-answer", "failed")
REASONS = ("caller_hung_up", "agent_ended", "busy", "not_reached", "")
OUTCOMES = ("resolved", "follow_up_needed", "voicemail", "")
CURRENCIES = ("USD", "USD", "EUR")


class Home:
    """A workspace with two agents and two numbers."""

    def __init__(self, owner, number="+1415555014"):
        self.owner = owner
        self.agents = [make_agent(owner, name) for name in ("Ada", "Bob")]
        self.phones = [make_phone(owner, f"{number}{digit}") for digit in (1, 2)]
        self.writers = [
            MessageAgent.unscoped.create(owner=owner, name=name, instructions="Reply.")
            for name in ("Text", "Other")
        ]


def moments(around: datetime, days: int, chance: random.Random):
    """Quarters of an hour and the moments just before and after them, mostly."""
    while True:
        at = around + timedelta(seconds=chance.randrange(days * 86_400))
        near = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
        yield near + timedelta(microseconds=chance.choice([-1, 0, 1, 500_000_000]))


def random_call(home: Home, at: datetime, chance: random.Random):
    status = chance.choice(STATUSES)
    is_answered = status == "completed" or chance.random() < 0.2
    call = make_call(
        home.owner,
        at,
        agent=chance.choice([*home.agents, None]),
        phone=chance.choice([*home.phones, None]),
        direction=chance.choice(["incoming", "outgoing"]),
        status=status,
        answered_at=at if is_answered else None,
        duration_s=chance.choice([None, 0, 59, 61, 3_600]),
        end_reason=chance.choice(REASONS),
        prompt_version=chance.choice([None, 1, 2]),
        is_test=chance.random() < 0.1,
        cost=chance.choice([None, None, Decimal("0.10")]),
        currency="USD",
    )
    if chance.random() < 0.1:  # it goes on
        type(call).unscoped.filter(pk=call.pk).update(
            ended_at=None, status="in-progress"
        )
    for number in range(chance.randrange(4)):
        make_turn(call, number, "Yes", reply_ms=chance.choice([None, 0, 7, 812, 9_000]))
    for part in chance.sample(["carrier", "model", "analysis"], chance.randrange(3)):
        amount = chance.choice([None, Decimal("0.000001"), Decimal("1.234567")])
        CallCost.unscoped.create(
            owner=home.owner,
            call=call,
            part=part,
            amount=amount,
            currency=chance.choice(CURRENCIES),
        )
    if chance.random() < 0.5:
        AfterCall.unscoped.create(
            owner=home.owner, call=call, outcome=chance.choice(OUTCOMES)
        )
    return call


def random_text(home: Home, at: datetime, chance: random.Random):
    phone = chance.choice(home.phones)
    conversation, _is_new = Conversation.unscoped.get_or_create(
        owner=home.owner, phone=phone, address=f"+1415555{chance.randrange(3):04}"
    )
    direction = chance.choice(["incoming", "outgoing"])
    unanswered = [
        text
        for text in Message.unscoped.filter(owner=home.owner, direction="incoming")
        if not Message.unscoped.filter(answers=text).exists()
    ]
    asks = direction == "outgoing" and unanswered and chance.random() < 0.5
    text = Message.unscoped.create(
        owner=home.owner,
        created_at=at,
        conversation=conversation,
        carrier_account=phone.carrier_account,
        agent=chance.choice([*home.writers, None]),
        answers=chance.choice(unanswered) if asks else None,
        direction=direction,
        status=chance.choice(["received", "sent", "read", "failed", "waiting"]),
        segments=chance.randrange(4),
        cost=chance.choice([None, Decimal("0.0079")]),
        currency=chance.choice(CURRENCIES),
        sent_by="agent",
        from_number="+1",
        to_number="+1",
    )
    if text.is_incoming and chance.random() < 0.5:
        TextCost.unscoped.create(
            owner=home.owner,
            asked=text,
            amount=chance.choice([None, Decimal("0.000031"), Decimal("1.5")]),
            currency=chance.choice(CURRENCIES),
        )
    return text


# -- What Python makes of the rows -----------------------------------------------------


def counted(call) -> bool:
    return call.ended_at is not None and not call.is_test


def once(costs_of_row):
    """What was asked of a row is not asked again."""

    def remembered(row) -> Counter:
        if not hasattr(row, "told_costs"):
            row.told_costs = costs_of_row(row)
        return row.told_costs

    return remembered


@once
def costs_of(call) -> Counter:
    """By part and currency."""
    parts = [
        row for row in call.costs.for_owner(call.owner_id) if row.amount is not None
    ]
    found = Counter()
    for row in parts:
        found[row.part, row.currency] += row.amount
    if not parts and call.cost is not None:
        found["other", call.currency] += call.cost
    return found


@once
def costs_of_text(text) -> Counter:
    """By part and currency."""
    if text.cost is None:
        return Counter()
    asked = text.answers_id
    if text.is_incoming:
        is_answered = Message.unscoped.filter(answers=text).exists()
        asked = None if is_answered else text.pk
    model = TextCost.unscoped.filter(asked=asked, currency=text.currency).first()
    known = (model and model.amount) or Decimal(0)
    tokens = min(known, text.cost)
    return Counter(
        {
            ("texts_carrier", text.currency): text.cost - tokens,
            ("texts_model", text.currency): tokens,
        }
    )


def money(rows) -> dict:
    """As the API tells it."""
    found = Counter()
    for costs in rows:
        for key, amount in costs.items():
            found[key if isinstance(key, str) else key[1]] += amount
    known = sorted(
        ((name, amount) for name, amount in found.items() if amount),
        key=lambda entry: (-entry[1], entry[0]),
    )
    told = [{"currency": name, "amount": f"{amount:.6f}"} for name, amount in known]
    one = told[0] if told else {"currency": "", "amount": "0.000000"}
    return {
        "cost": None if len(told) > 1 else one["amount"],
        "currency": "" if len(told) > 1 else one["currency"],
        "costs": told,
    }


def talk_s(calls) -> int:
    return sum(call.duration_s or 0 for call in calls if call.answered_at)


def rounded(ms: int) -> int:
    """As a histogram remembers it."""
    place = max(n for n, bound in enumerate(BOUNDS[:-1]) if bound <= ms)
    return (BOUNDS[place] + BOUNDS[place + 1] - 1) // 2


def times(replies: list[int]) -> dict:
    """By the nearest rank."""
    ordered = sorted(replies)
    found = {"count": len(ordered), "p50": None, "p95": None}
    for percent in (50, 95) if ordered else ():
        place = -(-len(ordered) * percent // 100) - 1
        found[f"p{percent}"] = rounded(ordered[place])
    return found


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
