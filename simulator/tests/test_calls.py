"""Incoming calls: signed webhooks, each verb, errors, and the status callback."""

import pytest
from starlette.responses import Response

SAY = "<Response><Say>Hello there.</Say></Response>"


def types(state, *kinds):
    return [event for event in state["events"] if event["type"] in kinds]


def said(state):
    return [event["text"] for event in types(state, "agent_text")]


def test_incoming_call_asks_the_voice_url_with_signed_fields(carrier, app, account):
    app.answers["/voice"] = SAY

    call = carrier.call(account["number"])
    carrier.ended(call["sid"])

    received = next(r for r in app.received if r.path == "/voice")
    assert received.is_signed
    assert len(received.idempotency_token) == 36
    assert {
        name: received.fields[name]
        for name in ("CallSid", "AccountSid", "From", "To", "CallStatus", "Direction")
    } == {
        "CallSid": call["sid"],
        "AccountSid": account["sid"],
        "From": "+12025550199",
        "To": account["number"],
        "CallStatus": "ringing",
        "Direction": "inbound",
    }
    assert received.fields["FromCountry"] == "US"


def test_incoming_call_reports_its_end_once(carrier, app, account):
    app.answers["/voice"] = SAY

    call = carrier.call(account["number"])

    (form,) = app.wait_for("/status")
    state = carrier.ended(call["sid"])
    assert form["CallStatus"] == "completed"
    assert form["CallDuration"] == state["duration"] == "1"
    assert form["SequenceNumber"] == "0"
    assert form["CallbackSource"] == "call-progress-events"
    assert form["Timestamp"].endswith("+0000")
    assert all(received.is_signed for received in app.received)
    assert len(app.forms("/status")) == 1


def test_events_tell_the_whole_call(carrier, app, account):
    app.answers["/voice"] = SAY

    state = carrier.ended(carrier.call(account["number"])["sid"])

    assert [event["type"] for event in state["events"]] == [
        "status",
        "status",
        "agent_text",
        "agent_done",
        "status",
        "ended",
    ]
    statuses = [event["status"] for event in types(state, "status")]
    assert statuses == ["ringing", "in-progress", "completed"]
    assert [event["seq"] for event in state["events"]] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("twiml", "status", "reason"),
    [
        ("<Response><Reject reason='busy'/></Response>", "busy", "rejected"),
        ("<Response><Reject/></Response>", "no-answer", "rejected"),
        ("<Response><Hangup/></Response>", "completed", "agent_hung_up"),
        ("<Response/>", "completed", "twiml_ended"),
    ],
)
def test_verbs_that_end_a_call(carrier, app, account, twiml, status, reason):
    app.answers["/voice"] = twiml

    state = carrier.ended(carrier.call(account["number"])["sid"])

    assert (state["status"], state["end_reason"]) == (status, reason)


def test_say_pause_play_and_redirect_are_followed(carrier, app, account):
    app.answers["/voice"] = (
        "<Response><Say>One.</Say><Pause length='1'/><Play>http://a.test/b.mp3</Play>"
        "<Redirect>next?page=2</Redirect><Say>Never.</Say></Response>"
    )
    app.answers["/next"] = "<Response><Say>Two.</Say></Response>"

    state = carrier.ended(carrier.call(account["number"])["sid"])

    assert said(state) == ["One.", "[recording: http://a.test/b.mp3]", "Two."]
    assert app.forms("/next")[0]["CallStatus"] == "in-progress"
    assert all(received.is_signed for received in app.received)


@pytest.mark.parametrize(
    ("ending", "status"), [("0486", "busy"), ("0404", "failed"), ("0408", "no-answer")]
)
def test_dial_tells_its_action_how_it_went(carrier, app, account, ending, status):
    app.answers["/voice"] = (
        f"<Response><Dial timeout='5' action='after'>+1202555{ending}</Dial></Response>"
    )
    app.answers["/after"] = SAY

    state = carrier.ended(carrier.call(account["number"])["sid"])

    assert app.forms("/after")[0]["DialCallStatus"] == status
    assert said(state) == ["Hello there."]


def test_who_is_dialled_hears_a_whisper_first(carrier, app, account):
    number = account["number"]
    app.answers["/voice"] = (
        "<Response><Dial action='after' callerId='+12025550100'>"
        f"<Number url='whisper'>{number}</Number></Dial></Response>"
    )
    app.answers["/whisper"] = "<Response><Say>A caller.</Say></Response>"
    app.answers["/after"] = SAY

    state = carrier.ended(carrier.call(number)["sid"])

    leg, after = app.forms("/whisper")[0], app.forms("/after")[0]
    assert leg["ParentCallSid"] == state["sid"]
    assert leg["CallSid"] == after["DialCallSid"]
    assert (leg["From"], leg["To"]) == ("+12025550100", number)
    assert said(state) == ["Hello there."]


def test_dial_of_a_number_of_ours_is_answered(carrier, app, account):
    number = account["number"]
    app.answers["/voice"] = (
        f"<Response><Dial action='after'><Number>{number}</Number></Dial></Response>"
    )

    carrier.ended(carrier.call(number)["sid"])

    form = app.forms("/after")[0]
    assert form["DialCallStatus"] == "completed"
    assert form["DialBridged"] == "true"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Response("gone", 500), 11200),
        (Response("<Response/>", media_type="text/html"), 12300),
        ("this is no XML", 12100),
        ("<response/>", 12100),
        ("<Response><Shout>Hi</Shout></Response>", 12200),
    ],
)
def test_bad_answer_goes_to_the_fallback(carrier, app, account, answer, code):
    app.answers["/voice"] = answer
    app.answers["/fallback"] = SAY

    state = carrier.ended(carrier.call(account["number"])["sid"])

    form = app.forms("/fallback")[0]
    assert form["ErrorCode"] == str(code)
    assert form["ErrorUrl"] == app.url + "/voice"
    assert types(state, "error")[-1]["code"] == code
    assert said(state) == ["Hello there."]


def test_bad_answers_from_both_end_the_call(carrier, app, account):
    app.answers["/voice"] = app.answers["/fallback"] = Response("gone", 503)

    state = carrier.ended(carrier.call(account["number"])["sid"])

    assert state["end_reason"] == "application_error"
    assert "application error" in said(state)[0]
    assert [event["code"] for event in types(state, "error")] == [11200, 11200]


def test_unknown_attribute_is_a_warning_only(carrier, app, account):
    app.answers["/voice"] = "<Response><Say vocie='x'>Hello.</Say></Response>"

    state = carrier.ended(carrier.call(account["number"])["sid"])

    assert types(state, "error")[0]["code"] == 12200
    assert said(state) == ["Hello."]
    assert app.forms("/fallback") == []


def test_refused_connection_is_tried_again_then_an_error(carrier, app, account):
    number = account["client"].incoming_phone_numbers.list()[0]
    number.update(voice_url="http://127.0.0.1:1/voice")
    app.answers["/fallback"] = SAY

    state = carrier.ended(carrier.call(account["number"])["sid"])

    assert types(state, "error")[0]["code"] == 11200
    assert said(state) == ["Hello there."]


def test_caller_who_hangs_up_while_it_rings_is_not_connected(carrier, app, account):
    call = carrier.call(account["number"], [{"hang_up": True}], ring_s=1)

    state = carrier.ended(call["sid"])

    assert (state["status"], state["end_reason"]) == ("no-answer", "caller_hung_up")
    assert app.wait_for("/status")[0]["CallStatus"] == "no-answer"


def test_test_line_needs_no_account(carrier, app):
    app.secret = "a-secret-of-somebody"
    app.answers["/tenant/voice"] = SAY

    call = carrier.call(
        "+14155550100",
        account_sid="AC" + "1" * 32,
        auth_token=app.secret,
        voice_url=app.url + "/tenant/voice",
        status_callback=app.url + "/tenant/status",
    )

    state = carrier.ended(call["sid"])
    assert state["account_sid"] == "AC" + "1" * 32
    assert app.wait_for("/tenant/status")[0]["CallStatus"] == "completed"
    assert all(received.is_signed for received in app.received)


def test_call_has_a_pace_of_its_own(carrier, app, account):
    app.answers["/voice"] = "<Response><Pause length='1'/></Response>"

    call = carrier.call(account["number"], ring_s=0, real_silences=True)

    assert carrier.ended(call["sid"])["events"][-1]["at_ms"] >= 1000


@pytest.mark.parametrize("speed", [-1, 101, True, "fast"])
def test_pace_that_is_none_is_refused(carrier, account, speed):
    body = {"to": account["number"], "from": "+12025550199", "speed": speed}

    told = carrier.control("calls", expected=400, **body)

    assert told["error"].startswith("speed must be")
