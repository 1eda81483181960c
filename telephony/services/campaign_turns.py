"""What running campaigns do by themselves, at every ring of the bell.

A campaign lends as many contacts to what is due as can be dialled until the next bell,
those first whose turn came first and where it is time for calls. It pauses itself where
going on would burn the list: the agent cannot call any more, or half of the latest
calls have failed.
"""

import logging
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts import halts
from accounts.switches import Feature
from telephony.dialling.rules import Facts, Verdict, opening
from telephony.models import Call, Campaign, CampaignEvent, ScheduledCall
from telephony.services import (
    budgets,
    campaign_lists,
    campaigns,
    contacts,
    dialling,
)
from telephony.services.due_calls import MOST_AT_ONCE, TICK_S

Status, Contact, Reason = Campaign.Status, ScheduledCall.Status, Call.EndReason

LOOKED_AT = 300  # contacts a bell, for those where it is time for calls
LEFTOVERS_A_TICK = 5_000
LEFTOVERS_AT_ONCE = 1_000

# The circuit breaker: of the calls that ended within, half have failed.
BREAKER_WINDOW = timedelta(seconds=120)
BREAKER_CALLS = 10  # fewer say nothing
# Ends that tell of something broken, here or in the list; not busy, not no answer.
BROKEN = {
    Reason.REJECTED,
    Reason.NOT_REACHED,
    Reason.MODEL_FAILED,
    Reason.CONNECTION_FAILED,
    Reason.CONNECTION_LOST,
    Reason.OUR_ERROR,
    Reason.NEVER_REPORTED,
}

logger = logging.getLogger(__name__)


def tick(at: datetime) -> None:
    """Whatever campaigns have to do at this moment. Safe to run twice at once."""
    campaign_lists.take_over(at)
    running = Campaign.unscoped.filter(status=Status.RUNNING)
    for pk in _shuffled(running):  # of one account, no campaign is always the first
        _guarded(advance, pk, at)
    for pk in _shuffled(Campaign.unscoped.filter(has_leftovers=True)):
        _guarded(cancel_leftovers, pk)


def _shuffled(campaigns_at_work) -> list:
    ids = list(campaigns_at_work.values_list("pk", flat=True))
    random.shuffle(ids)
    return ids


def _guarded(work: Callable, pk, *args) -> None:
    try:
        work(pk, *args)
    except Exception:  # the other campaigns have a right to go on
        logger.exception("campaign %s: not advanced", pk)


def advance(pk, at: datetime) -> int:
    """Let a running campaign go on, stop or end; how many contacts it has lent."""
    with transaction.atomic():
        campaign = Campaign.locked(pk)
        if campaign.status != Status.RUNNING:
            return 0
        if why := _why_stop(campaign, at):
            campaigns.stop(campaign, why)
            return 0
        lent = _lend(campaign, _room(campaign, at), at)
        if not lent and not _goes_on(campaign):
            campaign.turn(Status.COMPLETED, ended_at=at)
            campaign.note(CampaignEvent.Kind.COMPLETED)
    return lent


def _goes_on(campaign: Campaign) -> bool:
    unfinished = (Contact.PENDING, *ScheduledCall.IN_FLIGHT)
    contacts = campaigns.contacts_of(campaign)
    return contacts.filter(status__in=unfinished).exists()


# -- Stopping --------------------------------------------------------------------------


def _why_stop(campaign: Campaign, at: datetime) -> str:
    if why := dialling.why_no_calls(campaign.agent):
        return why
    tally = tally_of(campaign, at)
    if not tally.is_alarming:
        return ""
    return _(
        "%(failed)d of the %(ended)d calls that ended within two minutes have failed. "
        "Look at some of them before you resume."
    ) % {"failed": tally.failed, "ended": tally.ended}


@dataclass(frozen=True)
class Tally:
    """How the latest calls went."""

    ended: int
    failed: int

    @property
    def is_alarming(self) -> bool:
        return self.ended >= BREAKER_CALLS and 2 * self.failed >= self.ended


def tally_of(campaign: Campaign, at: datetime) -> Tally:
    """Of the calls that ended lately, and since it was started or resumed."""
    since = max(at - BREAKER_WINDOW, campaign.running_since or at)
    latest = Call.unscoped.filter(
        scheduled_call__campaign=campaign,
        scheduled_call__updated_at__gte=since,  # found by index; an end changes it
        asked_at__isnull=False,
    )
    ended = latest.filter(ended_at__gte=since).values_list("status", "end_reason")
    ends = list(ended[:MOST_AT_ONCE])
    # Nobody knows whether it rang: that is no call that went well.
    unknown = latest.filter(
        placement=Call.Placement.UNKNOWN, ended_at=None, updated_at__gte=since
    ).count()
    broken = sum(
        status == Call.Status.FAILED or reason in BROKEN for status, reason in ends
    )
    return Tally(len(ends) + unknown, broken + unknown)


# -- Lending ---------------------------------------------------------------------------


def _room(campaign: Campaign, at: datetime) -> int:
    """How many more can be dialled until the next bell but one."""
    if _why_halted(campaign) or budgets.wait_of(campaign.owner, at):
        return 0
    account = campaign.agent.phone.carrier_account
    due = ScheduledCall.unscoped.due(at + timedelta(seconds=TICK_S))
    queued = due.filter(agent__phone__carrier_account=account)[:MOST_AT_ONCE].count()
    free = dialling.free_lines(campaign.owner, account)
    by_rate = min(MOST_AT_ONCE, 2 * TICK_S * account.calls_per_second)
    return min(free, by_rate, _left_by_caps(campaign, at)) - queued


def _why_halted(campaign: Campaign) -> str:
    return halts.why_halted(campaign.owner, Feature.CALLS, Feature.CAMPAIGNS)


def _left_by_caps(campaign: Campaign, at: datetime) -> int:
    owner = campaign.owner
    counts = dialling.counts(owner, dialling.rules_of(owner), at)
    return min(count.most - count.placed for count in counts)


def _lend(campaign: Campaign, room: int, at: datetime) -> int:
    """Lend up to `room` contacts; how many. Where it is night, they wait for day."""
    if room <= 0:
        return 0
    waiting = ScheduledCall.unscoped.filter(campaign=campaign).waiting()
    rows = waiting.filter(due_at__lte=at).order_by("due_at", "pk")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True)
    looked_at = list(rows[:LOOKED_AT])
    facts = _facts_of(campaign, at)
    zones = _zones_of(campaign, looked_at)
    lent: list = []
    later: dict[tuple[datetime, str], list] = defaultdict(list)
    for row in looked_at:
        if len(lent) == room:
            break
        zone = zones.get(row.to_number)
        found = opening(replace(facts, number=row.to_number, zone=zone))
        if found.verdict == Verdict.DEFERRED and found.later is not None:
            later[found.later, found.text[:200]].append(row.pk)
        else:  # where no waiting helps, its attempt says why
            lent.append(row.pk)
    moment = {"due_at": at, "next_attempt_at": at, "scheduled_for": at}
    _change(lent, **moment)
    for (opens_at, why), ids in later.items():
        _change(ids, due_at=opens_at, detail=why)
    return len(lent)


def _zones_of(
    campaign: Campaign, rows: list[ScheduledCall]
) -> dict[str, ZoneInfo | None]:
    """Where those are whose number alone does not say it: by the list, else by what
    is known of them."""
    unnamed = {row.to_number for row in rows if not row.timezone}
    known = contacts.find_all(campaign.owner, unnamed)
    named = {row.to_number: ZoneInfo(row.timezone) for row in rows if row.timezone}
    return {number: dialling.zone_of(row) for number, row in known.items()} | named


def _facts_of(campaign: Campaign, at: datetime) -> Facts:
    hours = dialling.Wishes(
        window_start=campaign.window_start,
        window_end=campaign.window_end,
        window_days=campaign.window_days,
    )
    return dialling.facts_of(campaign.agent, "", at, hours)


def _change(ids: list, **changes) -> None:
    pending = ScheduledCall.unscoped.filter(pk__in=ids, status=Contact.PENDING)
    pending.update(**changes, updated_at=now())


# -- After a cancellation --------------------------------------------------------------


def cancel_leftovers(pk) -> int:
    """Cancel the contacts of a canceled campaign, some at a time; how many."""
    waiting = ScheduledCall.unscoped.filter(campaign=pk).waiting()
    done = 0
    while done < LEFTOVERS_A_TICK:
        some = list(waiting.values_list("pk", flat=True)[:LEFTOVERS_AT_ONCE])
        if not some:
            Campaign.unscoped.filter(pk=pk).update(has_leftovers=False)
            break
        done += waiting.filter(pk__in=some).update(
            status=Contact.CANCELED,
            detail=_("The campaign was canceled."),
            updated_at=now(),
        )
    return done


# -- What it waits for -----------------------------------------------------------------


@dataclass(frozen=True)
class Wait:
    """Why a running campaign lends nothing at the moment, and until when."""

    words: str
    until: datetime | None = None


def wait_of(campaign: Campaign, at: datetime) -> Wait | None:
    """What keeps it from calling now; None if nothing does, or only a line."""
    owner = campaign.owner
    if halt := _why_halted(campaign):
        return Wait(halt)
    if held := budgets.wait_of(owner, at):
        told = {"amount": held.amount, "currency": held.currency}
        words = _(
            "The budget of this month, %(amount)s %(currency)s, is used up. It goes on "
            "at once if the budget is raised."
        )
        return Wait(words % told, held.until)
    counts = dialling.counts(owner, dialling.rules_of(owner), at)
    for count in counts:
        if count.placed >= count.most:
            told = {"most": count.most}
            words = _("All %(most)d calls that may be placed have been placed.") % told
            return Wait(words, count.until)
    waiting = campaigns.contacts_of(campaign).filter(status=Contact.PENDING)
    first = waiting.order_by("due_at").first()
    if first is None or first.due_at <= at:
        return None
    return Wait(_("Nobody is to be called before that."), first.due_at)
