"""Answers that are given again: `Idempotency-Key` on requests that make something.

The rules are Stripe's and those of draft-ietf-httpapi-idempotency-key-header, but for
one status: a key that comes back with another request is a 409 here. A claim is a row,
written before the work begins. Where the work is rows alone, the answer is written in
its transaction: a process that is killed leaves both or neither. Where a carrier is
asked in between, a killed process leaves a claim that nobody fills in; it is taken over
after TAKE_OVER_S, and what the work itself forbids twice (a number, a name, a call with
its own row) is then refused or found, not done again.
"""

import json
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac

from accounts.models import KeptAnswer, Workspace

KEPT_FOR = timedelta(hours=24)
# Longer than any request can take: the carrier is given seconds.
TAKE_OVER_S = 120


class KeyReused(Exception):
    """The key came before, with another request."""


class InProgress(Exception):
    """The same request is being worked on at this moment."""


def fingerprint(*parts: object) -> str:
    """What tells one request from another; keyed, as the body may hold secrets."""
    told = json.dumps(parts, sort_keys=True, default=str)
    return salted_hmac("accounts.idempotency", told, algorithm="sha256").hexdigest()


def claim(*, owner: Workspace, key: str, fingerprint: str, at: datetime) -> KeptAnswer:
    """The answer that was given before, or a row in progress that is now ours to fill.

    Raises KeyReused and InProgress.
    """
    found = KeptAnswer.objects.for_owner(owner).filter(key=key).first()
    if found is None:
        return _begin(owner=owner, key=key, fingerprint=fingerprint, at=at)
    has_expired = found.claimed_at <= at - KEPT_FOR
    if found.fingerprint != fingerprint and not has_expired:
        raise KeyReused
    was_abandoned = found.claimed_at <= at - timedelta(seconds=TAKE_OVER_S)
    if has_expired or (found.is_in_progress and was_abandoned):
        return _take_over(found, fingerprint=fingerprint, at=at)
    if found.is_in_progress:
        raise InProgress
    return found


def _begin(*, owner, key, fingerprint, at) -> KeptAnswer:
    row = KeptAnswer(owner=owner, key=key, fingerprint=fingerprint, claimed_at=at)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:  # somebody was faster by a moment
        raise InProgress from None
    return row


def _take_over(found: KeptAnswer, *, fingerprint: str, at: datetime) -> KeptAnswer:
    before = found.claimed_at
    found.fingerprint, found.claimed_at = fingerprint, at
    found.status, found.body, found.media_type = None, "", ""
    won = KeptAnswer.unscoped.filter(pk=found.pk, claimed_at=before).update(
        fingerprint=fingerprint, claimed_at=at, status=None, body="", media_type=""
    )
    if not won:
        raise InProgress
    return found


def keep(claimed: KeptAnswer, *, status: int, body: str, media_type: str) -> None:
    """Keep the answer for those who ask again; nothing if the claim was taken over."""
    _ours(claimed).update(status=status, body=body, media_type=media_type)


def release(claimed: KeptAnswer) -> None:
    """Nothing was done or nothing is known: let the next one try."""
    _ours(claimed).delete()


def _ours(claimed: KeptAnswer):
    return KeptAnswer.unscoped.filter(
        pk=claimed.pk, claimed_at=claimed.claimed_at, status=None
    )


def purge(at: datetime) -> int:
    """Forget the answers whose time is over; how many."""
    over, _ = KeptAnswer.unscoped.filter(claimed_at__lte=at - KEPT_FOR).delete()
    return over
