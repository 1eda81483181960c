"""The carrier's webhooks, by the front door: signed requests."""

import itertools
import json
import uuid
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.core.checks import run_checks
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path, reverse

from agents.models import Prompt, PromptVersion
from telephony import checks
from telephony.models import Call, CallEvent, TestLine, Turn
from telephony.services import calls
from telephony.tests.conftest import (
    ended,
    make_number,
    post_signed,
    signature_of,
)

pytestmark = pytest.mark.django_db

ALL_STATUSES = ("initiated", "ringing", "in-progress", "completed")


def paths_of(number, call):
    """Every webhook about a call of this number."""
    return [
        number.voice_path,
        number.status_path,
        reverse("webhooks:gather", args=[call.pk]) + "?after=1",
        reverse("webhooks:relay_ended", args=[call.pk]),
        reverse("webhooks:call_status", args=[call.pk]),
    ]


def everything_stored():
    """All that a webhook could change."""
    return [
        list(model.unscoped.order_by("pk").values())
        for model in (Call, CallEvent, Turn)
    ]


@pytest.fixture
def call(number):
    return number.ring()[1]


@pytest.fixture
def told(number, call):
    """What the carrier tells about the call in every webhook."""
    return number.of_call(
        call, CallStatus="completed", SpeechResult="Hi", SessionStatus="failed"
    )


@pytest.mark.parametrize("which", range(5))
@pytest.mark.parametrize(
    "signature", [None, "", "forged", "\xe9\xff", "=" * 4000], ids=range(5)
)
def test_forged_webhook_is_refused(number, call, told, which, signature):
    before = everything_stored()
    headers = {} if signature is None else {"X-Twilio-Signature": signature}

    answer = Client().post(paths_of(number, call)[which], told, headers=headers)

    assert (answer.status_code, answer.content) == (403, b"")
    assert everything_stored() == before


@pytest.mark.parametrize("which", range(5))
def test_webhook_signed_by_another_account_is_refused(
    number, strangers_number, call, told, which
):
    before = everything_stored()
    theirs = strangers_number.account

    for fields in (told, {**told, "AccountSid": theirs.account_sid}):
        path = paths_of(number, call)[which]
        assert number.post(path, fields, token=theirs.auth_token).status_code == 403

    assert everything_stored() == before


@pytest.mark.parametrize("which", range(5))
def test_webhook_of_another_account_with_our_secret_is_refused(
    number, call, told, which
):
    before = everything_stored()
    path = paths_of(number, call)[which]

    other = number.post(path, {**told, "AccountSid": "AC" + 32 * "0"})
    none = number.post(path, {k: v for k, v in told.items() if k != "AccountSid"})

    assert (other.status_code, none.status_code) == (403, 403)
    assert everything_stored() == before


@pytest.mark.parametrize("which", range(2, 5))
def test_webhook_of_one_call_about_another_is_refused(number, call, told, which):
    other = number.ring()[1]
    before = everything_stored()
    path = paths_of(number, call)[which]

    assert number.post(path, {**told, "CallSid": other.sid}).status_code == 403
    assert everything_stored() == before


def test_webhooks_of_nobody_are_refused_alike(number):
    nobody = uuid.uuid4()
    for path_ in (
        reverse("webhooks:voice", args=["nobody"]),
        reverse("webhooks:voice", args=["\0"]),
        reverse("webhooks:phone_status", args=["x" * 900]),
        reverse("webhooks:gather", args=[nobody]),
        reverse("webhooks:relay_ended", args=[nobody]),
        reverse("webhooks:call_status", args=[nobody]),
    ):
        answer = number.post(path_, number.fields())
        assert (path_, answer.status_code, answer.content) == (path_, 403, b"")
    assert Call.unscoped.count() == 0


def test_another_workspaces_call_is_not_found_by_its_sid(
    number, strangers_number, call
):
    before = everything_stored()
    fields = strangers_number.fields(CallSid=call.sid, CallStatus="completed")

    answer = strangers_number.post(strangers_number.status_path, fields)

    assert answer.status_code == 204
    assert everything_stored() == before


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"{}", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"a=%00&b=%ff%fe", "application/x-www-form-urlencoded"),
        (
            b"&".join(b"a%d=1" % i for i in range(1100)),
            "application/x-www-form-urlencoded",
        ),
        (b"a=1", "application/x-www-form-urlencoded; charset=utf-16"),
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"nonsense", "multipart/form-data"),
        (b"x" * 1_100_000, "application/x-www-form-urlencoded"),
    ],
    ids=range(9),
)
def test_odd_bodies_are_refused(number, body, content_type):
    for query in ("", "?bodySHA256=00"):
        answer = Client().post(
            number.voice_path + query,
            body,
            content_type=content_type,
            headers={"X-Twilio-Signature": "c2lnbmVk"},
        )
        assert answer.status_code == 403
    assert Call.unscoped.count() == 0


def test_json_body_is_signed_by_its_hash_and_carries_no_account(number):
    from hashlib import sha256

    body = json.dumps(number.fields())
    path = f"{number.voice_path}?bodySHA256={sha256(body.encode()).hexdigest()}"
    signature = signature_of(path, {}, number.account.auth_token)

    answer = Client().post(
        path,
        body,
        content_type="application/json",
        headers={"X-Twilio-Signature": signature},
    )

    assert answer.status_code == 403
    assert Call.unscoped.count() == 0


def test_fields_given_twice_are_signed_both(number):
    token = number.account.auth_token
    fields = number.fields()
    path, url_fields = number.voice_path, [*fields.items(), ("From", "+1999")]
    from django.http import QueryDict

    body = urlencode(url_fields)
    signature = signature_of(path, QueryDict(body), token)
    answer = Client().post(
        path,
        body,
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signature},
    )

    assert answer.status_code == 200
    assert Call.unscoped.get().from_number == "+1999"


def test_fields_unheard_of_are_signed_too(number):
    answer, call = number.ring(StirVerstat="TN-Validation-Passed-A", Brandnew="ä € 😀")

    assert answer.status_code == 200
    assert call.status == "ringing"


def test_caller_with_an_odd_number_is_taken(number):
    for odd in ("anonymous", "client:bob", "sip:" + "x" * 300, "\0+1", ""):
        answer, call = number.ring(From=odd)
        assert answer.status_code == 200
        assert call.from_number == odd.replace("\0", "")[:100]


def test_call_sid_that_is_none_is_answered_with_an_apology(number):
    for sid in ("", "CA1", "CA" + 32 * "g", "\0"):
        answer = number.post(number.voice_path, number.fields(CallSid=sid))
        assert b"<Hangup" in answer.content
    assert Call.unscoped.count() == 0


def test_get_is_refused(number, call):
    for path_ in paths_of(number, call):
        assert Client().get(path_).status_code == 405


def test_refused_signature_is_remembered_for_the_number(number):
    number.post(number.voice_path, number.fields(), token="another")

    assert cache.get(f"webhook-refused:{number.phone.pk}") is not None


def test_voice_stores_the_call_as_it_is_now(number):
    answer, call = number.ring()

    assert answer.headers["Content-Type"] == "text/xml"
    assert {
        "owner": call.owner_id,
        "phone": call.phone_id,
        "agent": call.agent_id,
        "account": call.carrier_account_id,
        "direction": call.direction,
        "status": call.status,
        "transport": call.transport,
        "to": call.to_number,
        "is_test": call.is_test,
        "end_reason": call.end_reason,
    } == {
        "owner": number.phone.owner_id,
        "phone": number.phone.pk,
        "agent": number.agent.pk,
        "account": number.account.pk,
        "direction": "incoming",
        "status": "ringing",
        "transport": "stream",
        "to": number.phone.number,
        "is_test": False,
        "end_reason": "",
    }


@pytest.mark.parametrize(("transport", "most"), [("stream", 4), ("gather", 5)])
@pytest.mark.parametrize("is_test", [False, True])
def test_voice_takes_few_statements(number, transport, most, is_test):
    number.agent.transport = transport
    prompt = Prompt.unscoped.create(owner=number.phone.owner, name="Reception")
    number.agent.prompt = prompt
    number.agent.prompt_version = PromptVersion.unscoped.create(
        owner=prompt.owner, prompt=prompt, number=1, text="Be kind."
    )
    number.agent.save()
    line = make_test_line(number) if is_test else None
    fields = number.fields()
    path_ = number.voice_path
    token = number.account.auth_token
    if line:
        fields["AccountSid"], token = line.account_sid, line.auth_token
        path_ = reverse("webhooks:voice", args=[line.webhook_token])

    with CaptureQueriesContext(connection) as queries:
        answer = post_signed(path_, fields, token)

    assert b"Response" in answer.content
    assert len(queries) <= most, [query["sql"][:90] for query in queries]


def make_test_line(number):
    return TestLine.unscoped.create(
        owner=number.phone.owner,
        agent=number.agent,
        account_sid="AC" + uuid.uuid4().hex,
        auth_token="the line's own secret",
    )


def test_voice_of_a_test_line_reaches_its_agent_active_or_not(number):
    number.agent.is_active = False
    number.agent.save()
    line = make_test_line(number)
    fields = number.fields(AccountSid=line.account_sid, To="+15005550010")

    answer = post_signed(
        reverse("webhooks:voice", args=[line.webhook_token]), fields, line.auth_token
    )

    call = Call.unscoped.get()
    assert b"ConversationRelay" in answer.content
    assert (call.agent, call.is_test, call.phone) == (number.agent, True, None)


def test_voice_without_an_active_agent_declines_politely(number):
    number.agent.is_active = False
    number.agent.save()

    answer, call = number.ring()

    assert b"nobody can take your call" in answer.content
    assert b"<Hangup" in answer.content
    assert (call.agent, call.end_reason) == (None, "no_active_agent")


def test_voice_for_another_number_declines_politely(number):
    answer, call = number.ring(To="+12125559999")

    assert b"not in service" in answer.content
    assert (call.agent, call.end_reason) == (None, "wrong_number")


def test_voice_of_a_removed_number_declines_politely(number):
    number.phone.put_away()

    answer, call = number.ring()

    assert b"not in service" in answer.content
    assert (call.phone, call.end_reason) == (number.phone, "number_removed")


def test_call_inherits_the_owner_of_its_number_for_ever(number, strangers_number):
    _, call = number.ring()

    number.phone.put_away()
    strangers_number.phone.number = number.phone.number
    strangers_number.phone.save()
    _, later = strangers_number.ring()

    call.refresh_from_db()
    assert call.owner == number.phone.owner
    assert later.owner == strangers_number.phone.owner


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("transport", ["stream", "gather"])
def test_voice_asked_twice_answers_the_same(transport):
    number = make_number(transport=transport)
    fields = number.fields()

    first = number.post(number.voice_path, fields)
    second = number.post(number.voice_path, fields)

    assert first.status_code == 200
    assert first.content == second.content
    assert Call.unscoped.count() == 1
    assert Turn.unscoped.count() == (1 if transport == "gather" else 0)


@pytest.mark.django_db(transaction=True)
def test_voice_replayed_after_the_end_is_refused():
    number = make_number()
    fields = number.fields()
    number.post(number.voice_path, fields)
    number.post(number.status_path, {**fields, "CallStatus": "completed"})
    before = everything_stored()

    answer = number.post(number.voice_path, fields)

    assert answer.status_code == 403
    assert everything_stored() == before


@pytest.mark.django_db(transaction=True)
def test_same_sid_in_two_workspaces_is_two_calls():
    number, strangers_number = make_number(), make_number("mallory")
    _, call = number.ring()

    answer, _ = strangers_number.ring(CallSid=call.sid)

    assert b"ConversationRelay" in answer.content
    assert Call.unscoped.filter(sid=call.sid).count() == 2


@pytest.mark.parametrize("broken", ["line_of", "receive_call"])
def test_voice_speaks_whatever_breaks(number, monkeypatch, settings, broken):
    settings.CALL_APOLOGY = "Please try again."

    def fail(*args, **kwargs):
        raise DatabaseError("gone")

    monkeypatch.setattr(calls, broken, fail)

    answer, _ = number.ring()

    assert answer.status_code == 200
    assert answer.content == (
        b'<?xml version="1.0" encoding="UTF-8"?><Response>'
        b"<Say>Please try again.</Say><Hangup /></Response>"
    )


def test_voice_that_breaks_after_the_call_is_stored_says_so(number, monkeypatch):
    from telephony import twiml

    monkeypatch.delattr(twiml, "connect")

    answer, call = number.ring()

    assert b"<Hangup" in answer.content
    assert ended(call) == ("ringing", "our_error")


def test_statuses_in_every_order_leave_the_same_rows(number, time_machine):
    time_machine.move_to("2026-11-22T10:00:00Z", tick=False)
    left = set()
    orders = list(itertools.permutations(enumerate(ALL_STATUSES)))
    for order in [*orders, *(order + order[:2] for order in orders[::5])]:
        time_machine.move_to("2026-11-22T10:00:00Z", tick=False)
        _, call = number.ring()
        time_machine.move_to("2026-11-22T10:01:00Z", tick=False)
        for sequence, status in order:
            tell_status(number, call, status, sequence)
        left.add(facts_of(call))

    assert left == {
        (
            *("completed", "caller_hung_up", 42),
            *("10:00:12", "10:00:13", "10:00:13"),
            *(f"{s} {n} 10:00:1{n}" for n, s in enumerate(ALL_STATUSES)),
        )
    }


def tell_status(number, call, status, sequence):
    fields = number.of_call(
        call,
        SequenceNumber=sequence,
        Timestamp=f"Sun, 22 Nov 2026 10:00:1{sequence} +0000",
        CallStatus=status,
    )
    if status == "completed":
        fields["CallDuration"] = 42
    path_ = reverse("webhooks:call_status", args=[call.pk])
    assert number.post(path_, fields).status_code == 204


def facts_of(call):
    call.refresh_from_db()
    events = CallEvent.unscoped.filter(call=call).order_by("sequence")
    return (
        *(call.status, call.end_reason, call.duration_s),
        *(f"{at:%X}" for at in (call.answered_at, call.ended_at, call.last_event_at)),
        *(f"{e.status} {e.sequence} {e.at:%X}" for e in events),
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("completed", "caller_hung_up"),
        ("busy", "carrier_ended"),
        ("failed", "carrier_ended"),
        ("no-answer", "carrier_ended"),
        ("canceled", "carrier_ended"),
    ],
)
def test_end_without_a_reason_gets_one(number, call, status, reason):
    fields = number.of_call(call, CallStatus=status)

    number.post(number.status_path, fields)

    assert ended(call) == (status, reason)


def test_duration_that_comes_late_is_kept(number, call):
    fields = number.of_call(call, CallStatus="completed")
    ended_path = reverse("webhooks:relay_ended", args=[call.pk])
    number.post(ended_path, {**fields, "SessionStatus": "completed"})
    call.refresh_from_db()
    assert (call.status, call.duration_s) == ("completed", None)

    number.post(number.status_path, {**fields, "CallDuration": "17"})

    call.refresh_from_db()
    assert call.duration_s == 17


@pytest.mark.parametrize(
    "nonsense",
    [
        {"CallStatus": "exploded"},
        {"CallDuration": "-1"},
        {"CallDuration": "9" * 30},
        {"SequenceNumber": "first"},
        {"CallSid": ""},
    ],
)
def test_status_that_makes_no_sense_is_refused(number, call, nonsense):
    before = everything_stored()
    fields = number.of_call(call, **{"CallStatus": "completed", **nonsense})

    assert number.post(number.status_path, fields).status_code == 400
    assert everything_stored() == before


def test_status_with_a_time_that_is_none_counts_now(number, call):
    for sequence, told_at in enumerate(("", "soon", "Mon, 01 Jan 2099 00:00:00 +0000")):
        fields = number.of_call(call, Timestamp=told_at, SequenceNumber=sequence)
        assert number.post(number.status_path, fields).status_code == 204

    call.refresh_from_db()
    assert call.answered_at.year < 2099


@pytest.mark.parametrize(
    ("told", "reason", "words"),
    [
        ({"SessionStatus": "ended", "HandoffData": "{}"}, "", b"<Response><Hangup"),
        ({"SessionStatus": "failed", "ErrorCode": "64102"}, "", b"<ConversationRelay"),
        ({"SessionStatus": "failed", "ErrorCode": "64105"}, "", b"<ConversationRelay"),
        ({"SessionStatus": "failed"}, "", b"<ConversationRelay"),
        ({"SessionStatus": "\0" + "x" * 900, "ErrorCode": "y" * 900}, "", b"<Hangup"),
        ({}, "", b"<Hangup"),
    ],
)
def test_relay_ended_says_what_is_next(number, call, told, reason, words):
    path_ = reverse("webhooks:relay_ended", args=[call.pk])

    answers = [number.post(path_, number.of_call(call, **told)) for _ in range(2)]

    assert [words in answer.content for answer in answers] == [True, True]
    assert ended(call)[1] == reason
    assert CallEvent.unscoped.filter(call=call).count() == 1


def test_relay_ended_with_the_call_settles_it(number, call):
    fields = number.of_call(call, SessionStatus="completed", CallStatus="completed")

    answer = number.post(reverse("webhooks:relay_ended", args=[call.pk]), fields)

    assert answer.content.endswith(b"<Response />")
    assert ended(call) == ("completed", "caller_hung_up")


def test_lost_connection_is_believed_whoever_reports_first(number):
    lost = {"SessionStatus": "failed", "ErrorCode": "64105"}
    reasons = set()
    for order in itertools.permutations(("relay_ended", "call_status")):
        _, call = number.ring()
        for name in order:
            status = "in-progress" if name == "relay_ended" else "completed"
            fields = number.of_call(call, **lost, CallStatus=status)
            number.post(reverse(f"webhooks:{name}", args=[call.pk]), fields)
        reasons.add(ended(call))

    assert reasons == {("completed", "connection_lost")}


def test_every_webhook_route_verifies_its_signature():
    assert run_checks() == []


def test_route_without_verification_is_found(settings):
    settings.ROOT_URLCONF = f"{__name__}"

    found = checks.webhooks_verify_signatures(None)

    assert [error.id for error in found] == ["telephony.E001"]


urlpatterns = [path("webhooks/open-to-all", lambda request: None)]
