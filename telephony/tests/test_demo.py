"""The demo workspace: complete, marked as invented, made once."""

import socket
from collections import Counter
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from accounts.models import Membership, User, Workspace
from agents.models import MessageAgent, Prompt, PromptVersion, VoiceAgent
from telephony import samples
from telephony.models import (
    Call,
    CallEvent,
    CarrierAccount,
    Contact,
    Phone,
    Turn,
)
from telephony.tests.carriers import UNREACHABLE

pytestmark = pytest.mark.django_db
PASSWORD = "an invented demo password"
COUNTED = (
    User,
    Workspace,
    Membership,
    EmailAddress,
    Prompt,
    PromptVersion,
    VoiceAgent,
    MessageAgent,
    CarrierAccount,
    Phone,
    Call,
    Turn,
    CallEvent,
    Contact,
)


@pytest.fixture(autouse=True)
def demo_settings(settings):
    settings.DEMO_PASSWORD = PASSWORD
    settings.SIMULATOR = True
    settings.SIMULATOR_URL = settings.TWILIO_API_BASE_URL = UNREACHABLE
    settings.SIMULATOR_ACCOUNT_SID = "AC" + "0" * 32
    settings.SIMULATOR_AUTH_TOKEN = "secret"


@pytest.fixture
def simulator(carrier, settings):
    """The simulator runs, with the account that its settings name."""
    login = carrier.open_account(count=3)
    settings.SIMULATOR_URL = carrier.url
    settings.SIMULATOR_ACCOUNT_SID = login.sid
    settings.SIMULATOR_AUTH_TOKEN = login.auth_token
    return carrier, login


def rows():
    return {
        model.__name__: getattr(model, "unscoped", model.objects).count()
        for model in COUNTED
    }


def test_demo_makes_everything_but_the_number_without_a_simulator(capsys):
    call_command("demo")

    said = capsys.readouterr()
    turns = Turn.unscoped.count()
    assert rows() == {
        "User": 1,
        "Workspace": 1,
        "Membership": 1,
        "EmailAddress": 1,
        "Prompt": 2,
        "PromptVersion": 2,
        "VoiceAgent": 2,
        "MessageAgent": 1,
        "CarrierAccount": 0,
        "Phone": 0,
        "Call": samples.COUNT,
        "Turn": turns,
        "CallEvent": 2 * samples.COUNT,
        "Contact": len(samples.CONTACTS),
    }
    assert f"log in as demo@example.com, password {PASSWORD}" in said.out
    assert "The next run tries again." in said.err
    agents = VoiceAgent.unscoped.order_by("pk")
    assert [(a.name, a.transport, a.is_active) for a in agents] == [
        ("Reception", "stream", False),
        ("After hours", "gather", False),
    ]


def test_demo_user_can_log_in_and_look_around(settings):
    settings.REQUIRE_EMAIL_VERIFICATION = True
    call_command("demo")
    client = Client()

    client.post("/account/login/", {"login": settings.DEMO_EMAIL, "password": PASSWORD})

    pages = {url: client.get(url).status_code for url in ("/", "/calls", "/live")}
    assert pages == {"/": 200, "/calls": 200, "/live": 200}
    assert "Brightside Dental" in client.get("/").content.decode()
    assert EmailAddress.objects.get().verified


def test_demo_puts_the_receptionist_on_a_number(simulator, capsys):
    carrier, login = simulator

    call_command("demo")

    phone, agent = Phone.unscoped.get(), VoiceAgent.unscoped.get(name="Reception")
    assert capsys.readouterr().err == ""
    assert phone.number in login.numbers
    assert (agent.phone, agent.is_active) == (phone, True)
    assert phone.webhook_token in carrier.number(login, phone.number)["voice_url"]
    assert set(Call.unscoped.values_list("phone", "to_number")) == {
        (phone.pk, phone.number)
    }


def test_demo_run_again_changes_nothing(simulator):
    call_command("demo")
    before = rows()

    call_command("demo")

    assert rows() == before


def test_demo_is_completed_once_the_simulator_answers(settings, simulator):
    carrier, _login = simulator
    settings.SIMULATOR_URL = settings.TWILIO_API_BASE_URL = UNREACHABLE
    call_command("demo")
    without = Phone.unscoped.count()

    settings.SIMULATOR_URL = settings.TWILIO_API_BASE_URL = carrier.url
    call_command("demo")

    assert (without, Phone.unscoped.count()) == (0, 1)
    assert Call.unscoped.count() == samples.COUNT
    assert VoiceAgent.unscoped.get(is_active=True).name == "Reception"


def test_demo_leaves_alone_what_people_changed(simulator):
    call_command("demo")
    VoiceAgent.unscoped.filter(name="Reception").update(
        name="Front desk", is_active=False
    )
    Workspace.objects.update(name="Ours")
    Phone.unscoped.get().put_away()
    before = rows()

    call_command("demo")

    assert rows() == before
    assert Workspace.objects.get().name == "Ours"
    assert not VoiceAgent.unscoped.filter(is_active=True).exists()


def test_demo_never_asks_another_carrier_than_the_simulator(settings):
    with socket.create_server(("127.0.0.1", 0)) as real_carrier:
        port = real_carrier.getsockname()[1]
        settings.TWILIO_API_BASE_URL = f"http://127.0.0.1:{port}"
        real_carrier.setblocking(False)
        call_command("demo")

        with pytest.raises(BlockingIOError):
            real_carrier.accept()


def test_demo_needs_a_password(settings):
    settings.DEMO_PASSWORD = ""

    with pytest.raises(CommandError):
        call_command("demo")

    assert User.objects.count() == 0


def test_sample_calls_are_varied_and_in_the_past():
    call_command("demo")

    calls = list(Call.unscoped.order_by("-pk"))
    reasons = Counter(call.end_reason for call in calls)
    now = timezone.now()
    ages = [(now - call.started_at).days for call in calls]
    assert len(reasons) >= 6
    assert {call.status for call in calls} == {"completed", "failed"}
    assert ages == sorted(ages)
    assert (min(ages), max(ages)) in {(0, 13), (0, 14)}
    assert all(call.ended_at <= now for call in calls)
    assert {call.model_label for call in calls} == {samples.MODEL_LABEL}
    assert all(call.sid.startswith(samples.SID_PREFIX) for call in calls)


def test_sample_turns_are_numbered_and_lie_within_their_call():
    call_command("demo")

    for call in Call.unscoped.all():
        turns = list(Turn.unscoped.filter(call=call))
        end = call.ended_at + timedelta(seconds=1)  # durations are whole seconds
        assert [turn.number for turn in turns] == list(range(1, len(turns) + 1))
        assert all(call.answered_at <= turn.at <= end for turn in turns)
