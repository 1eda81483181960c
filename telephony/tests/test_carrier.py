"""Connecting accounts, registering numbers, and finding out why calls don't come."""

import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.cache import cache
from django.db import connection, connections
from django.utils import timezone

from accounts import deleted
from agents.models import VoiceAgent
from telephony import twilio
from telephony.models import Call, CarrierAccount, Phone
from telephony.services import carrier as verbs
from telephony.services.phone_check import check_phone, is_private, refused_key
from telephony.tests.carriers import UNREACHABLE
from tests.people import make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return make_tenant("alice").workspace


@pytest.fixture
def stranger():
    return make_tenant("mallory").workspace


@pytest.fixture
def login(carrier):
    return carrier.open_account()


@pytest.fixture
def account(login, owner):
    return connect(login, owner)


@pytest.fixture
def phone(login, account):
    return register(login, account)


class Livez(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        """Quiet."""


@pytest.fixture
def public_address(settings):
    """Something that answers at PUBLIC_BASE_URL as we would."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Livez) as server:
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        thread.start()
        settings.PUBLIC_BASE_URL = f"http://127.0.0.1:{server.server_port}"
        yield settings.PUBLIC_BASE_URL
        server.shutdown()


def connect(login, owner, **changes):
    return verbs.connect_account(
        **{
            "owner": owner,
            "label": "Main",
            "account_sid": login.sid,
            "auth_token": login.auth_token,
            **changes,
        }
    )


def register(login, account, **changes):
    return verbs.register_phone(
        **{
            "owner": account.owner,
            "number": login.numbers[0],
            "label": "Front desk",
            "account": account,
            **changes,
        }
    )


def make_agent(phone, name="Reception", **fields):
    agent = VoiceAgent(
        owner=phone.owner, name=name, phone=phone, is_active=True, **fields
    )
    agent.save()
    return agent


def make_call(phone):
    call = Call(
        owner=phone.owner,
        phone=phone,
        carrier_account=phone.carrier_account,
        direction=Call.Direction.INCOMING,
        status=Call.Status.COMPLETED,
    )
    call.save()
    return call


def problems(phone):
    return [finding.title for finding in check_phone(phone) if finding.ok is False]


# -- Carrier accounts ------------------------------------------------------------------


def test_connect_account_stores_verified_credentials_encrypted(login, owner):
    account = connect(login, owner, calls_per_second=5)

    stored = CarrierAccount.objects.for_owner(owner).get()
    assert (stored.auth_token, stored.calls_per_second) == (login.auth_token, 5)
    assert stored.verified_at is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT auth_token FROM telephony_carrieraccount")
        assert login.auth_token not in cursor.fetchone()[0]
    assert account == stored


def test_connect_account_with_a_wrong_token_stores_nothing(login, owner):
    with pytest.raises(twilio.BadCredentials):
        connect(login, owner, auth_token="f" * 32)

    assert not CarrierAccount.unscoped.exists()


def test_connect_account_while_the_carrier_is_down_stores_nothing(
    login, owner, settings
):
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    with pytest.raises(twilio.Unreachable):
        connect(login, owner)

    assert not CarrierAccount.unscoped.exists()


def test_connect_account_twice_is_refused_in_one_workspace_only(login, owner, stranger):
    connect(login, owner)
    connect(login, stranger)

    with pytest.raises(verbs.AccountConnected):
        connect(login, owner)


def test_change_account_keeps_the_token_when_none_is_given(login, account):
    verbs.change_account(account, auth_token="", label="New", calls_per_second=3)

    stored = CarrierAccount.unscoped.get()
    assert (stored.label, stored.calls_per_second, stored.auth_token) == (
        "New",
        3,
        login.auth_token,
    )


def test_change_account_refuses_a_token_that_the_carrier_does_not_accept(
    login, account
):
    with pytest.raises(twilio.BadCredentials):
        verbs.change_account(account, auth_token="f" * 32, label="New")

    stored = CarrierAccount.unscoped.get()
    assert (stored.label, stored.auth_token) == ("Main", login.auth_token)


def test_remove_account_is_refused_while_numbers_are_registered(account, phone):
    with pytest.raises(verbs.AccountInUse) as caught:
        verbs.remove_account(account)

    assert str(caught.value) == f"Remove its numbers first: {phone.number}."
    assert CarrierAccount.objects.for_owner(account.owner).exists()


def test_removed_account_can_be_connected_again(login, account):
    verbs.remove_account(account)

    assert not CarrierAccount.objects.for_owner(account.owner).exists()
    assert connect(login, account.owner) != account


# -- Numbers ---------------------------------------------------------------------------


def test_available_numbers_are_those_that_nobody_registered(login, account, phone):
    available = verbs.available_numbers(account)

    assert [number.number for number in available] == login.numbers[1:]


def test_register_phone_points_the_number_here(carrier, login, account):
    phone = register(login, account, number=f" {login.numbers[0]} ")

    shown = carrier.number(login, login.numbers[0])
    assert phone.number == login.numbers[0]
    assert phone.carrier_sid == shown["sid"]
    assert shown["voice_url"] == verbs.voice_url(phone)
    assert shown["status_callback"] == verbs.status_callback(phone)
    assert phone.webhook_token in shown["voice_url"]


@pytest.mark.parametrize("number", ["", "12025550123", "+1202", "front desk"])
def test_register_phone_refuses_what_is_no_number(login, account, number):
    with pytest.raises(verbs.InvalidNumber):
        register(login, account, number=number)


def test_register_phone_refuses_a_number_of_somebody_else(carrier, login, account):
    others = carrier.open_account()

    with pytest.raises(verbs.NumberNotHeld):
        register(login, account, number=others.numbers[0])

    assert not Phone.unscoped.exists()


def test_register_phone_through_a_removed_account_is_refused(login, account):
    verbs.remove_account(account)

    with pytest.raises(verbs.AccountRemoved):
        register(login, account)


def test_register_phone_that_another_workspace_has_is_refused(login, phone, stranger):
    theirs = connect(login, stranger)

    with pytest.raises(verbs.NumberTaken):
        register(login, theirs)

    assert [p.owner for p in Phone.unscoped.all()] == [phone.owner]


@pytest.mark.parametrize("kind", ["500", "answer-lost", "429"])
def test_register_phone_that_cannot_be_pointed_stays_and_can_be_repaired(
    carrier, login, account, public_address, kind
):
    carrier.fail(login, kind, method="POST")

    # A fault waits for its method at the head of the line: reading goes well.
    with pytest.raises(verbs.NotPointed) as caught:
        register(login, account)
    phone = Phone.objects.for_owner(account.owner).get()
    verbs.point_phone(phone)

    assert caught.value.phone == phone
    assert problems(phone) == ["No agent is active for incoming calls."]


def test_register_phone_while_the_carrier_is_down_makes_nothing(
    login, account, settings
):
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    with pytest.raises(twilio.Unreachable):
        register(login, account)

    assert not Phone.unscoped.exists()


@pytest.mark.django_db(transaction=True)
def test_two_workspaces_race_for_one_number_and_one_wins(login, owner, stranger):
    accounts = [connect(login, owner), connect(login, stranger)]
    together = threading.Barrier(2)

    def attempt(account):
        try:
            together.wait()
            return register(login, account)
        except verbs.NumberTaken as error:
            return str(error)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(attempt, accounts))

    winner = Phone.unscoped.get()
    assert winner in outcomes
    assert "This number is registered already." in outcomes


def test_remove_phone_frees_the_number_and_rests_its_agents(carrier, login, phone):
    agent = make_agent(phone)

    verbs.remove_phone(phone)

    agent.refresh_from_db()
    shown = carrier.number(login, phone.number)
    assert not agent.is_active
    assert not Phone.objects.for_owner(phone.owner).exists()
    assert not shown["voice_url"] and not shown["status_callback"]
    assert register(login, phone.carrier_account).webhook_token != phone.webhook_token


def test_remove_phone_leaves_addresses_that_are_not_ours(carrier, login, phone):
    carrier.update_number(login, phone.number, VoiceUrl="https://elsewhere.example/")

    verbs.remove_phone(phone)

    shown = carrier.number(login, phone.number)
    assert shown["voice_url"] == "https://elsewhere.example/"
    assert not shown["status_callback"]


def test_remove_phone_does_not_depend_on_the_carrier(phone, settings):
    agent = make_agent(phone)
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    with pytest.raises(verbs.NotCleared) as caught:
        verbs.remove_phone(phone)

    agent.refresh_from_db()
    assert "may still point" in str(caught.value)
    assert not agent.is_active
    assert not Phone.objects.for_owner(phone.owner).exists()


def test_point_phone_looks_up_a_number_without_a_sid(phone, public_address):
    sid = phone.carrier_sid
    Phone.unscoped.filter(pk=phone.pk).update(carrier_sid="")
    phone.refresh_from_db()

    verbs.point_phone(phone)

    phone.refresh_from_db()
    assert phone.carrier_sid == sid
    assert problems(phone) == ["No agent is active for incoming calls."]


def test_point_phone_that_the_account_does_not_have_says_so(phone, public_address):
    phone.carrier_sid, phone.number = "", "+12025550999"

    with pytest.raises(twilio.NotFound):
        verbs.point_phone(phone)


# -- Do calls reach us? ----------------------------------------------------------------


def test_check_phone_where_all_is_well(phone, public_address):
    verbs.point_phone(phone)
    make_agent(phone)
    make_call(phone)

    findings = check_phone(phone)

    assert [finding.ok for finding in findings] == [True] * len(findings)
    assert [finding.title for finding in findings][:7] == [
        "The carrier accepts the account's credentials.",
        "The number is on the carrier account.",
        "Incoming calls are sent here.",
        "If an answer gets lost, the call is taken up again.",
        "The end of calls is reported here.",
        "Incoming texts are sent here.",
        f"The carrier is told to come to {public_address}.",
    ]


def test_check_phone_finds_a_stale_token(phone, public_address):
    phone.carrier_account.auth_token = "f" * 32

    assert problems(phone)[0] == (
        "The carrier does not accept this account SID and auth token."
    )


def test_check_phone_says_what_it_cannot_know(phone, public_address, settings):
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    first = check_phone(phone)[0]

    assert (first.ok, first.title) == (
        None,
        "The carrier cannot be reached. Try again in a moment.",
    )


def test_check_phone_finds_that_the_number_left_the_account(phone, public_address):
    phone.number = "+442079460000"

    assert problems(phone)[0] == "The number is no longer on the carrier account."


def test_check_phone_finds_calls_that_are_sent_elsewhere(
    carrier, login, phone, public_address
):
    carrier.update_number(
        login,
        phone.number,
        VoiceUrl="https://elsewhere.example/",
        VoiceMethod="GET",
        VoiceFallbackUrl="",
        StatusCallback="",
    )

    assert problems(phone)[:3] == [
        "Incoming calls are sent elsewhere: https://elsewhere.example/ (GET)",
        "If an answer gets lost, the carrier does not know where to ask again.",
        "The end of calls is reported elsewhere: nowhere",
    ]


def test_check_phone_does_not_show_the_secret_of_an_earlier_address(phone, settings):
    before = settings.PUBLIC_BASE_URL
    settings.PUBLIC_BASE_URL = "https://new.example"

    found = problems(phone)

    assert found[0] == (
        "Incoming calls are sent elsewhere: "
        f"an earlier address of this number, at {before}"
    )
    assert phone.webhook_token not in "".join(found)


@pytest.mark.parametrize(
    ("address", "title"),
    [
        (
            "http://localhost:1",
            "Twilio cannot reach this machine at http://localhost:1.",
        ),
        ("http://10.0.0.7:1", "Twilio cannot reach this machine at http://10.0.0.7:1."),
        ("http://a.invalid", "http://a.invalid is not encrypted."),
    ],
)
def test_check_phone_knows_addresses_that_twilio_cannot_use(
    phone, settings, address, title
):
    # Twilio itself, through a proxy that is not there: the test stays on this machine.
    settings.TWILIO_API_BASE_URL = ""
    settings.PUBLIC_BASE_URL = address
    twilio._http.proxy = {"https": UNREACHABLE}
    try:
        found = problems(phone)
    finally:
        twilio._http.proxy = {}

    assert found[:2] == [
        title,
        f"Our own public address does not answer: {address}/livez",
    ]


def test_check_phone_finds_refused_signatures_until_a_call_comes_in(
    phone, public_address
):
    verbs.point_phone(phone)
    cache.set(refused_key(phone), timezone.now().isoformat())
    before = problems(phone)
    make_call(phone)
    after = problems(phone)

    assert "its signature did not fit" in before[-1]
    assert after == ["No agent is active for incoming calls."]


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("localhost", True),
        ("office.local", True),
        ("intranet", True),
        ("192.168.1.4", True),
        ("::1", True),
        ("8.8.8.8", False),
        ("voice.example.com", False),
    ],
)
def test_is_private(host, private):
    assert is_private(host) is private


# -- Bringing numbers back -------------------------------------------------------------


def removed(row):
    """The row as it is stored after it was removed."""
    remove = verbs.remove_phone if isinstance(row, Phone) else verbs.remove_account
    remove(row)
    return type(row).unscoped.get(pk=row.pk)


def bring_back(phone):
    return deleted.restore(phone, deleted.kind_of(Phone))


def test_restored_phone_is_pointed_here_again(carrier, login, phone):
    gone = removed(phone)
    assert carrier.number(login, phone.number)["voice_url"] == ""

    back = bring_back(gone)

    shown = carrier.number(login, phone.number)
    assert shown["voice_url"] == verbs.voice_url(phone)
    assert shown["status_callback"] == verbs.status_callback(phone)
    assert Phone.objects.for_owner(phone.owner).get() == back


def test_agents_of_a_restored_phone_stay_inactive(phone):
    agent = VoiceAgent.unscoped.create(
        owner=phone.owner, phone=phone, name="Reception", is_active=True
    )

    bring_back(removed(phone))

    agent.refresh_from_db()
    assert (agent.is_active, agent.phone) == (False, phone)


def test_restored_phone_that_cannot_be_pointed_says_so_and_is_restored(
    carrier, login, phone
):
    gone = removed(phone)
    carrier.fail(login, "500", method="POST")

    with pytest.raises(deleted.RestoredIncompletely) as told:
        bring_back(gone)

    assert "its calls may not reach us yet" in str(told.value)
    assert told.value.row == phone
    assert Phone.objects.for_owner(phone.owner).exists()


def test_phone_stays_deleted_while_the_carrier_cannot_be_asked(phone, settings):
    gone = removed(phone)
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    with pytest.raises(deleted.CouldNotAsk):
        bring_back(gone)

    assert Phone.unscoped.get().is_deleted


def test_phone_that_the_account_no_longer_holds_stays_deleted(carrier, login, phone):
    gone = removed(phone)
    Phone.unscoped.update(number=carrier.open_account().numbers[0])
    gone.refresh_from_db()

    with pytest.raises(deleted.Refused, match="not on this account"):
        bring_back(gone)

    assert Phone.unscoped.get().is_deleted


@pytest.mark.parametrize("who", ["owner", "stranger"])
def test_phone_registered_meanwhile_by_anybody_stays_deleted(
    who, request, login, account, phone
):
    """The words are those of registering a number that is taken: no more is told."""
    gone = removed(phone)
    somebody = request.getfixturevalue(who)
    theirs = account if somebody == account.owner else connect(login, somebody)
    register(login, theirs)

    with pytest.raises(deleted.Refused) as refusal:
        bring_back(gone)

    assert str(refusal.value) == str(verbs.NumberTaken())
    assert refusal.value.reason == "taken"
    assert Phone.unscoped.get(pk=phone.pk).is_deleted


def test_phone_waits_for_its_account(account, phone):
    gone = removed(phone)
    removed(account)

    with pytest.raises(deleted.NeedsAnother) as refusal:
        bring_back(Phone.unscoped.get(pk=gone.pk))

    assert refusal.value.row == account
    deleted.restore(CarrierAccount.unscoped.get(), deleted.kind_of(CarrierAccount))
    assert bring_back(Phone.unscoped.get(pk=gone.pk)) == phone


def test_phone_comes_back_to_its_account_connected_anew(login, account, phone):
    gone = removed(phone)
    removed(account)
    again = connect(login, account.owner)

    back = bring_back(Phone.unscoped.get(pk=gone.pk))

    assert (back, back.carrier_account) == (phone, again)


@pytest.mark.django_db(transaction=True)
def test_of_a_restore_and_a_registration_at_once_one_wins(carrier, login, stranger):
    owner = make_tenant("alice").workspace
    gone = removed(register(login, connect(login, owner)))
    theirs = connect(login, stranger)

    def apart(action):
        try:
            return action()
        except Exception as error:  # whatever it is, the test looks at it
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        results = list(
            threads.map(
                apart, [lambda: bring_back(gone), lambda: register(login, theirs)]
            )
        )

    (winner,) = Phone.unscoped.filter(deleted_at=None)
    (loser,) = [result for result in results if isinstance(result, Exception)]
    assert isinstance(loser, deleted.Refused | verbs.NumberTaken)
    shown = carrier.number(login, winner.number)
    assert shown["voice_url"] == verbs.voice_url(winner)


def test_api_restores_a_phone_and_tells_what_the_carrier_did(carrier, login):
    alice = make_tenant("carol")
    phone = register(login, connect(login, alice.workspace))
    path = f"/api/deleted/{phone.pk}/restore"
    assert alice.api("DELETE", f"/api/phones/{phone.pk}").status_code == 204
    carrier.fail(login, "500", method="POST")

    incomplete = alice.api("POST", path)

    assert incomplete.status_code == 502
    assert "its calls may not reach us yet" in incomplete.json()["detail"]
    assert alice.api("GET", f"/api/phones/{phone.pk}").status_code == 200
    assert not Phone.unscoped.get().is_deleted


def test_page_restores_a_phone_and_says_what_the_carrier_did(carrier, login):
    alice = make_tenant("carol")
    phone = register(login, connect(login, alice.workspace))
    page = alice.client.post(f"/numbers/{phone.pk}/delete", follow=True)
    assert f'action="/deleted/{phone.pk}/restore"' in page.content.decode()
    carrier.fail(login, "500", method="POST")

    page = alice.client.post(f"/deleted/{phone.pk}/restore", follow=True)

    assert page.redirect_chain == [(phone.get_absolute_url(), 302)]
    assert "its calls may not reach us yet" in page.content.decode()
