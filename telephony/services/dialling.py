"""The facts by which it is decided whether a number may be called."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit, halts
from accounts.models import Workspace
from accounts.switches import Feature
from agents.limits import DAYS
from agents.models import VoiceAgent
from telephony.dialling import numbers
from telephony.dialling.rules import (
    Budget,
    Caller,
    Count,
    Decision,
    Facts,
    Suppression,
    decide,
    decide_number,
    why_idle,
)
from telephony.dialling.windows import Window
from telephony.models import (
    Call,
    CallingRules,
    CallQuerySet,
    CarrierAccount,
    Contact,
    DialledDay,
    DoNotContact,
    Phone,
    ScheduledCall,
)
from telephony.services import budgets, contacts, do_not_contact

KEPT_FOR_INCOMING = 1  # lines


@dataclass(frozen=True)
class Wishes:
    """What one call asks for besides the agent's and the workspace's rules."""

    timezone: str = ""
    window_start: time | None = None
    window_end: time | None = None
    window_days: list[str] = field(default_factory=list)


NO_WISHES = Wishes()


def rules_of(owner: Workspace) -> CallingRules:
    """The workspace's calling rules; those that nobody has changed are the defaults."""
    rules = CallingRules.objects.for_owner(owner).first()
    return rules or CallingRules(owner=owner)


def make_rules(owner: Workspace) -> None:
    """Write the defaults down, for operators to change, once a workspace calls."""
    CallingRules.unscoped.get_or_create(owner=owner)


def save_rules(rules: CallingRules) -> None:
    """Store the workspace's rules, also when somebody else did at the same moment."""
    changes = {
        name: getattr(rules, name)
        for name in ("window_start", "window_end", "window_days", "countries")
    }
    with transaction.atomic():
        stored, _is_new = CallingRules.unscoped.get_or_create(owner=rules.owner)
        for name, value in changes.items():
            setattr(stored, name, value)
        with audit.changing(stored):
            stored.save(update_fields=list(changes))


def decide_call(
    agent: VoiceAgent,
    number: str,
    at: datetime,
    wishes: Wishes = NO_WISHES,
    besides: Call | None = None,
) -> Decision:
    """Whether `agent` may call `number` at `at`, by what is known now.

    `besides` is this very call, where it holds a line already.
    """
    return decide(facts_of(agent, number, at, wishes, besides))


def decide_number_for(owner: Workspace, number: str, at: datetime) -> Decision:
    """Whether the workspace may call `number` at all, whoever does it and whenever."""
    known = Known(owner, [number]).facts_of(number)
    return decide_number(replace(facts_of_number(owner, at), number=number, **known))


def facts_of_number(owner: Workspace, at: datetime) -> Facts:
    """What `decide_number` asks for, but for the number and what is `Known` of it."""
    rules = rules_of(owner)
    any_count = Count(placed=0, most=1, until=at)
    return Facts(
        number="",
        at=at,
        caller=None,
        countries=countries_of(owner, rules),
        suppression=None,
        today=any_count,
        this_month=any_count,
        lines_in_use=0,
        lines=1,
        window=Window(rules.window_start, rules.window_end, frozenset(DAYS)),
        window_of="",
        own_zone=ZoneInfo(owner.timezone),
    )


def zone_there(number: str, contact: Contact | None) -> ZoneInfo | None:
    """The zone that was noted, else the one that the number tells; None if it does not
    tell, or several."""
    parsed = numbers.parse(number)
    zones = numbers.zones_of(parsed) if parsed else ()
    return zone_of(contact) or (zones[0] if len(zones) == 1 else None)


class Known:
    """What a workspace knows of some numbers, read at once."""

    def __init__(self, owner: Workspace, numbers: Collection[str]):
        self._listed = do_not_contact.find_all(owner, numbers)
        self._contacts = contacts.find_all(owner, numbers)

    def facts_of(self, number: str) -> dict[str, Any]:
        """Those of `Facts` that tell of the number itself."""
        contact = self._contacts.get(number)
        return {
            "suppression": _suppression_by(self._listed.get(number)),
            "refusal": _refusal_by(contact),
            "zone": zone_of(contact),
        }


def _suppression_by(listed: DoNotContact | None) -> Suppression | None:
    return Suppression(listed.created_at, listed.reason) if listed else None


def _refusal_by(contact: Contact | None) -> Suppression | None:
    if contact is None or not contact.refuses_calls:
        return None
    since = contact.call_consent_at or contact.updated_at
    return Suppression(since, contact.call_consent_note)


def zone_of(contact: Contact | None) -> ZoneInfo | None:
    """Where the contact is; None: wherever the number tells."""
    return ZoneInfo(contact.timezone) if contact and contact.timezone else None


def facts_of(
    agent: VoiceAgent,
    number: str,
    at: datetime,
    wishes: Wishes = NO_WISHES,
    besides: Call | None = None,
) -> Facts:
    return Ground(agent.owner, [number], at).facts_of(agent, number, wishes, besides)


class Ground:
    """What the facts of a workspace's calls have in common: read once for all of them,
    and brought up to date by `count` with every call that is opened meanwhile.
    """

    def __init__(self, owner: Workspace, numbers: Collection[str], at: datetime):
        self.at = at
        self._rules = rules_of(owner)
        self._countries = countries_of(owner, self._rules)
        self._known = Known(owner, numbers)
        self._today, self._this_month = counts(owner, self._rules, at)
        self._budget = budget_of(owner, at)
        self._halt = halts.why_halted(owner, Feature.CALLS)
        self._most_at_once = owner.most_calls_at_once
        is_bounded = self._most_at_once is not None
        self._at_once = calls_at_once(owner) if is_bounded else 0
        self._own_zone = ZoneInfo(owner.timezone)
        self._lines_in_use: dict = {}

    def facts_of(
        self,
        agent: VoiceAgent,
        number: str,
        wishes: Wishes = NO_WISHES,
        besides: Call | None = None,
    ) -> Facts:
        phone = agent.phone if agent.phone_id else None
        account = phone.carrier_account if phone else None
        known = self._known.facts_of(number)
        if wishes.timezone:
            known["zone"] = ZoneInfo(wishes.timezone)
        window, window_of = _window(self._rules, agent, wishes)
        return Facts(
            number=number,
            at=self.at,
            caller=caller_of(agent),
            countries=self._countries,
            today=self._today,
            this_month=self._this_month,
            # It holds one of them already.
            lines_in_use=self._lines_of(account) - (besides is not None),
            lines=lines_of(account) if account else 1,
            window=window,
            window_of=window_of,
            own_zone=self._own_zone,
            budget=self._budget,
            halt=self._halt,
            calls_at_once=self._at_once - (besides is not None),
            most_calls_at_once=self._most_at_once,
            **known,
        )

    def count(self, call: Call) -> None:
        """One more call was opened."""
        self._today = replace(self._today, placed=self._today.placed + 1)
        placed = self._this_month.placed + 1
        self._this_month = replace(self._this_month, placed=placed)
        self._lines_in_use[call.carrier_account_id] += 1
        self._at_once += 1

    def _lines_of(self, account: CarrierAccount | None) -> int:
        if account is None:
            return 0
        if account.pk not in self._lines_in_use:
            self._lines_in_use[account.pk] = lines_in_use(account)
        return self._lines_in_use[account.pk]


def caller_of(agent: VoiceAgent) -> Caller | None:
    """The agent as the rules see it; None if it was deleted."""
    if agent.is_deleted:
        return None
    phone = agent.phone if agent.phone_id else None
    holds_phone = phone is not None and not phone.is_deleted
    return Caller(
        name=agent.name,
        is_active=agent.is_active,
        places_calls=agent.direction in VoiceAgent.PLACING,
        has_text=bool(agent.prompt_text.strip()),
        number=phone.number if holds_phone else "",
        account_is_connected=holds_phone and not phone.carrier_account.is_deleted,
    )


def why_no_calls(agent: VoiceAgent) -> str:
    """Why the agent can call nobody at all, "" if it can."""
    return why_idle(caller_of(agent))


def _window(
    rules: CallingRules, agent: VoiceAgent, wishes: Wishes
) -> tuple[Window, str]:
    """The call's window, else the agent's, else the workspace's; and whose it is."""
    window_of = _("the workspace calls")
    start, end, days = rules.window_start, rules.window_end, rules.window_days
    for given, words in ((agent, _("this agent calls")), (wishes, _("for this call"))):
        if given.window_start is not None:
            start, end, window_of = given.window_start, given.window_end, words
        if given.window_days:
            days, window_of = given.window_days, words
    return Window(start, end, frozenset(days) & set(DAYS)), window_of


def countries_of(owner: Workspace, rules: CallingRules) -> frozenset[str]:
    """Where the workspace may call: what it chose, else where its own numbers are."""
    if rules.countries:
        return frozenset(rules.countries)
    held = Phone.objects.for_owner(owner).values_list("number", flat=True)
    parsed = (numbers.parse(number) for number in held)
    return frozenset(numbers.country_of(number) for number in parsed if number)


def counts(owner: Workspace, rules: CallingRules, at: datetime) -> tuple[Count, Count]:
    """How many calls were placed today and this month, by the workspace's calendar."""
    zone, today = ZoneInfo(owner.timezone), day_of(owner, at)
    first = today.replace(day=1)
    next_first = (first + timedelta(days=32)).replace(day=1)
    days = DialledDay.objects.for_owner(owner)
    of_month = days.filter(day__gte=first, day__lt=next_first)
    placed = dict(of_month.values_list("day", "calls"))

    def midnight(day):
        return datetime.combine(day, time(), tzinfo=zone)

    tomorrow = midnight(today + timedelta(days=1))
    return (
        Count(placed.get(today, 0), rules.calls_a_day, tomorrow),
        Count(sum(placed.values()), rules.calls_a_month, midnight(next_first)),
    )


def budget_of(owner: Workspace, at: datetime) -> Budget | None:
    standing = budgets.standing_of(owner, at)
    if standing is None:
        return None
    return Budget(
        amount=standing.amount,
        spent=standing.spent,
        currency=standing.currency,
        stops=standing.stops_outgoing,
        until=standing.until,
    )


def day_of(owner: Workspace, at: datetime) -> date:
    return at.astimezone(ZoneInfo(owner.timezone)).date()


def lines_in_use(account: CarrierAccount) -> int:
    """How many calls the account has open, in and out."""
    return _in_use(Call.unscoped.filter(carrier_account=account))


def calls_at_once(owner: Workspace) -> int:
    """Likewise the whole workspace."""
    return _in_use(Call.objects.for_owner(owner))


def _in_use(calls: CallQuerySet) -> int:
    """An attempt that the carrier could not take yet waits behind all that is due: it
    has no line until it is its turn again, or it would keep one from thousands.
    """
    waiting = {
        "placement": Call.Placement.OPENED,
        "scheduled_call__status": ScheduledCall.Status.PENDING,
    }
    return calls.in_progress().exclude(**waiting).count()


def free_lines(owner: Workspace, account: CarrierAccount) -> int:
    """How many more calls out there may be now."""
    free = lines_of(account) - lines_in_use(account)
    if owner.most_calls_at_once is None:
        return free
    return min(free, owner.most_calls_at_once - calls_at_once(owner))


def lines_of(account: CarrierAccount) -> int:
    """How many of the account's lines calls out may use."""
    return max(1, account.max_concurrent_calls - KEPT_FOR_INCOMING)
