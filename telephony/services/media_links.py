"""Addresses of a recording or a picture that open by themselves, for a while.

For players and programs that have no log-in here. An address says what it opens, in
which workspace and until when, signed: nobody can make one, or make one last longer.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.core import signing
from django.urls import reverse

from telephony.models import Call, Message

SALT = "telephony.media-links"
LASTS = timedelta(hours=1)  # at least; until the end of an hour
RECORDING, MEDIUM = "recording", "medium"


@dataclass(frozen=True)
class Link:
    url: str
    expires_at: datetime


def to_recording(call: Call, *, at: datetime) -> Link:
    return _link(call, at, kind=RECORDING)


def to_medium(message: Message, number: int, *, at: datetime) -> Link:
    return _link(message, at, kind=MEDIUM, number=number)


def _link(row: Call | Message, at: datetime, **what) -> Link:
    # On the hour, so that asking twice gives the same address.
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    expires_at = hour + timedelta(hours=1) + LASTS
    said = {"id": str(row.pk), "owner": str(row.owner_id), **what}
    said["until"] = int(expires_at.timestamp())
    token = signing.Signer(salt=SALT).sign_object(said)
    path = reverse("telephony:shared_medium", args=[token])
    return Link(settings.PUBLIC_BASE_URL + path, expires_at)


def opened(token: str, *, at: datetime) -> tuple[Call | Message, int | None] | None:
    """The call whose recording it opens, or the text and which of its media.

    None for what is not signed by us, has run out, or is gone.
    """
    try:
        said = signing.Signer(salt=SALT).unsign_object(token)
    except signing.BadSignature:
        return None
    if at.timestamp() >= said["until"]:
        return None
    model = Call if said["kind"] == RECORDING else Message
    rows = model.unscoped.filter(owner=said["owner"]).select_related("carrier_account")
    row = rows.filter(pk=said["id"]).first()
    return (row, said.get("number")) if row else None
