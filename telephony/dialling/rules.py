"""May this number be called by this agent at this time? Pure: facts in, reasons out.

The one place where that is decided, for the page that explains it and for the moment of
dialling. Every rule is looked at, so that people see all that is in the way at once;
the first that is not passed decides, and one that can never pass before one that will.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache, wraps
from zoneinfo import ZoneInfo

from django.utils.formats import date_format, number_format
from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _
from phonenumbers import PhoneNumber

from agents.limits import DAY_NAMES, DAYS
from telephony.dialling import numbers
from telephony.dialling.windows import Window, is_open, next_opening

# The rules that may let a call pass at any moment: somebody raises the budget, or lets
# the workspace go on.
BUDGET, HALT = "budget", "halt"
HOLDING = frozenset({BUDGET, HALT})
# The rules by which somebody does not want to be called, by anybody of the workspace.
UNWANTED = frozenset({"do_not_contact", "consent"})


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"  # no waiting helps
    DEFERRED = "deferred"  # not now, but later


@dataclass(frozen=True)
class Caller:
    """The agent, as far as it matters to calling."""

    name: str
    is_active: bool
    places_calls: bool
    has_text: bool
    number: str = ""  # "": it has none, or none that is still registered
    account_is_connected: bool = False


@dataclass(frozen=True)
class Suppression:
    """The number is on the do-not-contact list, or its owner has refused calls."""

    since: datetime
    reason: str = ""


@dataclass(frozen=True)
class Count:
    """How many calls were placed in a stretch of time, which ends at `until`."""

    placed: int
    most: int
    until: datetime


@dataclass(frozen=True)
class Budget:
    """What may be spent in the month that ends at `until`, and what is."""

    amount: Decimal
    spent: Decimal
    currency: str
    stops: bool  # calls, when it is used up
    until: datetime


@dataclass(frozen=True)
class Facts:
    """All that is known when it is decided; whoever asks has looked it up."""

    number: str
    at: datetime
    caller: Caller | None  # None: the agent was deleted
    countries: frozenset[str]  # the allowed ones
    suppression: Suppression | None  # by the do-not-contact list
    today: Count
    this_month: Count
    lines_in_use: int
    lines: int  # that calls out may use
    window: Window
    window_of: str  # whose it is, in words
    refusal: Suppression | None = None  # by the contact
    # Given for the call or the contact, where the number's is not right.
    zone: ZoneInfo | None = None
    own_zone: ZoneInfo = ZoneInfo("UTC")  # the workspace's: for times of its counts
    budget: Budget | None = None
    # Of the whole workspace, where operators have bounded it.
    calls_at_once: int = 0
    most_calls_at_once: int | None = None
    halt: str = ""  # why nobody is called from here for the moment


@dataclass(frozen=True)
class Finding:
    """What one rule says; `later` is when a deferring rule would pass."""

    rule: str
    verdict: Verdict
    text: str
    later: datetime | None = None


@dataclass(frozen=True)
class Decision:
    """The rules in their order, and what follows from them."""

    at: datetime
    findings: tuple[Finding, ...]

    @property
    def deciding(self) -> Finding | None:
        """The rule that decides; None when the call may be placed."""
        for verdict in (Verdict.FAILED, Verdict.DEFERRED):
            for finding in self.findings:
                if finding.verdict == verdict:
                    return finding
        return None

    @property
    def is_allowed(self) -> bool:
        return self.deciding is None

    @property
    def is_refused(self) -> bool:
        """Whether no waiting helps."""
        return self.deciding is not None and self.deciding.verdict == Verdict.FAILED

    @property
    def later(self) -> datetime | None:
        """When a deferred call may be tried: when the last of its rules would pass.

        None where nobody knows.
        """
        if self.is_allowed or self.is_refused:
            return None
        moments = (found.later for found in self.findings if found.later is not None)
        return max(moments, default=None)

    @property
    def later_if_released(self) -> datetime | None:
        """Likewise, were it not for what holds it; None where that alone does."""
        others = [f.later for f in self.findings if f.rule not in HOLDING]
        return max((later for later in others if later is not None), default=None)

    @property
    def reason(self) -> str:
        """The deciding rule's words, "" when the call may be placed."""
        return self.deciding.text if self.deciding else ""

    @property
    def rule(self) -> str:
        return self.deciding.rule if self.deciding else ""

    def as_json(self) -> dict:
        """As it is kept with an attempt."""
        return {
            "at": self.at.isoformat(),
            "decided_by": self.rule,
            "findings": [
                {"rule": f.rule, "verdict": str(f.verdict), "text": f.text}
                for f in self.findings
            ],
        }


def decide(facts: Facts) -> Decision:
    return Decision(facts.at, tuple(_findings(facts)))


def decide_number(facts: Facts) -> Decision:
    """As far as the number itself is concerned, whoever calls it and whenever."""
    parsed = numbers.parse(facts.number)
    return Decision(facts.at, tuple(_of_number(facts, parsed)))


def why_idle(caller: Caller | None) -> str:
    """Why this agent can call nobody at all, "" if it can."""
    findings = _of_caller(caller)
    return next((f.text for f in findings if f.verdict == Verdict.FAILED), "")


def opening(facts: Facts) -> Finding:
    """Whether it is time for calls there, and when it will be."""
    parsed = numbers.parse(facts.number)
    if parsed is None:
        bad = _("No telephone can have this number. Write it with its country code.")
        return Finding("number", Verdict.FAILED, bad)
    return _window(facts, parsed)


def _findings(facts: Facts) -> Iterator[Finding]:
    parsed = numbers.parse(facts.number)
    if facts.halt:
        yield Finding(HALT, Verdict.DEFERRED, facts.halt)
    yield from _of_number(facts, parsed)
    yield from _of_caller(facts.caller)
    yield _cap("calls_a_day", facts, facts.today, _("today"))
    yield _cap("calls_a_month", facts, facts.this_month, _("this month"))
    if facts.budget is not None:
        yield _budget(facts.budget)
    yield _lines(facts)
    if facts.most_calls_at_once is not None:
        yield _at_once(facts, facts.most_calls_at_once)
    if parsed is not None:
        yield _window(facts, parsed)


def _said_once(say):
    """`say`, which words the same things the same way as long as the language stays:
    of a batch's calls most of what is said is the same.
    """

    @lru_cache(maxsize=256)
    def said(_language, *things):
        return say(*things)

    @wraps(say)
    def once(*things):
        return said(get_language(), *things)

    return once


def _verdict(rule: str, is_good: bool, good: str, bad: str, **told: str) -> Finding:
    """`good` and `bad` are marked for translation: only what is said is translated."""
    text = _(good if is_good else bad) % told
    return Finding(rule, Verdict.PASSED if is_good else Verdict.FAILED, text)


# -- The number ------------------------------------------------------------------------


def _of_number(facts: Facts, parsed: PhoneNumber | None) -> Iterator[Finding]:
    if parsed is None or numbers.is_short(parsed) or not numbers.is_valid(parsed):
        bad = _("No telephone can have this number. Write it with its country code.")
        if parsed is not None and numbers.is_short(parsed):
            bad = _("This is an emergency or service number.")
        yield Finding("number", Verdict.FAILED, bad)
    else:
        yield Finding("number", Verdict.PASSED, _("It is a valid telephone number."))
        yield from _of_valid_number(facts, parsed)
    yield _suppression(facts)
    yield _refusal(facts)
    own = facts.caller.number if facts.caller else ""
    yield _verdict(
        "loop",
        facts.number != own or not own,
        gettext_noop("It is not the agent's own number."),
        gettext_noop("It is the agent's own number: the call would reach itself."),
    )


def _of_valid_number(facts: Facts, parsed: PhoneNumber) -> Iterator[Finding]:
    yield _verdict(
        "tariff",
        not numbers.is_costly(parsed),
        gettext_noop("It is not a premium-rate or shared-cost number."),
        gettext_noop("It is a premium-rate or shared-cost number."),
    )
    country = numbers.country_of(parsed)
    yield _verdict(
        "country",
        country in facts.countries,
        gettext_noop("Its country, %(country)s, may be called."),
        gettext_noop(
            "Its country, %(country)s, is not among those that may be called."
        ),
        country=country,
    )


def _suppression(facts: Facts) -> Finding:
    found = facts.suppression
    if found is None:
        good = _("It is not on the do-not-contact list.")
        return Finding("do_not_contact", Verdict.PASSED, good)
    told = {"since": _day(found, facts), "reason": found.reason}
    if found.reason:
        bad = _("It is on the do-not-contact list since %(since)s: %(reason)s") % told
    else:
        bad = _("It is on the do-not-contact list since %(since)s.") % told
    return Finding("do_not_contact", Verdict.FAILED, bad)


def _refusal(facts: Facts) -> Finding:
    found = facts.refusal
    if found is None:
        good = _("The contact has not refused calls.")
        return Finding("consent", Verdict.PASSED, good)
    told = {"since": _day(found, facts), "reason": found.reason}
    if found.reason:
        bad = _("The contact refuses calls since %(since)s: %(reason)s") % told
    else:
        bad = _("The contact refuses calls since %(since)s.") % told
    return Finding("consent", Verdict.FAILED, bad)


def _day(found: Suppression, facts: Facts) -> str:
    return date_format(found.since.astimezone(facts.own_zone), "DATE_FORMAT")


# -- The agent -------------------------------------------------------------------------

# Each with what is said where it holds, and where it does not.
AGENT_RULES: tuple[tuple[str, Callable[[Caller], bool], str, str], ...] = (
    (
        "agent_active",
        lambda caller: caller.is_active,
        gettext_noop("“%(name)s” is active."),
        gettext_noop("“%(name)s” is not active."),
    ),
    (
        "agent_direction",
        lambda caller: caller.places_calls,
        gettext_noop("“%(name)s” places calls."),
        gettext_noop("“%(name)s” only answers calls: change its direction."),
    ),
    (
        "agent_text",
        lambda caller: caller.has_text,
        gettext_noop("“%(name)s” has a prompt or instructions."),
        gettext_noop("“%(name)s” has neither a prompt nor instructions."),
    ),
    (
        "agent_phone",
        lambda caller: bool(caller.number),
        gettext_noop("“%(name)s” has a number to call from."),
        gettext_noop("“%(name)s” has no registered number to call from."),
    ),
    (
        "carrier_account",
        lambda caller: caller.account_is_connected,
        gettext_noop("The number's carrier account is connected."),
        gettext_noop("The number's carrier account was removed."),
    ),
)


@_said_once
def _of_caller(caller: Caller | None) -> tuple[Finding, ...]:
    if caller is None:
        return (Finding("agent", Verdict.FAILED, _("The agent was deleted.")),)
    return tuple(
        _verdict(rule, holds(caller), good, bad, name=caller.name)
        for rule, holds, good, bad in AGENT_RULES
        if rule != "carrier_account" or caller.number
    )


# -- How many --------------------------------------------------------------------------


def _cap(rule: str, facts: Facts, count: Count, period: str) -> Finding:
    told = {"placed": count.placed, "most": count.most, "period": period}
    if count.placed < count.most:
        good = _("%(placed)d of at most %(most)d calls were placed %(period)s.") % told
        return Finding(rule, Verdict.PASSED, good)
    bad = _("All %(most)d calls that may be placed %(period)s were placed.") % told
    return Finding(rule, Verdict.DEFERRED, bad, later=count.until)


def _budget(budget: Budget) -> Finding:
    told = {
        "spent": number_format(budget.spent, 2, force_grouping=True),
        "amount": number_format(budget.amount, 2, force_grouping=True),
        "currency": budget.currency,
    }
    if budget.spent < budget.amount:
        good = _("%(spent)s of %(amount)s %(currency)s are spent this month.") % told
        return Finding(BUDGET, Verdict.PASSED, good)
    bad = _(
        "The budget of this month is used up: %(spent)s of %(amount)s %(currency)s are "
        "spent."
    )
    if not budget.stops:
        good = bad % told + " " + _("It stops no calls.")
        return Finding(BUDGET, Verdict.PASSED, good)
    return Finding(BUDGET, Verdict.DEFERRED, bad % told, later=budget.until)


def _lines(facts: Facts) -> Finding:
    told = {"used": facts.lines_in_use, "lines": facts.lines}
    if facts.lines_in_use < facts.lines:
        good = _("%(used)d of %(lines)d lines for calls are in use.") % told
        return Finding("lines", Verdict.PASSED, good)
    bad = _("All %(lines)d lines for calls are in use at the moment.") % told
    return Finding("lines", Verdict.DEFERRED, bad, later=facts.at)


def _at_once(facts: Facts, most: int) -> Finding:
    told = {"used": facts.calls_at_once, "most": most}
    if facts.calls_at_once < most:
        good = _("The workspace has %(used)d of at most %(most)d calls at once.") % told
        return Finding("calls_at_once", Verdict.PASSED, good)
    bad = _("The workspace has all %(most)d calls that it may have at once.") % told
    return Finding("calls_at_once", Verdict.DEFERRED, bad, later=facts.at)


# -- When ------------------------------------------------------------------------------


def zones_for(facts: Facts, parsed: PhoneNumber) -> tuple[ZoneInfo, ...]:
    return (facts.zone,) if facts.zone else numbers.zones_of(parsed)


def _window(facts: Facts, parsed: PhoneNumber) -> Finding:
    zones = zones_for(facts, parsed)
    if not zones:
        bad = _("Nobody can tell which time it is there: give the call a time zone.")
        return Finding("window", Verdict.FAILED, bad)
    told = {
        "now": _local(facts.at, zones),
        "hours": facts.window.hours,
        "days": days_in_words(facts.window.days),
        "whose": facts.window_of,
    }
    if is_open(facts.window, facts.at, zones):
        good = _("It is %(now)s there; %(whose)s: %(hours)s, %(days)s.") % told
        return Finding("window", Verdict.PASSED, good)
    opens_at = next_opening(facts.window, facts.at, zones)
    if opens_at is None:
        bad = _(
            "It is %(now)s there, and the times for calls never come: "
            "%(whose)s: %(hours)s, %(days)s."
        )
        return Finding("window", Verdict.FAILED, bad % told)
    told["opens"] = _local(opens_at, zones)
    bad = _(
        "It is %(now)s there; %(whose)s: %(hours)s, %(days)s. Next time: %(opens)s."
    )
    return Finding("window", Verdict.DEFERRED, bad % told, later=opens_at)


@_said_once
def _local(at: datetime, zones: tuple[ZoneInfo, ...]) -> str:
    """The time there; of several zones the earliest and the latest."""
    walls = sorted({at.astimezone(zone).replace(tzinfo=None) for zone in zones})
    names = [date_format(wall, "D j N, H:i") for wall in walls]
    if len(zones) == 1:
        return f"{names[0]} ({zones[0].key})"
    if len(names) == 1:
        return names[0]
    return _("between %(first)s and %(last)s") % {"first": names[0], "last": names[-1]}


@_said_once
def days_in_words(days: frozenset[str]) -> str:
    if len(days) == len(DAYS):
        return _("every day")
    return ", ".join(str(DAY_NAMES[day]) for day in DAYS if day in days)
