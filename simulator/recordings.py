"""Recordings: Twilio's REST of them, and a sound to listen to.

Nobody really speaks here, so a recording is as long as the call was and holds a quiet
tone: the caller's on the left, the agent's an octave higher on the right.
"""

import io
import math
import wave

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.answers import date
from simulator.call import API_VERSION
from simulator.rest import BASE, authenticated, not_found, page

RATE = 8000  # samples a second, as on a telephone line
LONGEST_S = 3600
TONES_HZ = (220, 440)
MIDDLE, LOUDNESS = 128, 8  # of 8-bit samples


def sound(duration_s: int) -> bytes:
    """A WAV file of two channels."""
    second = bytes(
        MIDDLE + round(LOUDNESS * math.sin(2 * math.pi * hertz * sample / RATE))
        for sample in range(RATE)
        for hertz in TONES_HZ
    )
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(len(TONES_HZ))
        recording.setsampwidth(1)
        recording.setframerate(RATE)
        recording.writeframes(second * min(max(duration_s, 1), LONGEST_S))
    return file.getvalue()


def recording_json(row: dict) -> dict:
    path = f"/{API_VERSION}/Accounts/{row['account_sid']}/Recordings/{row['sid']}"
    has_ended = row["duration_s"] is not None
    return {
        "sid": row["sid"],
        "account_sid": row["account_sid"],
        "call_sid": row["call_sid"],
        "conference_sid": None,
        "status": row["status"],
        "duration": str(row["duration_s"]) if has_ended else "-1",
        "channels": 2,
        "source": "StartCallRecordingTwiML",
        "start_time": date(row["created_at"]),
        "date_created": date(row["created_at"]),
        "date_updated": date(row["updated_at"]),
        "price": None,
        "price_unit": "USD",
        "error_code": None,
        "encryption_details": None,
        "api_version": API_VERSION,
        "uri": f"{path}.json",
        "media_url": f"https://api.twilio.com{path}",
        "subresource_uris": {},
    }


def _recording(request: Request, account: dict) -> dict:
    sid = request.path_params["sid"]
    row = request.app.state.store.get("recordings", sid=sid, account_sid=account["sid"])
    if row is None:
        raise not_found(request)
    return row


@authenticated
async def recordings(request: Request, account: dict) -> Response:
    where = {"account_sid": account["sid"]}
    if "CallSid" in request.query_params:
        where["call_sid"] = request.query_params["CallSid"]
    return page(request, "recordings", "recordings", where, recording_json)


@authenticated
async def recording(request: Request, account: dict) -> Response:
    row = _recording(request, account)
    if request.method == "DELETE":
        request.app.state.store.delete_recording(row["sid"])
        return Response(status_code=204)
    return JSONResponse(recording_json(row))


@authenticated
async def media(request: Request, account: dict) -> Response:
    """The file, which is there once the recording is over."""
    row = _recording(request, account)
    if row["duration_s"] is None:
        raise not_found(request)
    return Response(sound(row["duration_s"]), media_type="audio/x-wav")


routes = [
    Route(BASE + "/Recordings.json", recordings),
    Route(BASE + "/Recordings/{sid}.json", recording, methods=["GET", "DELETE"]),
    Route(BASE + "/Recordings/{sid}.wav", media),
]
