"""Deleting at the carrier what it keeps for us: asked for until it has confirmed it."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from telephony import tasks, twilio
from telephony.models import CarrierRemoval, Message, Recording
from voiceops import claims
from voiceops.pump import Pump
from voiceops.threads import in_thread

Kind, Status = CarrierRemoval.Kind, CarrierRemoval.Status

# A day and a half of tries; then once a day, until an operator or the owner looks.
RETRY_AFTER_S = (10, 60, 300, 1_800, 7_200, 21_600, 43_200, 86_400)
# What the carrier says no to stays; it may still be busy with it, so not at once.
MOST_REFUSALS = len(RETRY_AFTER_S)
# A text's price is told within a day, and asked for at the text.
PRICED_WITHIN = timedelta(hours=25)
LEASE_S = 60
AT_ONCE = 16
AT_ONCE_OF_AN_ACCOUNT = 4

logger = logging.getLogger(__name__)


def recordings_of(calls: Iterable[UUID], *, batch: UUID | None = None) -> int:
    """Have the recordings of these calls deleted; from now on nobody hears them.

    How many. Safe to repeat; call it in a transaction.
    """
    found = Recording.unscoped.filter(call__in=list(calls)).exclude(
        status__in=[Recording.Status.REMOVED, Recording.Status.ABSENT]
    )
    kept = list(found.select_related("call").order_by("pk"))
    wanted = [
        CarrierRemoval(
            owner_id=row.owner_id,
            carrier_account_id=row.call.carrier_account_id,
            kind=Kind.RECORDING,
            sid=row.sid,
            batch=batch,
            next_try_at=now(),
        )
        for row in kept
        if row.call.carrier_account_id
    ]
    rows = Recording.unscoped.filter(pk__in=[row.pk for row in kept])
    rows.update(status=Recording.Status.REMOVED, updated_at=now())
    _write(wanted)
    return len(kept)


def texts(messages: Iterable[Message], *, batch: UUID | None = None) -> int:
    """Have these texts, and their pictures and files, deleted at the carrier.

    How many things. Safe to repeat; call it in a transaction.
    """
    wanted = [
        CarrierRemoval(
            owner_id=message.owner_id,
            carrier_account_id=message.carrier_account_id,
            kind=kind,
            sid=sid,
            of_sid=of_sid,
            batch=batch,
            next_try_at=max(now(), message.created_at + PRICED_WITHIN),
        )
        for message in messages
        if message.sid
        for kind, sid, of_sid in _of(message)
    ]
    _write(wanted)
    return len(wanted)


def _of(message: Message) -> Iterable[tuple[str, str, str]]:
    for medium in message.media:
        if "sid" in medium:
            yield Kind.MEDIUM, medium["sid"], message.sid
    yield Kind.MESSAGE, message.sid, ""


def _write(wanted: list[CarrierRemoval]) -> None:
    CarrierRemoval.unscoped.bulk_create(wanted, ignore_conflicts=True)
    if wanted:
        tasks.ring(tasks.remove_at_carrier)


def again(removal: CarrierRemoval) -> bool:
    """Ask once more for what the carrier has refused; False if it has not."""
    refused = CarrierRemoval.unscoped.filter(pk=removal.pk, status=Status.REFUSED)
    with transaction.atomic():
        is_asked = bool(
            refused.update(
                status=Status.WAITING,
                attempts=0,
                next_try_at=now(),
                error="",
                updated_at=now(),
            )
        )
        if is_asked:
            tasks.ring(tasks.remove_at_carrier)
    return is_asked


# -- The work --------------------------------------------------------------------------


def _claim(room: int) -> list[CarrierRemoval]:
    return claims.claim(
        CarrierRemoval.unscoped.all(),
        at=now(),
        room=room,
        lease_s=LEASE_S,
        group="carrier_account_id",
        most_of_a_group=AT_ONCE_OF_AN_ACCOUNT,
    )


async def _remove(row: CarrierRemoval) -> None:
    await in_thread(_ask, row)


pump = Pump(claim=_claim, work=_remove, at_once=AT_ONCE)


def _ask(row: CarrierRemoval) -> None:
    """Ask once, and write down what came of it."""
    try:
        _delete(row)
    except twilio.NotFound:
        pass  # it is gone, which is what was wanted
    except twilio.CarrierError as error:
        _note_failure(row, error)
        return
    claims.finish(
        row,
        status=Status.DONE,
        next_try_at=None,
        attempts=row.attempts + 1,
        error="",
        updated_at=now(),
    )


def _delete(row: CarrierRemoval) -> None:
    account = row.carrier_account
    if row.kind == Kind.RECORDING:
        twilio.delete_recording(account, row.sid)
    elif row.kind == Kind.MEDIUM:
        twilio.delete_medium(account, row.of_sid, row.sid)
    else:
        twilio.delete_message(account, row.sid)


def _note_failure(row: CarrierRemoval, error: twilio.CarrierError) -> None:
    attempts = row.attempts + 1
    is_no = isinstance(error, twilio.Rejected) and not isinstance(
        error, twilio.Throttled
    )
    is_refused = is_no and attempts >= MOST_REFUSALS
    wait = RETRY_AFTER_S[min(attempts, len(RETRY_AFTER_S)) - 1]
    claims.finish(
        row,
        status=Status.REFUSED if is_refused else Status.WAITING,
        next_try_at=None if is_refused else now() + timedelta(seconds=wait),
        attempts=attempts,
        error=str(error)[:300],
        updated_at=now(),
    )
    logger.warning("removal %s: not done yet (%s)", row.pk, type(error).__name__)
