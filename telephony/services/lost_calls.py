"""Calls whose answer from the carrier got lost: perhaps it rang, perhaps not.

The first callback with the call's id in its address settles it. Meanwhile the account's
calls are listed, several times over two minutes. What is not found then is `unknown`,
and never dialled again without a person. Safe to run twice at once.

Accounts are asked side by side and for so long only, one that does not answer once a
round: a carrier that is away keeps neither other accounts' calls waiting nor the
workers, which have calls to place.
"""

import logging
import random
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime, timedelta
from threading import Lock
from time import monotonic

from telephony import twilio
from telephony.models import Call, CallQuerySet, CarrierAccount
from telephony.patience import patient
from telephony.services.calls import follow_status

Placement = Call.Placement

# Longer than any request to the carrier can take: whoever asked is dead.
ASKING_TAKES = patient(30)
LOOKS_AFTER = [patient(seconds) for seconds in (5, 15, 30, 60, 120)]
LOOK_FOR = LOOKS_AFTER[-1]
# A carrier that cannot be asked is asked again, for so long.
ASK_FOR = patient(3600)
# Their clock is not ours, and they tell whole seconds.
CLOCKS_DIFFER = timedelta(seconds=5)
BATCH = 1000
ACCOUNTS_AT_ONCE = 8
ROUND_S = 20

# What the carrier lists between a call's two numbers; None: it gave no answer.
Listed = list[twilio.CarrierCall] | None

_round = Lock()
logger = logging.getLogger(__name__)


def look(at: datetime) -> int:
    """Look for the calls whose time it is; how many the carrier was asked about."""
    if not _round.acquire(blocking=False):
        return 0  # the last round of this process goes on
    try:
        return _look(at)
    finally:
        _round.release()


def _look(at: datetime) -> int:
    stuck = Call.unscoped.filter(
        placement=Placement.ASKED, asked_at__lt=at - ASKING_TAKES
    )
    stuck.update(placement=Placement.LOST, look_at=at)
    due = Call.unscoped.filter(placement=Placement.LOST, look_at__lte=at)
    accounts: dict = {}
    for call in due.select_related("carrier_account").order_by("look_at")[:BATCH]:
        accounts.setdefault(call.carrier_account, []).append(call)
    looked, until = 0, monotonic() + ROUND_S
    with ThreadPoolExecutor(ACCOUNTS_AT_ONCE) as threads:
        drawn = random.sample(list(accounts.items()), len(accounts))
        asked = [threads.submit(_ask, *each, until) for each in drawn]
        for answers in as_completed(asked):
            told, left = answers.result()
            # Behind those of other accounts, who are to come into a round too.
            Call.unscoped.filter(
                pk__in=[call.pk for call in left], placement=Placement.LOST
            ).update(look_at=at + LOOKS_AFTER[0])
            for call, listed in told:
                if call.look_again_at(_next_look(call, at)):  # else another looked
                    looked += 1
                    _settle(call, listed, at)
    return looked


def _ask(
    account: CarrierAccount, lost: list[Call], until: float
) -> tuple[list[tuple[Call, Listed]], list[Call]]:
    """What the carrier lists for an account's calls, and those that are left: the first
    that gets no answer ends the account's round.
    """
    answers: list[tuple[Call, Listed]] = []
    for call in lost:
        if monotonic() > until:
            break
        try:
            numbers = {"to_number": call.to_number, "from_number": call.from_number}
            answers.append((call, twilio.find_calls(account, **numbers)))
        except twilio.CarrierError as error:
            logger.warning("call %s: the carrier cannot be asked: %s", call.pk, error)
            answers.append((call, None))
            break
    return answers, lost[len(answers) :]


def unknown() -> CallQuerySet:
    """The calls that wait for a person, of every workspace, the oldest first."""
    return unsettled(Placement.UNKNOWN)


def unsettled(placement: str, asked_before: datetime | None = None) -> CallQuerySet:
    """Likewise those that stand at another step of being placed, and that the carrier
    was asked for before then.
    """
    waiting = Call.unscoped.filter(placement=placement, ended_at=None)
    if asked_before is not None:
        waiting = waiting.filter(asked_at__lt=asked_before)
    related = waiting.select_related(
        "owner",
        "scheduled_call",
        "agent__owner",
        "agent__phone__carrier_account",
        "agent__prompt",
        "agent__prompt_version",
    )
    return related.order_by("pk")


def _next_look(call: Call, at: datetime) -> datetime:
    moments = (call.asked_at + after for after in LOOKS_AFTER)
    return next((moment for moment in moments if moment > at), at + LOOK_FOR / 2)


def _settle(call: Call, listed: Listed, at: datetime) -> None:
    waited = at - call.asked_at
    if listed is None:
        if waited >= ASK_FOR:
            call.give_up_looking()
        return
    found = _ours(call, listed)
    if found is not None and call.adopt(found.sid):
        follow_status(call, status=found.status, at=at, duration_s=found.duration_s)
    elif found is None and waited >= LOOK_FOR:
        logger.warning("call %s: nobody knows whether it rang", call.pk)
        call.give_up_looking()


def _ours(call: Call, listed: list[twilio.CarrierCall]) -> twilio.CarrierCall | None:
    """The call that the carrier made of ours, if there can be no doubt.

    It was made after we asked, and it is no other call's. While the answer for another
    call between the same two numbers is open too, only a callback can tell them apart.
    """
    since = call.asked_at - CLOCKS_DIFFER
    made_since = [found for found in listed if found.created_at >= since]
    sids = [found.sid for found in made_since]
    ours = Call.unscoped.filter(owner=call.owner_id)
    known = set(ours.filter(sid__in=sids).values_list("sid", flat=True))
    candidates = [found for found in made_since if found.sid not in known]
    if len(candidates) != 1 or _has_double(call):
        return None
    return candidates[0]


def _has_double(call: Call) -> bool:
    doubles = Call.unscoped.filter(
        carrier_account=call.carrier_account,
        to_number=call.to_number,
        from_number=call.from_number,
        placement__in=(Placement.ASKED, Placement.LOST, Placement.UNKNOWN),
        asked_at__gt=call.asked_at - ASK_FOR,
    )
    return doubles.exclude(pk=call.pk).exists()
