"""Forgetting a number: asked for by people, done by the clock, told by a receipt."""

import time
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import Workspace
from agents.models import VoiceAgent
from privacy import erasing, tasks
from privacy.models import Erasure
from telephony.models import (
    Call,
    CarrierRemoval,
    Contact,
    Conversation,
    Phone,
    RecurringCall,
    ScheduledCall,
)
from telephony.models.texts import WHATSAPP
from telephony.services import carrier, hashes
from telephony.tasks import ring
from voiceops import claims
from voiceops.paging import counted

Status = Erasure.Status

LEASE_S = 120  # more than a run and its last piece take
LONGEST_RUN_S = 40
LOOK_AGAIN = timedelta(seconds=30)
ASK_AGAIN = timedelta(minutes=5)  # how far the carrier is
AT_ONCE = 2


class Refused(Exception):
    """This number cannot be forgotten: `str()` says why."""


def refusal(owner: Workspace, number: str) -> str:
    """Why this E.164 number cannot be forgotten; "" if it can."""
    if Phone.objects.for_owner(owner).filter(number=number).exists():
        return _("This is a number of yours: remove it under Numbers first.")
    agents = VoiceAgent.objects.for_owner(owner).exclude(transfer_number="")
    if names := [one.name for one in agents if _is(number, one.transfer_number)]:
        words = _("Agents hand calls over to it: %(names)s. Change that first.")
        return words % {"names": ", ".join(names)}
    return ""


def _is(number: str, written: str) -> bool:
    try:
        return carrier.e164(written) == number
    except carrier.InvalidNumber:
        return False


def preview(owner: Workspace, number: str) -> list[tuple[str, int]]:
    """What there is of it by kind, as far as it is found by the number itself."""
    calls = Call.objects.for_owner(owner).of_other_party(number)
    addresses = [number, WHATSAPP + number]
    conversations = Conversation.objects.for_owner(owner).filter(address__in=addresses)
    scheduled = ScheduledCall.objects.for_owner(owner).filter(to_number=number)
    recurring = RecurringCall.objects.for_owner(owner).filter(to_number=number)
    contacts = Contact.objects.for_owner(owner, with_deleted=True)
    return [
        (_("Calls, with transcripts and recordings"), counted(calls)),
        (_("Conversations by text"), counted(conversations)),
        (_("Scheduled calls and rows of campaigns"), counted(scheduled)),
        (_("Recurring calls"), counted(recurring)),
        (_("Contacts"), counted(contacts.filter(number=number))),
    ]


def ask(owner: Workspace, number: str) -> Erasure:
    """Forget this number from now on; the one under way, if there is one.

    Raises Refused and carrier.InvalidNumber.
    """
    number = carrier.e164(number)
    if why := refusal(owner, number):
        raise Refused(why)
    erasure = Erasure(
        owner=owner,
        digest=hashes.of_number(owner, number),
        sealed_number=number,
        next_try_at=now(),
    )
    try:
        with transaction.atomic():
            erasure.save(force_insert=True)
            audit.record(audit.Action.CREATED, erasure)
            ring(tasks.erase)
    except IntegrityError:
        same = Erasure.objects.for_owner(owner).filter(digest=erasure.digest)
        if (found := same.first()) is None:  # it was no doublet
            raise
        return found
    return erasure


def percent(erasure: Erasure) -> int:
    """How much of the work here is done."""
    if erasure.done_here_at is not None:
        return 100
    return 100 * erasure.step // len(erasing.steps())


def at_carrier(erasure: Erasure) -> dict[str, int]:
    """How many things the carrier was to delete, by what became of them."""
    rows = CarrierRemoval.objects.for_owner(erasure.owner_id).filter(batch=erasure.pk)
    states = list(rows.values_list("status", flat=True))
    return {state.value: states.count(state) for state in CarrierRemoval.Status}


def receipt(erasure: Erasure) -> dict:
    """All that is told of it, to people and programs: nothing of anybody."""
    return {
        "id": str(erasure.pk),
        "status": erasure.status,
        "percent": percent(erasure),
        "asked_at": erasure.created_at,
        "done_here_at": erasure.done_here_at,
        "done_at": erasure.done_at,
        "erased": erasure.counts,
        "at_carrier": at_carrier(erasure),
        "keeps_refusal": erasure.keeps_refusal,
    }


# -- Done by the clock -----------------------------------------------------------------


def run(*, longest_s: float = LONGEST_RUN_S) -> None:
    """Go on with what is due. Safe to run twice at once, and to kill."""
    until = time.monotonic() + longest_s
    for erasure in claims.claim(
        Erasure.unscoped.all(),
        at=now(),
        room=AT_ONCE,
        lease_s=LEASE_S,
        group="owner_id",
        most_of_a_group=1,
    ):
        _go_on(erasure, until)


def _go_on(erasure: Erasure, until: float) -> None:
    if erasure.done_here_at is None:
        if erasing.is_under_way(erasure):
            _rest(erasure, LOOK_AGAIN, status=Status.WAITING)
            return
        while erasing.do_piece(erasure, now()):
            if time.monotonic() >= until:
                _rest(erasure, timedelta(), status=Status.RUNNING)
                return
        if erasing.is_left(erasure):
            _rest(erasure, LOOK_AGAIN, status=Status.RUNNING, step=0, after=None)
            return
    _ask_whether_done(erasure)


def _ask_whether_done(erasure: Erasure) -> None:
    """Nothing is left here: the number itself goes now, and the carrier may finish."""
    at = now()
    is_waiting = at_carrier(erasure)[CarrierRemoval.Status.WAITING]
    changes: dict = {
        **{"sealed_number": "", "digest": ""},
        "done_here_at": erasure.done_here_at or at,
    }
    if is_waiting:
        _rest(erasure, ASK_AGAIN, status=Status.AT_CARRIER, **changes)
        return
    claims.finish(
        erasure,
        **changes,
        status=Status.DONE,
        done_at=at,
        next_try_at=None,
        updated_at=at,
    )


def _rest(erasure: Erasure, wait: timedelta, **changes) -> None:
    claims.finish(erasure, next_try_at=now() + wait, updated_at=now(), **changes)


def latest(owner: Workspace, most: int) -> list[Erasure]:
    return list(Erasure.objects.for_owner(owner).order_by("-pk")[:most])
