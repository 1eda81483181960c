"""Server-sent events, a typing caller's actions, and the console's pages."""

import json
import re

import httpx
import pytest

from simulator.tests.application import DEADLINE_S, wait_until
from simulator.tests.conftest import sdk
from simulator.tests.test_calls import SAY, said
from simulator.tests.test_gather import gather


def stream(carrier, token, **headers):
    """The events of a whole stream, with their ids; it ends by itself."""
    path = f"/simulator/calls/{token}/events"
    with carrier.http.stream(
        "GET", path, headers=headers, timeout=DEADLINE_S
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        text = response.read().decode()
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [
        (int(number.removeprefix("id: ")), json.loads(data.removeprefix("data: ")))
        for number, data in blocks
    ]


def act(carrier, call, **action):
    path = f"/simulator/calls/{call['token']}/actions"
    response = httpx.post(carrier.url + path, json=action, trust_env=False)
    return response.status_code


def test_events_are_streamed_until_the_end(carrier, app, account):
    app.answers["/voice"] = SAY

    call = carrier.call(account["number"])
    events = stream(carrier, call["token"])

    assert [event for _, event in events] == carrier.state(call["sid"])["events"]
    assert [number for number, _ in events] == [event["seq"] for _, event in events]
    assert events[-1][1]["type"] == "ended"


def test_events_resume_after_the_last_one_seen(carrier, app, account):
    app.answers["/voice"] = SAY
    call = carrier.call(account["number"])
    events = stream(carrier, call["token"])

    again = stream(carrier, call["token"], **{"Last-Event-ID": "3"})
    last = str(events[-1][0])
    path = f"/simulator/calls/{call['token']}/events"
    done = carrier.http.get(path, headers={"Last-Event-ID": last})

    assert again == events[3:]
    assert done.status_code == 204


def test_typing_caller_speaks_presses_and_hangs_up(carrier, app, account):
    app.answers["/voice"] = gather("How can I help?")
    app.answers["/turn"] = lambda form: gather("Press a key.", numDigits="1")
    call = carrier.call(account["number"], typed=True)

    assert act(carrier, call, type="say", text="Hello") == 202
    (spoken,) = app.wait_for("/turn")
    wait_until(lambda: len(said(carrier.state(call["sid"]))) == 2)
    assert act(carrier, call, type="press", digits="5") == 202
    pressed = app.wait_for("/turn", 2)[1]
    assert act(carrier, call, type="hang_up") == 202
    state = carrier.ended(call["sid"])

    assert (spoken["SpeechResult"], pressed["Digits"]) == ("Hello", "5")
    assert state["end_reason"] == "caller_hung_up"
    assert act(carrier, call, type="say", text="Anyone?") == 409


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"type": "sing", "text": "la"},
        {"type": "say"},
        {"type": "say", "text": "  "},
        {"type": "say", "text": 7},
        {"type": "say", "text": "x" * 2001},
        {"type": "press", "digits": "12a"},
    ],
)
def test_bad_action_is_refused(carrier, app, account, action):
    app.answers["/voice"] = gather("Hello?")
    call = carrier.call(account["number"], typed=True)

    assert act(carrier, call, **action) == 400
    assert act(carrier, call, type="hang_up") == 202


def test_unknown_token_is_not_found(carrier):
    call = {"token": "x" * 22}

    assert act(carrier, call, type="hang_up") == 404
    path = f"/simulator/calls/{call['token']}/events"
    assert carrier.http.get(path).status_code == 404


def test_scripted_call_takes_no_actions(carrier, app, account):
    app.answers["/voice"] = "<Response><Pause length='600'/></Response>"
    call = carrier.call(account["number"], [{"silence_s": 100}])

    assert act(carrier, call, type="say", text="Hello") == 409
    account["client"].calls(call["sid"]).update(status="completed")


# the console


def test_person_gets_an_account_and_calls_its_number(carrier, app):
    with httpx.Client(base_url=carrier.url, trust_env=False) as person:
        home = person.get("/simulator")
        made = person.post("/simulator/accounts")
        page = person.get(made.headers["location"])
        form = re.search(r'action="(/simulator/[^"]+/calls)"', page.text)[1]
        called = person.post(form)
        panel = person.get(called.headers["location"])

    assert 'action="/simulator/accounts"' in home.text
    assert made.status_code == called.status_code == 303
    assert len(re.findall(r"\+1\d{3}55501\d\d</strong>", page.text)) == 3
    assert re.search(r"AC[0-9a-f]{32}", page.text)
    assert f'data-events-url="{called.headers["location"]}/events"' in panel.text
    for shown in (home, page, panel):
        policy = shown.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; img-src 'self' data:;")
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert not re.search(r"<script>|style=|\son\w+=", shown.text)


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}],
)
def test_form_of_another_site_is_refused(carrier, headers):
    response = httpx.post(
        carrier.url + "/simulator/accounts", headers=headers, trust_env=False
    )

    assert response.status_code == 403


def test_page_escapes_what_the_account_was_given(carrier):
    made = httpx.post(carrier.url + "/simulator/accounts", trust_env=False)
    page = carrier.http.get(made.headers["location"]).text
    sid = re.search("AC[0-9a-f]{32}", page)[0]
    token = re.search(r'data-copy="([0-9a-f]{32})"', page)[1]
    client = sdk(carrier, {"sid": sid, "auth_token": token})
    number = client.incoming_phone_numbers.list()[0]

    number.update(sms_url="http://a.test/<script>alert(1)</script>")
    page = carrier.http.get(made.headers["location"]).text

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


# the control API


def test_control_needs_the_key(carrier):
    for path in ("accounts", "calls", "messages"):
        response = httpx.post(f"{carrier.url}/control/{path}", trust_env=False)
        assert response.status_code == 401
    assert httpx.get(f"{carrier.url}/healthz", trust_env=False).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"to": "12345", "from": "+12025550199"},
        {"script": "say hello"},
        {"script": [{"dance": 1}]},
        {"script": [{"silence_s": "long"}]},
        {"script": [{"say": "Hi"}], "typed": True},
        {"ring_s": -1},
        {"account_sid": "AC" + "1" * 32},
        {"account_sid": "AC" + "1" * 32, "auth_token": "t", "voice_url": "ftp://x"},
    ],
)
def test_bad_call_is_refused_by_the_control_api(carrier, account, body):
    given = {"to": account["number"], "from": "+12025550199"} | body

    response = carrier.http.post("/control/calls", json=given)

    assert response.status_code == 400
    assert response.json()["error"]


# -- A telephone of one's own ----------------------------------------------------------


@pytest.fixture
def phone(carrier):
    """Its page, and its number."""
    made = httpx.post(f"{carrier.url}/simulator/phones", trust_env=False)
    page = made.headers["location"]
    text = carrier.http.get(page).text
    return page, re.search(r"<strong>(\+1\d{10})</strong>", text)[1]


def dial(account, app, number, **more):
    return account["client"].calls.create(
        to=number,
        from_=account["number"],
        url=app.url + "/out",
        status_callback=app.url + "/progress",
        status_callback_event=["ringing", "answered", "completed"],
        **more,
    )


def ringing(carrier, call):
    """The call as its page knows it, once it rings."""
    return wait_until(
        lambda: (state := carrier.state(call.sid))["status"] == "ringing" and state
    )


def test_person_picks_up_talks_and_hangs_up(carrier, app, account, phone):
    page, number = phone
    app.answers["/out"] = gather("Hello, this is your dentist.")
    app.answers["/turn"] = gather("Goodbye?")
    assert "Waiting for a call" in carrier.http.get(page).text

    call = dial(account, app, number)
    rings = ringing(carrier, call)
    led_to = carrier.http.get(page).headers["location"]
    too_early = act(carrier, rings, type="say", text="Hello?")
    picked_up = act(carrier, rings, type="pick_up")
    app.wait_for("/out")
    wait_until(lambda: said(carrier.state(call.sid)))
    spoken = act(carrier, rings, type="say", text="Speaking.")
    (heard,) = app.wait_for("/turn")
    hung_up = act(carrier, rings, type="hang_up")
    state = carrier.ended(call.sid)

    assert led_to == f"/simulator/calls/{rings['token']}"
    shown = carrier.http.get(led_to).text
    assert f"You are {number}" in shown and "data-pick-up" in shown
    assert (too_early, picked_up, spoken, hung_up) == (409, 202, 202, 202)
    assert heard["SpeechResult"] == "Speaking."
    assert state["status"] == "completed"
    assert "Waiting for a call" in carrier.http.get(page).text


def test_person_declines(carrier, app, account, phone):
    call = dial(account, app, phone[1])

    assert act(carrier, ringing(carrier, call), type="hang_up") == 202

    state = carrier.ended(call.sid)
    assert (state["status"], state["end_reason"]) == ("busy", "declined")
    assert app.forms("/out") == []


def test_telephone_that_nobody_picks_up_rings_for_as_long_as_asked(
    carrier, app, account, phone
):
    call = dial(account, app, phone[1], timeout=1)

    state = carrier.ended(call.sid)

    assert (state["status"], state["end_reason"]) == ("no-answer", "not_answered")


def test_telephones_are_ones_own(carrier, phone):
    other = httpx.post(f"{carrier.url}/simulator/phones", trust_env=False)

    assert other.headers["location"] != phone[0]
    assert carrier.http.get("/simulator/phones/guessed").status_code == 404
    foreign = {"sec-fetch-site": "cross-site"}
    refused = httpx.post(
        f"{carrier.url}/simulator/phones", headers=foreign, trust_env=False
    )
    assert refused.status_code == 403
