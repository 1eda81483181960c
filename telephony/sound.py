"""A call's sound as an HTTP answer, passed on from the carrier."""

from django.http import Http404, StreamingHttpResponse

from telephony import twilio
from telephony.models import Call
from telephony.services import recordings

# Whatever else the carrier sends is not shown as what it claims to be.
PLAYABLE = {"audio/wav": "audio/wav", "audio/x-wav": "audio/wav"}


def sound_of(call: Call) -> StreamingHttpResponse:
    """The answer with the sound of `call`; nothing of it is kept here.

    Raises Http404 where there is none, `twilio.CarrierError` where the carrier gives
    none now.
    """
    recording = recordings.to_hear(call)
    if recording is None:
        raise Http404
    try:
        media_type, pieces = twilio.open_recording(call.carrier_account, recording.sid)
    except twilio.NotFound:  # deleted there
        raise Http404 from None
    answer = StreamingHttpResponse(
        pieces, content_type=PLAYABLE.get(media_type, "application/octet-stream")
    )
    answer["Content-Disposition"] = f'inline; filename="call-{call.pk}.wav"'
    answer["Cache-Control"] = "private, no-store"
    return answer
