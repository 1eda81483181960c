"""A picture or file of a text as an HTTP answer, passed on from the carrier.

Its address there needs the account's token, and what a stranger has sent is never
handed on as what it claims to be.
"""

from collections.abc import Iterator

from django.http import Http404, StreamingHttpResponse

from telephony import twilio
from telephony.models import Message

MAX_BYTES = 16 * 1024 * 1024  # Twilio takes no more
# What a browser shows without running any of it.
SHOWN = {
    *("image/jpeg", "image/png", "image/gif", "image/webp"),
    *("audio/mpeg", "audio/ogg", "audio/amr", "video/mp4", "video/3gpp"),
}


def media_of(message: Message, number: int) -> StreamingHttpResponse:
    """The answer with the `number`th medium of a text that came in, the first is 0.

    Raises Http404 where there is none, `twilio.CarrierError` where the carrier gives
    none now.
    """
    if not message.is_incoming or number >= len(message.media):
        raise Http404
    medium = message.media[number]
    try:
        kind, pieces = twilio.open_media(
            message.carrier_account, message.sid, medium["sid"]
        )
    except twilio.NotFound:  # deleted there
        raise Http404 from None
    kind = kind.partition(";")[0].strip().lower()
    is_shown = kind in SHOWN
    answer = StreamingHttpResponse(
        _bounded(pieces),
        content_type=kind if is_shown else "application/octet-stream",
    )
    way = "inline" if is_shown else "attachment"
    answer["Content-Disposition"] = f'{way}; filename="text-{message.pk}-{number}"'
    answer["Cache-Control"] = "private, no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def _bounded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    left = MAX_BYTES
    for piece in pieces:
        if len(piece) > left:
            return
        left -= len(piece)
        yield piece
