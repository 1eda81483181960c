"""Numbers that are known by a keyed hash alone: they can be compared, and not read.

All numbers there are can be hashed in an hour, so the hash has a key: the workspace's
own, made with its first number that is forgotten, and encrypted at rest.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from accounts.models import Workspace

KEY_BYTES = 32


def of_numbers(owner: Workspace | UUID, numbers: Iterable[str]) -> dict[str, str]:
    """These E.164 numbers by their hashes; none where nothing was ever forgotten."""
    key = _key_of(owner)
    return {_hash(key, number): number for number in numbers} if key else {}


def of_number(owner: Workspace, number: str) -> str:
    """The hash of one; makes the workspace's key, if there is none."""
    with transaction.atomic():
        stored = Workspace.objects.select_for_update(no_key=True).get(pk=owner.pk)
        if not stored.number_key:
            stored.number_key = secrets.token_urlsafe(KEY_BYTES)
            stored.save(update_fields=["number_key"])
    return _hash(stored.number_key, number)


def _key_of(owner: Workspace | UUID) -> str:
    if isinstance(owner, Workspace):
        return owner.number_key
    return Workspace.objects.values_list("number_key", flat=True).get(pk=owner)


def _hash(key: str, number: str) -> str:
    return hmac.new(key.encode(), number.encode(), hashlib.sha256).hexdigest()
