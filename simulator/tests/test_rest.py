"""The REST API, asked by Twilio's own SDK."""

import time
from datetime import UTC, datetime

import pytest
import requests
from twilio.base.exceptions import TwilioRestException

from simulator.tests.application import DEADLINE_S, wait_until
from simulator.tests.conftest import sdk
from simulator.tests.test_calls import SAY, said

THEIRS = "+14155550100"


def refusal(action):
    with pytest.raises(TwilioRestException) as caught:
        action()
    return caught.value.status, caught.value.code


def place(account, **more):
    given = {"to": THEIRS, "from_": account["number"]} | more
    return account["client"].calls.create(**given)


def test_account_is_fetched_with_the_right_token_only(carrier, account):
    client = account["client"]
    wrong = sdk(carrier, account | {"auth_token": "wrong"})

    assert client.api.accounts(account["sid"]).fetch().status == "active"
    assert refusal(wrong.api.accounts(account["sid"]).fetch) == (401, 20003)
    other = "AC" + "0" * 32
    assert refusal(client.api.accounts(other).fetch) == (401, 20003)


def test_error_has_twilios_shape(carrier, account):
    sid, token = account["sid"], account["auth_token"]
    address = f"{carrier.url}/2010-04-01/Accounts/{sid}/Calls/CA{'0' * 32}.json"

    response = requests.get(address, auth=(sid, token), timeout=DEADLINE_S)

    assert response.status_code == 404
    assert response.json() == {
        "code": 20404,
        "message": f"The requested resource {address.removeprefix(carrier.url)}"
        " was not found",
        "more_info": "https://www.twilio.com/docs/errors/20404",
        "status": 404,
    }


def test_numbers_are_listed_found_and_changed(carrier):
    account = carrier.control("accounts", count=5)
    client = sdk(carrier, account)
    wanted = account["numbers"][3]

    every = client.incoming_phone_numbers.list(page_size=2)
    (found,) = client.incoming_phone_numbers.list(phone_number=wanted)
    found.update(voice_url="https://app.test/v", sms_url="", friendly_name="Shop")

    assert sorted(n.phone_number for n in every) == sorted(account["numbers"])
    again = client.incoming_phone_numbers(found.sid).fetch()
    assert (again.voice_url, again.friendly_name) == ("https://app.test/v", "Shop")
    assert again.sid.startswith("PN")
    assert len(again.sid) == 34
    assert again.capabilities["voice"] is True
    assert isinstance(again.date_created, datetime)


def test_number_of_another_account_is_not_found(carrier, account):
    other = sdk(carrier, carrier.control("accounts", count=1))
    number = account["client"].incoming_phone_numbers.list()[0]

    assert refusal(other.incoming_phone_numbers(number.sid).fetch) == (404, 20404)


def test_outgoing_call_is_made_and_reported(carrier, app, account):
    app.answers["/out"] = SAY

    call = place(
        account,
        url=app.url + "/out",
        status_callback=app.url + "/progress",
        status_callback_event=["initiated", "ringing", "answered", "completed"],
    )
    forms = app.wait_for("/progress", 4)
    state = carrier.ended(call.sid)

    assert (call.status, call.direction) == ("queued", "outbound-api")
    assert [form["CallStatus"] for form in forms] == [
        "initiated",
        "ringing",
        "in-progress",
        "completed",
    ]
    assert [form["SequenceNumber"] for form in forms] == ["0", "1", "2", "3"]
    assert app.forms("/out")[0]["CallStatus"] == "in-progress"
    assert said(state) == ["Hello there."]
    assert all(received.is_signed for received in app.received)
    fetched = account["client"].calls(call.sid).fetch()
    assert (fetched.status, fetched.duration) == ("completed", "1")
    assert fetched.start_time <= fetched.end_time <= datetime.now(UTC)


@pytest.mark.parametrize("answer", ["busy", "no-answer", "failed"])
def test_callee_who_does_not_answer(carrier, app, account, answer):
    number = {"busy": "+14155550301", "no-answer": "+14155550302"}.get(
        answer, "+14155550303"
    )
    response = carrier.http.put(f"/control/callees/{number}", json={"answer": answer})
    assert response.status_code == 204

    call = place(
        account,
        to=number,
        url=app.url + "/out",
        status_callback=app.url + "/progress",
    )
    (form,) = app.wait_for("/progress")

    assert (form["CallStatus"], form["CallDuration"]) == (answer, "0")
    assert app.forms("/out") == []
    assert account["client"].calls(call.sid).fetch().status == answer


def test_call_is_listed_by_its_numbers_and_status(carrier, app, account):
    app.answers["/out"] = SAY
    calls = [place(account, url=app.url + "/out") for _ in range(3)]
    other = place(account, to="+14155550486", url=app.url + "/out")
    for call in [*calls, other]:
        carrier.ended(call.sid)

    client = account["client"]
    listed = client.calls.list(to=THEIRS, from_=account["number"], page_size=2)
    busy = client.calls.list(status="busy")

    assert [call.sid for call in listed] == [call.sid for call in calls[::-1]]
    assert [call.sid for call in busy] == [other.sid]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"from_": "+14155550999"}, 21210),
        ({"to": "+15005550001"}, 21211),
        ({"to": "nobody"}, 21211),
        ({"url": "ftp://app.test"}, 21205),
        ({"url": None}, 21205),
    ],
)
def test_call_that_cannot_be_placed_is_refused(carrier, app, account, change, code):
    given = {"url": app.url + "/out"} | change
    given = {name: value for name, value in given.items() if value is not None}

    assert refusal(lambda: place(account, **given)) == (400, code)


def test_call_with_twiml_is_followed_hung_up_and_not_twice(carrier, app, account):
    call = place(account, twiml="<Response><Pause length='600'/></Response>")
    context = account["client"].calls(call.sid)
    wait_until(lambda: context.fetch().status == "in-progress")

    context.update(status="completed")
    state = carrier.ended(call.sid)

    assert (state["status"], state["end_reason"]) == ("completed", "hung_up_by_rest")
    assert refusal(lambda: context.update(status="completed")) == (400, 21220)
    assert refusal(lambda: context.update(twiml="<Response/>")) == (400, 21220)


def test_call_is_led_elsewhere_while_it_goes_on(carrier, app, account):
    call = place(account, twiml="<Response><Pause length='600'/></Response>")
    context = account["client"].calls(call.sid)
    wait_until(lambda: context.fetch().status == "in-progress")

    context.update(twiml="<Response><Say>New way.</Say></Response>")

    assert said(carrier.ended(call.sid)) == ["New way."]


def test_message_goes_out_and_is_reported(carrier, app, account):
    client = account["client"]

    message = client.messages.create(
        to=THEIRS,
        from_=account["number"],
        body="Hello",
        status_callback=app.url + "/sent",
    )
    forms = app.wait_for("/sent", 3)

    assert message.status == "queued"
    assert [form["MessageStatus"] for form in forms] == ["queued", "sent", "delivered"]
    assert client.messages(message.sid).fetch().status == "delivered"
    assert [m.sid for m in client.messages.list(to=THEIRS)] == [message.sid]
    assert all(received.is_signed for received in app.received)


def test_message_comes_in_and_is_answered(carrier, app, account):
    app.answers["/sms"] = "<Response><Message>We are open.</Message></Response>"

    message = carrier.control(
        "messages", **{"to": account["number"], "from": THEIRS, "body": "Open?"}
    )

    (form,) = app.forms("/sms")
    assert (form["Body"], form["MessageSid"]) == ("Open?", message["sid"])
    assert app.received[0].is_signed
    (reply,) = account["client"].messages.list(to=THEIRS)
    assert (reply.body, reply.direction) == ("We are open.", "outbound-reply")


def test_message_to_who_opted_out_is_refused(carrier, app, account):
    theirs = {"to": account["number"], "from": THEIRS}

    def send():
        return account["client"].messages.create(
            to=THEIRS, from_=account["number"], body="Hello"
        )

    carrier.control("messages", body=" Stop ", **theirs)
    assert refusal(send) == (400, 21610)
    carrier.control("messages", body="start", **theirs)
    assert send().status == "queued"


# faults


@pytest.mark.parametrize(("kind", "expected"), [("429", 20429), ("500", 20500)])
def test_fault_answers_an_error_as_often_as_told(carrier, account, kind, expected):
    carrier.control(f"accounts/{account['sid']}/faults", 204, kind=kind, count=2)
    fetch = account["client"].api.accounts(account["sid"]).fetch

    codes = [refusal(fetch) for _ in range(2)]

    assert codes == [(int(kind), expected)] * 2
    assert fetch().sid == account["sid"]


@pytest.mark.parametrize(("kind", "placed"), [("close", 0), ("answer-lost", 1)])
def test_fault_loses_the_answer(carrier, app, account, kind, placed):
    carrier.control(f"accounts/{account['sid']}/faults", 204, kind=kind, method="POST")

    with pytest.raises(requests.ConnectionError):
        place(account, url=app.url + "/out")

    assert len(account["client"].calls.list()) == placed


def test_fault_delays_the_answer(carrier, account):
    carrier.control(f"accounts/{account['sid']}/faults", 204, kind="delay", delay_s=0.2)
    started = time.monotonic()

    account["client"].api.accounts(account["sid"]).fetch()

    assert time.monotonic() - started >= 0.2


def test_rate_of_calls_is_limited_on_demand(carrier, app, account):
    carrier.control(f"accounts/{account['sid']}/faults", 204, calls_per_second=0.01)

    place(account, url=app.url + "/out")

    assert refusal(lambda: place(account, url=app.url + "/out")) == (429, 20429)
