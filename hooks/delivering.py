"""Sending what is due: signed, at least once, bounded in every direction.

A delivery is claimed and its attempt written before anything is sent, so a worker that
is killed leaves a claim that runs out and an attempt without an end, and the message
is sent again with the id that it had.
"""

import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils.timezone import now
from django.utils.translation import gettext as _
from standardwebhooks import Webhook

from agents.tools import guard
from hooks import services
from hooks.models import TEST_EVENT, Attempt, Delivery, Endpoint
from voiceops import claims, metrics
from voiceops.pump import Pump
from voiceops.threads import in_thread

Status = Delivery.Status

TIMEOUT_S = 10
LEASE_S = 45  # more than a try takes
AT_ONCE = 50
AT_ONCE_OF_AN_ENDPOINT = 4
# After each try that failed; the eighth, about a day after the first, is the last.
RETRY_AFTER_S = (10, 60, 300, 1_800, 7_200, 21_600, 54_000)
JITTER = 0.2  # of the wait, either way: what failed together is not tried together
LONGEST_RETRY_AFTER_S = 6 * 3600  # of what a receiver asks for
EXCERPT_CHARACTERS = 500

GONE = 410
# Of the refusals (4xx) these may pass: timeout, conflict, too early, too many.
PASSING = {408, 409, 425, 429}
MOST_DEAD_IN_A_ROW = 10
LONGEST_FAILURE = timedelta(days=5)


@dataclass(frozen=True)
class Result:
    """What came of one try; `error` is empty if it was taken."""

    error: str = ""
    status_code: int | None = None
    answer: str = ""
    is_final: bool = False  # another try would end the same way
    wait_s: int = 0  # what the receiver asks for

    @property
    def is_gone(self) -> bool:
        return self.status_code == GONE

    @property
    def outcome(self) -> str:
        """In a word that tells nothing of the receiver."""
        if not self.error:
            return "delivered"
        if self.status_code is None:
            return "refused_here" if self.is_final else "no_answer"
        return "refused" if self.is_final else "failed"


def _claim(room: int) -> list[Delivery]:
    return claims.claim(
        Delivery.unscoped.filter(status=Status.PENDING),
        at=now(),
        room=room,
        lease_s=LEASE_S,
        group="endpoint_id",
        most_of_a_group=AT_ONCE_OF_AN_ENDPOINT,
    )


async def _deliver(delivery: Delivery) -> None:
    attempt = await in_thread(_begin, delivery)
    if attempt is None:
        return
    started = time.monotonic()
    result = await _send(_request(delivery, attempt.at))
    attempt.elapsed_ms = int((time.monotonic() - started) * 1000)
    metrics.note_webhook_attempt(result.outcome)
    await in_thread(_finish, delivery, attempt, result)


pump = Pump(claim=_claim, work=_deliver, at_once=AT_ONCE)


def _begin(delivery: Delivery) -> Attempt | None:
    """Write the attempt down before it is made; None if there is none left to make."""
    delivery.endpoint = Endpoint.unscoped.get(pk=delivery.endpoint_id)
    with transaction.atomic():
        mine = Delivery.unscoped.filter(
            pk=delivery.pk, claimed_until=delivery.claimed_until, tries_left__gt=0
        )
        if not mine.update(
            attempts_made=F("attempts_made") + 1, tries_left=F("tries_left") - 1
        ):
            _give_up(delivery, _("Every try of it was cut off here."))
            return None
        delivery.refresh_from_db(fields=["attempts_made", "tries_left"])
        return Attempt.unscoped.create(
            owner_id=delivery.owner_id,
            delivery=delivery,
            number=delivery.attempts_made,
            at=now(),
        )


def _request(delivery: Delivery, at: datetime) -> guard.Request:
    signatures = [
        Webhook(secret).sign(delivery.message_id, at, delivery.payload)
        for secret in delivery.endpoint.secrets_at(at)
    ]
    return guard.Request(
        method="POST",
        url=delivery.endpoint.url,
        headers={
            "Content-Type": "application/json",
            "webhook-id": delivery.message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        },
        body=delivery.payload.encode(),
    )


async def _send(request: guard.Request) -> Result:
    try:
        answer = await guard.send(request, timeout_s=TIMEOUT_S, redirects=0)
    except guard.Blocked as blocked:
        return Result(str(blocked), is_final=True)
    except guard.NotText as told:  # its status is all that counts
        return _result_of(guard.Answer(told.status, text=""))
    except guard.Failed as failed:
        return Result(str(failed))
    return _result_of(answer)


def _result_of(answer: guard.Answer) -> Result:
    told = {
        "status_code": answer.status,
        "answer": answer.text[:EXCERPT_CHARACTERS],
    }
    if 200 <= answer.status < 300:
        return Result(**told)
    if 300 <= answer.status < 400:
        error = _("It answered %(status)d: redirects are not followed.")
    else:
        error = _("It answered %(status)d.")
    return Result(
        error % {"status": answer.status},
        **told,
        is_final=answer.status < 500 and answer.status not in PASSING,
        wait_s=_seconds(answer.retry_after),
    )


def _seconds(retry_after: str) -> int:
    """What it asks for, within bounds; a date is as good as nothing."""
    is_number = retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 9
    return min(int(retry_after), LONGEST_RETRY_AFTER_S) if is_number else 0


def _finish(delivery: Delivery, attempt: Attempt, result: Result) -> None:
    """Write what came of it, for the delivery and for its endpoint."""
    attempt.status_code, attempt.answer = result.status_code, result.answer
    attempt.error = result.error[:300]
    with transaction.atomic():
        attempt.save()
        if not result.error:
            _note_success(delivery)
        else:
            _note_failure(delivery, result)


def _note_success(delivery: Delivery) -> None:
    # Whoever else tries it meanwhile: it has arrived.
    Delivery.unscoped.filter(pk=delivery.pk).update(
        status=Status.DELIVERED,
        delivered_at=now(),
        next_try_at=None,
        claimed_until=None,
        error="",
        updated_at=now(),
    )
    endpoint = delivery.endpoint
    if endpoint.failing_since or endpoint.dead_in_a_row:
        Endpoint.unscoped.filter(pk=endpoint.pk).update(
            failing_since=None, dead_in_a_row=0
        )


def _note_failure(delivery: Delivery, result: Result) -> None:
    rows = Endpoint.unscoped.filter(pk=delivery.endpoint_id)
    is_test = delivery.event == TEST_EVENT  # somebody tries out an address
    if not is_test:
        rows.filter(failing_since=None).update(failing_since=now())
    if not result.is_final and delivery.tries_left:
        _try_later(delivery, result)
    elif _give_up(delivery, result.error) and not is_test:
        rows.update(dead_in_a_row=F("dead_in_a_row") + 1)
        _switch_off_if_hopeless(delivery.endpoint, is_gone=result.is_gone)


def _give_up(delivery: Delivery, error: str) -> bool:
    return claims.finish(
        delivery,
        status=Status.DEAD,
        next_try_at=None,
        error=error[:300],
        updated_at=now(),
    )


def _try_later(delivery: Delivery, result: Result) -> None:
    number = len(RETRY_AFTER_S) - delivery.tries_left
    wait_s = RETRY_AFTER_S[max(0, number)]
    wait_s *= 1 + random.uniform(-JITTER, JITTER)
    claims.finish(
        delivery,
        next_try_at=now() + timedelta(seconds=max(wait_s, result.wait_s)),
        error=result.error[:300],
        updated_at=now(),
    )


def _switch_off_if_hopeless(endpoint: Endpoint, *, is_gone: bool) -> None:
    endpoint.refresh_from_db(fields=["failing_since", "dead_in_a_row"])
    at = now()
    if is_gone:
        reason = _("It answered 410: it does not want to be told any more.")
    elif endpoint.dead_in_a_row >= MOST_DEAD_IN_A_ROW:
        reason = _("%(count)d events in a row could not be delivered.") % {
            "count": endpoint.dead_in_a_row
        }
    elif endpoint.failing_since and at - endpoint.failing_since >= LONGEST_FAILURE:
        reason = _("Nothing could be delivered for %(days)d days.") % {
            "days": LONGEST_FAILURE.days
        }
    else:
        return
    services.switch_off(endpoint, reason, at=at)
