"""Calls that are recorded: the document, the notice, what is told, and hearing it."""

import base64
import io
import uuid
import wave
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.core import signing
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Membership
from agents.models import VoiceAgent
from telephony.models import Call, CarrierAccount, Recording
from telephony.services import media_links
from telephony.tests.calls import make_call
from telephony.tests.carriers import UNREACHABLE
from telephony.tests.conftest import make_number
from tests.processes import WITHIN_S, wait_until

pytestmark = pytest.mark.django_db

SID = "RE" + "1" * 32
NOTICE = "This call is recorded."


def recorded_number(**fields):
    return make_number("alice", recording_enabled=True, **fields)


def tell(number, call, **fields):
    path = reverse("webhooks:recording", args=[call.pk])
    told = {
        "AccountSid": number.account.account_sid,
        "CallSid": call.sid,
        "RecordingSid": SID,
        "RecordingStatus": "completed",
        "RecordingDuration": "7",
        "RecordingChannels": "2",
        "RecordingUrl": "https://evil.example/RE1",
    }
    return number.post(path, told | fields)


def states(call):
    rows = Recording.unscoped.filter(call=call).order_by("id")
    return list(rows.values_list("sid", "status", "duration_s", "channels"))


@pytest.mark.parametrize("transport", ["stream", "gather"])
def test_recording_begins_before_the_conversation_and_is_announced(transport):
    number = recorded_number(transport=transport)

    answer, call = number.ring()

    first, second = list(ElementTree.fromstring(answer.content))[:2]
    recording = first.find("Recording")
    assert (first.tag, recording.get("channels")) == ("Start", "dual")
    assert recording.get("recordingStatusCallback").endswith(
        reverse("webhooks:recording", args=[call.pk])
    )
    spoken = ElementTree.tostring(second, encoding="unicode")
    assert f"{NOTICE} Hello, this is Brightside." in spoken


def test_notice_is_said_also_when_the_caller_begins():
    number = recorded_number(greeting_mode=VoiceAgent.GreetingMode.CALLER_FIRST)

    answer, _ = number.ring()

    assert f'welcomeGreeting="{NOTICE}"' in answer.content.decode()


def test_nothing_is_recorded_unless_the_agent_says_so(number):
    answer, _ = number.ring()

    assert b"Recording" not in answer.content
    assert NOTICE.encode() not in answer.content


def test_what_the_carrier_tells_is_kept_in_any_order():
    number = recorded_number()
    _, call = number.ring()

    for _ in range(2):
        assert tell(number, call).status_code == 204
    late = {"RecordingStatus": "in-progress", "RecordingDuration": "-1"}
    assert tell(number, call, **late).status_code == 204

    assert states(call) == [(SID, "completed", 7, 2)]


def test_recording_in_progress_becomes_a_finished_one():
    number = recorded_number()
    _, call = number.ring()
    began = {"RecordingStatus": "in-progress", "RecordingDuration": "-1"}

    tell(number, call, **began)
    before = states(call)
    tell(number, call)

    assert before == [(SID, "in-progress", None, 2)]
    assert states(call) == [(SID, "completed", 7, 2)]


@pytest.mark.parametrize(
    "fields",
    [
        {"RecordingSid": "../../Accounts"},
        {"RecordingStatus": "lovely"},
        {"RecordingChannels": "9"},
    ],
)
def test_recording_without_sense_is_refused(fields):
    number = recorded_number()
    _, call = number.ring()

    assert tell(number, call, **fields).status_code == 400
    assert states(call) == []


def test_forged_recording_is_refused():
    number = recorded_number()
    _, call = number.ring()
    path = reverse("webhooks:recording", args=[call.pk])

    answer = number.post(path, number.of_call(call), token="another")

    assert answer.status_code == 403
    assert states(call) == []


@pytest.fixture
def heard_call(alice, carrier):
    """A call of alice's that the pocket carrier has really recorded."""
    from telephony import twilio

    login = carrier.open_account()
    api = twilio.client_for(login.sid, login.auth_token).account
    twiml = "<Response><Start><Recording/></Start><Say>Hello.</Say></Response>"
    placed = api.calls.create(
        to=login.numbers[1], from_=login.numbers[0], twiml=twiml, timeout=5
    )
    wait_until(lambda: _finished(api, placed.sid), WITHIN_S, "it is recorded")
    account = CarrierAccount.unscoped.create(
        owner=alice.workspace,
        label="main",
        account_sid=login.sid,
        auth_token=login.auth_token,
    )
    call = Call.unscoped.create(
        owner=alice.workspace,
        carrier_account=account,
        sid=placed.sid,
        direction=Call.Direction.OUTGOING,
        status=Call.Status.COMPLETED,
        ended_at=now(),
    )
    Recording.unscoped.create(
        owner=alice.workspace,
        call=call,
        sid=_finished(api, placed.sid).sid,
        status=Recording.Status.COMPLETED,
    )
    return call


def _finished(api, call_sid):
    found = api.recordings.list(call_sid=call_sid)
    return next((one for one in found if one.status == "completed"), None)


def test_recording_is_heard_on_the_page_and_by_the_api(alice, heard_call):
    page = alice.client.get(heard_call.get_absolute_url())
    path = reverse("telephony:call_recording", args=[heard_call.pk])
    shown = alice.api("GET", f"/api/calls/{heard_call.pk}").json()

    sounds = [
        alice.client.get(path),
        alice.api("GET", f"/api/calls/{heard_call.pk}/recording"),
    ]

    assert f'src="{path}"' in page.content.decode()
    assert shown["recording_url"].endswith(f"/api/calls/{heard_call.pk}/recording")
    for sound in sounds:
        assert sound.status_code == 200
        assert sound["Content-Type"] == "audio/wav"
        assert sound["Cache-Control"] == "private, no-store"
        with wave.open(io.BytesIO(sound.getvalue())) as heard:
            assert (heard.getnchannels(), heard.getframerate()) == (2, 8000)


def test_recording_of_another_workspace_is_not_found(mallory, heard_call):
    path = reverse("telephony:call_recording", args=[heard_call.pk])

    assert mallory.client.get(path).status_code == 404
    assert (
        mallory.api("GET", f"/api/calls/{heard_call.pk}/recording").status_code == 404
    )


def test_viewer_hears_recordings(alice, heard_call):
    Membership.objects.filter(user=alice.user).update(role="viewer")

    path = reverse("telephony:call_recording", args=[heard_call.pk])

    assert alice.client.get(path).status_code == 200


def test_carrier_that_is_away_is_named(alice, heard_call, settings):
    settings.TWILIO_API_BASE_URL = UNREACHABLE
    path = reverse("telephony:call_recording", args=[heard_call.pk])

    page = alice.client.get(path)
    answer = alice.api("GET", f"/api/calls/{heard_call.pk}/recording")

    assert (page.status_code, answer.status_code) == (502, 502)
    assert "The carrier cannot be reached." in page.content.decode()


def test_recording_that_was_deleted_at_the_carrier_is_not_found(alice, heard_call):
    Recording.unscoped.update(sid=f"RE{uuid.uuid4().hex}")
    path = reverse("telephony:call_recording", args=[heard_call.pk])

    assert alice.client.get(path).status_code == 404


def test_call_without_a_recording_has_no_address_of_one(alice):
    call = Call.unscoped.create(
        owner=alice.workspace,
        direction=Call.Direction.INCOMING,
        status=Call.Status.COMPLETED,
    )

    shown = alice.api("GET", "/api/calls").json()["results"]
    path = reverse("telephony:call_recording", args=[call.pk])

    assert [row["recording_url"] for row in shown] == [None]
    assert alice.client.get(path).status_code == 404


# -- Addresses that open by themselves ----------------------------------------------


@pytest.fixture
def recorded(alice):
    """A call of alice's with a recording of which the carrier knows nothing."""
    call = make_call(alice.workspace)
    Recording.unscoped.create(
        owner=alice.workspace, call=call, sid=SID, status=Recording.Status.COMPLETED
    )
    return call


def link_of(tenant, call):
    answer = tenant.api("GET", f"/api/calls/{call.pk}/recording-link")
    return answer.json()["url"].removeprefix(settings.PUBLIC_BASE_URL)


def test_a_link_opens_the_recording_for_nobody_in_particular(alice, heard_call):
    link = link_of(alice, heard_call)

    sound = Client().get(link)

    assert sound["Content-Type"] == "audio/wav"
    assert sound["Cache-Control"] == "private, no-store"
    assert sound["Cross-Origin-Resource-Policy"] == "cross-origin"
    with wave.open(io.BytesIO(sound.getvalue())) as heard:
        assert heard.getframerate() == 8000


def test_a_link_runs_out(alice, recorded):
    asked_at = datetime(2026, 3, 1, 12, 59, 59, tzinfo=UTC)
    link = media_links.to_recording(recorded, at=asked_at)
    token = link.url.rpartition("/")[2]

    assert link.expires_at == datetime(2026, 3, 1, 14, tzinfo=UTC)
    just_before = link.expires_at - timedelta(seconds=1)
    assert media_links.opened(token, at=just_before) == (recorded, None)
    assert media_links.opened(token, at=link.expires_at) is None
    assert Client().get(f"/media/{token}").status_code == 404


def test_a_link_that_was_altered_opens_nothing(alice, mallory, recorded):
    link = link_of(alice, recorded)
    said, _, signature = link.rpartition("/")[2].rpartition(":")
    longer = base64.urlsafe_b64decode(said + "==").replace(b'"until":1', b'"until":9')
    forged = base64.urlsafe_b64encode(longer).decode().strip("=")
    of_another_purpose = signing.dumps(str(recorded.pk))

    for token in (f"{forged}:{signature}", said, of_another_purpose, "x", link[:-1]):
        assert Client().get(f"/media/{token}").status_code == 404


def test_nobody_gets_a_link_to_what_is_anothers(mallory, recorded):
    path = f"/api/calls/{recorded.pk}/recording-link"
    moved = media_links.to_recording(recorded, at=now()).url.rpartition("/")[2]

    assert mallory.api("GET", path).status_code == 404
    Call.unscoped.filter(pk=recorded.pk).update(owner=mallory.workspace)
    assert media_links.opened(moved, at=now()) is None


def test_a_link_to_what_was_not_recorded_is_not_given(alice, recorded):
    Recording.unscoped.all().delete()

    answer = alice.api("GET", f"/api/calls/{recorded.pk}/recording-link")

    assert answer.status_code == 404
