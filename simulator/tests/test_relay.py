"""ConversationRelay: the live session, over a real WebSocket."""

import asyncio

import pytest
from starlette.responses import Response

from simulator.tests.application import wait_until
from simulator.tests.test_calls import said, types


def connect(app, action="action='after'", inside="", **attributes):
    given = {"url": app.relay_url} | attributes
    written = " ".join(f'{name}="{value}"' for name, value in given.items())
    return (
        f"<Response><Connect {action}><ConversationRelay {written}>{inside}"
        "</ConversationRelay></Connect></Response>"
    )


def prompts(app):
    return [frame["voicePrompt"] for frame in app.frames if frame["type"] == "prompt"]


async def echo(session):
    """Answer every prompt; never end."""
    while True:
        frame = await session.receive("prompt")
        await session.say(f"You said {frame['voicePrompt']}")


def test_session_is_signed_and_set_up(carrier, app, account):
    parameter = "<Parameter name='agent' value='seven &amp; eight'/>"
    app.answers["/voice"] = connect(app, inside=parameter)

    async def session(session):
        await session.receive("setup")
        await session.send("end", handoffData='{"why": "done"}')

    app.session = session
    call = carrier.call(account["number"])
    carrier.ended(call["sid"])

    setup = app.frames[0]
    assert setup.pop("sessionId").startswith("VX")
    assert setup == {
        "type": "setup",
        "accountSid": account["sid"],
        "parentCallSid": "",
        "callSid": call["sid"],
        "from": "+12025550199",
        "to": account["number"],
        "forwardedFrom": "",
        "callType": "PSTN",
        "callerName": "",
        "direction": "inbound",
        "callStatus": "RINGING",
        "customParameters": {"agent": "seven & eight"},
    }
    assert app.handshakes == [True]


def test_six_turns_with_an_interruption(carrier, app, account):
    app.answers["/voice"] = connect(app, welcomeGreeting="Welcome to the shop.")
    app.answers["/after"] = "<Response><Say>Late.</Say></Response>"
    app.session = echo
    script = [
        {"say": "one"},
        {"say": "two"},
        {"interrupt": "three", "after_chars": 12},
        {"say": "four"},
        {"say": "five"},
        {"say": "six"},
        {"wait_for": "agent_done"},
        {"hang_up": True},
    ]

    call = carrier.call(account["number"], script)
    state = carrier.ended(call["sid"])

    assert prompts(app) == ["one", "two", "three", "four", "five", "six"]
    interrupt = next(frame for frame in app.frames if frame["type"] == "interrupt")
    assert interrupt == {
        "type": "interrupt",
        "utteranceUntilInterrupt": "You said two",
        "durationUntilInterruptMs": 800,
    }
    assert types(state, "agent_cleared")[0]["heard"] == "You said two"
    assert "".join(said(state)).startswith("Welcome to the shop.You said one You said")
    assert (state["status"], state["end_reason"]) == ("completed", "caller_hung_up")


def test_caller_who_hangs_up_completes_the_session(carrier, app, account):
    app.answers["/voice"] = connect(app)
    app.session = echo

    script = [{"say": "Hello"}, {"wait_for": "agent_done"}, {"hang_up": True}]
    carrier.ended(carrier.call(account["number"], script)["sid"])

    (form,) = app.forms("/after")
    assert form["SessionStatus"] == form["CallStatus"] == "completed"
    assert form["SessionId"].startswith("VX")
    assert wait_until(lambda: {"type": "closed", "code": 1000} in app.frames)
    app.wait_for("/status")
    paths = [received.path for received in app.received]
    assert paths == ["/voice", "/after", "/status"]
    assert all(received.is_signed for received in app.received)


def test_caller_who_breaks_off_is_not_understood(carrier, app, account):
    app.answers["/voice"] = connect(app)
    app.session = echo

    script = [{"say": "Hello"}, {"break_off": "I would like to"}]
    state = carrier.ended(carrier.call(account["number"], script)["sid"])

    assert prompts(app) == ["Hello"]
    assert [e["text"] for e in types(state, "caller")] == ["Hello", "I would "]
    assert state["end_reason"] == "caller_hung_up"


def test_caller_waits_for_what_is_said_to_their_keys(carrier, app, account):
    app.answers["/voice"] = connect(app, dtmfDetection="true", welcomeGreeting="Press.")

    async def session(session):
        await session.receive("dtmf")
        await session.say("You pressed it.")
        await session.receive("prompt")

    app.session = session
    script = [{"press": "1"}, {"wait_for": "agent_done"}, {"hang_up": True}]
    state = carrier.ended(carrier.call(account["number"], script)["sid"])

    assert "".join(said(state)) == "Press.You pressed it. "


def test_end_hands_over_and_goes_on_with_the_action(carrier, app, account):
    app.answers["/voice"] = connect(app)
    app.answers["/after"] = "<Response><Say>Bye.</Say></Response>"

    async def session(session):
        await session.receive("prompt")
        await session.say("One moment.")
        await session.send("end", handoffData="person please")
        await session.socket.receive_json()

    app.session = session
    state = carrier.ended(carrier.call(account["number"], [{"say": "Help"}])["sid"])

    (form,) = app.forms("/after")
    assert form["SessionStatus"] == "ended"
    assert form["CallStatus"] == "in-progress"
    assert form["HandoffData"] == "person please"
    assert "".join(said(state)) == "One moment. Bye."


def test_lost_socket_fails_the_session_and_the_action_goes_on(carrier, app, account):
    app.answers["/voice"] = connect(app)
    app.answers["/after"] = "<Response><Say>Sorry.</Say></Response>"

    async def session(session):
        await session.receive("prompt")
        await session.socket.close(1011)

    app.session = session
    state = carrier.ended(carrier.call(account["number"], [{"say": "Hello"}])["sid"])

    (form,) = app.forms("/after")
    assert (form["SessionStatus"], form["ErrorCode"]) == ("failed", "64105")
    assert form["CallStatus"] == "in-progress"
    assert said(state) == ["Sorry."]


def test_lost_socket_without_action_fails_the_call(carrier, app, account):
    app.answers["/voice"] = connect(app, action="")

    async def session(session):
        await session.socket.close(1011)

    app.session = session
    state = carrier.ended(carrier.call(account["number"])["sid"])

    assert (state["status"], state["end_reason"]) == ("failed", "session_failed")


def test_refused_session_is_64102(carrier, app, account):
    app.answers["/voice"] = connect(app, url="ws://127.0.0.1:1/relay")

    carrier.ended(carrier.call(account["number"])["sid"])

    (form,) = app.forms("/after")
    assert (form["SessionStatus"], form["ErrorCode"]) == ("failed", "64102")


def test_ten_bad_frames_close_the_session(carrier, app, account):
    app.answers["/voice"] = connect(app)
    bad = [{"type": "text"}, {"type": "nonsense"}, {"no": "type"}, ["list"]]

    async def session(session):
        await session.receive("setup")
        for number in range(10):
            await session.socket.send_json(bad[number % len(bad)])
        while True:
            await session.receive()

    app.session = session
    state = carrier.ended(carrier.call(account["number"])["sid"])

    assert [e["code"] for e in types(state, "error")] == [64107] * 10 + [64105]
    errors = [frame for frame in app.frames if frame["type"] == "error"]
    assert len(errors) == 10
    assert wait_until(lambda: {"type": "closed", "code": 1007} in app.frames)
    assert app.forms("/after")[0]["ErrorCode"] == "64105"


def test_keys_reach_the_session_one_by_one(carrier, app, account):
    app.answers["/voice"] = connect(app, dtmfDetection="true")

    async def session(session):
        for _ in range(3):
            await session.receive("dtmf")
        await session.send("end")

    app.session = session
    carrier.ended(carrier.call(account["number"], [{"press": "4*#"}])["sid"])

    digits = [frame["digit"] for frame in app.frames if frame["type"] == "dtmf"]
    assert digits == ["4", "*", "#"]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"interruptible": "none"}, []),
        ({"interruptible": "dtmf"}, []),
        ({"interruptible": "none", "reportInputDuringAgentSpeech": "any"}, ["prompt"]),
        ({"interruptible": "speech"}, ["interrupt", "prompt"]),
    ],
)
def test_interruption_only_where_it_is_allowed(
    carrier, app, account, attributes, expected
):
    app.answers["/voice"] = connect(
        app,
        welcomeGreeting="A long greeting, by law.",
        welcomeGreetingInterruptible=attributes["interruptible"],
        **attributes,
    )

    async def session(session):
        while True:
            await session.receive()

    app.session = session
    script = [{"interrupt": "But I", "after_chars": 6}, {"hang_up": True}]
    carrier.ended(carrier.call(account["number"], script)["sid"])

    kinds = [frame["type"] for frame in app.frames]
    assert [kind for kind in kinds if kind in ("interrupt", "prompt")] == expected


def test_rest_of_an_interrupted_reply_is_not_a_new_one(carrier, app, account):
    app.answers["/voice"] = connect(app)

    async def session(session):
        await session.receive("prompt")
        await session.send("text", token="This will be cut off", last=False)
        await session.receive("interrupt")
        await asyncio.sleep(0.3)  # it is told of "No" meanwhile
        await session.send("text", token=" and this comes late", last=False)
        await session.send("text", token="", last=True)
        await session.receive("prompt")
        await session.say("New.")
        await session.receive("prompt")
        await session.send("end")

    app.session = session
    script = [
        {"say": "Tell me"},
        {"interrupt": "No", "after_chars": 4},
        {"say": "Thanks"},
    ]
    state = carrier.ended(carrier.call(account["number"], script)["sid"])

    assert said(state) == ["This will be cut off", "New. "]
    assert prompts(app) == ["Tell me", "No", "Thanks"]


def test_speaker_events_and_language_are_told(carrier, app, account):
    app.answers["/voice"] = connect(app, events="speaker-events tokens-played")

    async def session(session):
        await session.receive("prompt")
        await session.send("language", transcriptionLanguage="de-DE")
        await session.say("Ja?")
        await session.receive("prompt")
        await session.send("end")

    app.session = session
    script = [{"say": "German"}, {"say": "Nein"}]
    carrier.ended(carrier.call(account["number"], script)["sid"])

    languages = [frame["lang"] for frame in app.frames if frame["type"] == "prompt"]
    assert languages == ["en-US", "de-DE"]
    infos = [(f["name"], f["value"]) for f in app.frames if f["type"] == "info"]
    assert ("agentSpeaking", "on") in infos
    assert ("tokensPlayed", "Ja? ") in infos


def test_session_can_be_taken_up_again_after_a_failure(carrier, app, account):
    app.answers["/voice"] = connect(app)
    documents = iter([connect(app), "<Response/>"])
    app.answers["/after"] = lambda form: next(documents)

    async def session(session):
        await session.receive("prompt")
        if len(app.handshakes) == 2:
            await session.send("end")
            await asyncio.sleep(1)

    app.session = session
    script = [{"say": "One"}, {"say": "Two"}]
    carrier.ended(carrier.call(account["number"], script)["sid"])

    statuses = [form["SessionStatus"] for form in app.forms("/after")]
    assert statuses == ["failed", "ended"]
    assert prompts(app) == ["One", "Two"]


def test_refusing_action_falls_back(carrier, app, account):
    app.answers["/voice"] = connect(app)
    app.answers["/after"] = Response("no", 500)
    app.answers["/fallback"] = "<Response><Say>Plan B.</Say></Response>"

    async def session(session):
        await session.send("end")
        await asyncio.sleep(1)

    app.session = session
    state = carrier.ended(carrier.call(account["number"])["sid"])

    assert said(state) == ["Plan B."]


def test_lost_session_goes_on_by_the_fallback_when_the_action_is_dead(
    carrier, app, account
):
    app.answers["/voice"] = connect(app, welcomeGreeting="Welcome.")
    app.answers["/after"] = Response(status_code=502)
    app.answers["/fallback"] = connect(app, action="")

    async def lose_the_first(session):
        if len(app.handshakes) == 1:
            await session.receive("prompt")
            await session.socket.close(1011)
        else:
            await echo(session)

    app.session = lose_the_first
    script = [
        {"say": "one"},
        {"say": "two"},
        {"wait_for": "agent_done"},
        {"hang_up": True},
    ]

    state = carrier.ended(carrier.call(account["number"], script)["sid"])

    (fields,) = app.forms("/fallback")
    assert (fields["ErrorCode"], fields["CallStatus"]) == ("11200", "in-progress")
    assert fields["ErrorUrl"].endswith("/after")
    assert prompts(app) == ["one", "two"]
    assert "".join(said(state)) == "Welcome.You said two "
    assert state["end_reason"] == "caller_hung_up"
