"""What a page needs to watch a call and to speak in it.

The call's token in the path (128 random bits) is the only credential.

`GET /simulator/calls/{token}/events`: server-sent events, one JSON object each, with
`seq` as its id. `Last-Event-ID` resumes; a comment comes every 15 s; the stream ends
after `ended`, and asking again after that answers 204, so that browsers stop.
Every event is `{"seq": 1, "at_ms": 1234, "type": …}` (milliseconds since the call
began) with, by type:

- `status` {status}: ringing, initiated, in-progress, and how it ended
- `agent_text` {text}: a piece of what the agent says, as the application sent it
- `agent_done` {}: the agent has finished an utterance
- `agent_cleared` {heard}: it was interrupted after this much of the utterance
- `caller` {text}: what the caller says
- `keys` {digits}: what the caller presses; with `by: "agent"`, what the agent sends
- `error` {code, message}: with Twilio's error code
- `note` {message}: what this carrier leaves out, or does on its own
- `ended` {status, duration_s, reason}

`POST /simulator/calls/{token}/actions`: `{type, text?, digits?}`, type one of say,
interrupt, press, pick_up, hang_up → `202`; `400` for a bad action, `404` for an unknown
call, `409` for one that has ended, is driven by a script or rings still (then it can be
picked up or, by hanging up, declined), each `{"error": "why"}`.
"""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from simulator.caller import BadScript, read_action

HEARTBEAT_S = 15
MAX_BODY = 16 * 1024
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def events(request: Request) -> Response:
    state = request.app.state
    row = state.store.get("calls", token=request.path_params["token"])
    if row is None:
        return JSONResponse({"error": "There is no such call."}, 404)
    given = request.headers.get("last-event-id", "0")
    seen = int(given) if given.isdecimal() else 0
    if row["ended_at"] and not state.store.events(row["sid"], after=seen):
        return Response(status_code=204)
    return StreamingResponse(
        _stream(state, row["sid"], seen),
        media_type="text/event-stream",
        headers=HEADERS,
    )


async def _stream(state, sid: str, seen: int):
    call = state.engine.find(sid)
    while True:
        for event in state.store.events(sid, after=seen):
            seen = event["seq"]
            yield f"id: {seen}\ndata: {json.dumps(event)}\n\n"
            if event["type"] == "ended":
                return
        if call is None:
            return
        if not await call.went_beyond(seen, timeout_s=HEARTBEAT_S):
            yield ": still here\n\n"


async def act(request: Request) -> Response:
    state = request.app.state
    row = state.store.get("calls", token=request.path_params["token"])
    if row is None:
        return JSONResponse({"error": "There is no such call."}, 404)
    body = await request.body()
    try:
        step = read_action(json.loads(body[:MAX_BODY]))
    except (ValueError, BadScript) as exc:
        reason = exc if isinstance(exc, BadScript) else "The body is not JSON."
        return JSONResponse({"error": str(reason)}, 400)
    call = state.engine.find(row["sid"])
    if call is None:
        return JSONResponse({"error": "The call has ended."}, 409)
    if not call.line.pace.is_person:
        return JSONResponse({"error": "A script speaks in this call."}, 409)
    if call.rings_at_person:
        return _answer(call, step)
    call.caller.act(step)
    return Response(status_code=202)


def _answer(call, step) -> Response:
    if step.kind == "pick_up":
        call.pick_up()
    elif step.kind == "hang_up":
        call.decline()
    else:
        return JSONResponse({"error": "Pick up first."}, 409)
    return Response(status_code=202)


routes = [
    Route("/simulator/calls/{token}/events", events),
    Route("/simulator/calls/{token}/actions", act, methods=["POST"]),
]
