"""What a campaign will cost and how long it takes: from the calls that went before.

Nothing is made up. What no call has told yet is asked for on the page, and until then
there is no sum.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from math import ceil

from agents.models import VoiceAgent
from telephony.models import Call, Campaign, CarrierAccount
from telephony.services import dialling

LATEST = 200  # calls that are looked at
USUAL_MINUTES = Decimal(2)  # of a call, where none has been placed yet
USUAL_SHARE = Decimal("0.5")  # of calls that are answered
RINGING_S = 25  # of a call that nobody takes
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Estimate:
    """`price` is of a minute that was answered; None: nobody knows it."""

    contacts: int
    minutes: Decimal  # of a call that is answered
    share: Decimal  # of contacts that answer
    price: Decimal | None
    currency: str
    calls: int  # on which it is based
    lines: int
    calls_per_second: int
    calls_a_day: int
    calls_a_month: int

    @property
    def cost(self) -> Decimal | None:
        return self._sum(self.share)

    @property
    def most(self) -> Decimal | None:
        """If everybody answers."""
        return self._sum(Decimal(1))

    def _sum(self, share: Decimal) -> Decimal | None:
        if self.price is None:
            return None
        whole = self.contacts * share * self.minutes * self.price
        return whole.quantize(CENT, rounding=ROUND_UP)

    @property
    def seconds(self) -> int:
        """Of calling, with every line in use all the time."""
        answered_s = self.share * self.minutes * 60
        ringing_s = (1 - self.share) * RINGING_S
        busy = self.contacts * (answered_s + ringing_s) / self.lines
        return ceil(max(busy, Decimal(self.contacts) / self.calls_per_second))

    @property
    def days(self) -> int | None:
        """At least, by how many calls may be placed a day; None: none may."""
        return ceil(self.contacts / self.calls_a_day) if self.calls_a_day else None

    @property
    def is_beyond_a_month(self) -> bool:
        return self.contacts > self.calls_a_month

    @property
    def percent(self) -> int:
        return round(self.share * 100)


def estimate(campaign: Campaign, **assumed) -> Estimate:
    """From the agent's latest calls; `assumed` is what a person knows better."""
    agent = campaign.agent
    account = agent.phone.carrier_account if agent.phone_id else CarrierAccount()
    rules = dialling.rules_of(campaign.owner)
    found = Estimate(
        contacts=campaign.contacts,
        **_experience(agent),
        lines=dialling.lines_of(account),
        calls_per_second=account.calls_per_second,
        calls_a_day=rules.calls_a_day,
        calls_a_month=rules.calls_a_month,
    )
    known = {name: value for name, value in assumed.items() if value is not None}
    return replace(found, **known)


def _experience(agent: VoiceAgent) -> dict:
    calls = Call.unscoped.filter(
        owner_id=agent.owner_id,
        agent=agent,
        direction=Call.Direction.OUTGOING,
    ).order_by("-pk")
    latest = [
        call
        for call in calls.only("is_test", "asked_at", "ended_at", "answered_at",
                               "duration_s", "cost", "currency")[:LATEST]
        if not call.is_test and call.asked_at and call.ended_at
    ]  # fmt: skip
    answered = [call for call in latest if call.answered_at and call.duration_s]
    price, currency = _price(answered)
    return {
        "minutes": _average([call.duration_s for call in answered]) or USUAL_MINUTES,
        "share": Decimal(len(answered)) / len(latest) if answered else USUAL_SHARE,
        "price": price,
        "currency": currency,
        "calls": len(latest),
    }


def _average(seconds: list[int]) -> Decimal:
    if not seconds:
        return Decimal(0)
    return (Decimal(sum(seconds)) / len(seconds) / 60).quantize(Decimal("0.1"))


def _price(answered: Iterable[Call]) -> tuple[Decimal | None, str]:
    """Of a minute, in the currency of most calls whose cost is known."""
    priced = [call for call in answered if call.cost]
    if not priced:
        return None, "USD"
    currency = Counter(call.currency for call in priced).most_common(1)[0][0]
    same = [call for call in priced if call.currency == currency]
    minutes = Decimal(sum(call.duration_s for call in same)) / 60
    total = sum((call.cost for call in same), Decimal(0))
    return (total / minutes).quantize(Decimal("0.0001"), rounding=ROUND_UP), currency
