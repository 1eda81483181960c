"""Another auth token for a carrier account, while calls and texts go on."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from accounts.models import AuditEntry
from agents.models import VoiceAgent
from telephony import tasks, twilio
from telephony.models import Call, CarrierAccount, Phone
from telephony.services import calls
from telephony.services import carrier as verbs
from telephony.tests.conftest import make_number

pytestmark = pytest.mark.django_db

OLD, OLDER, OLDEST = "o" * 32, "p" * 32, "q" * 32
DAY = timedelta(days=1)


@pytest.fixture
def login(carrier):
    return carrier.open_account()


@pytest.fixture
def number(login, alice):
    """A number whose account still has the token that was the carrier's before."""
    number = make_number()
    for model in (CarrierAccount, Phone, VoiceAgent):
        model.unscoped.update(owner=alice.workspace)
    CarrierAccount.unscoped.update(account_sid=login.sid, auth_token=OLD)
    number.account.refresh_from_db()
    return number


@pytest.fixture
def account(number, login):
    """The same once the new token was put in."""
    verbs.change_account(number.account, auth_token=login.auth_token, label="Main")
    return number.account


def statuses(number, *tokens):
    """What webhooks that are signed with each of these are answered."""
    path, fields = number.status_path, number.fields(CallStatus="completed")
    return [number.post(path, fields, token=token).status_code for token in tokens]


def test_webhooks_are_accepted_with_both_for_a_day(account, number, login):
    assert statuses(number, login.auth_token, OLD, OLDER) == [204, 204, 403]

    until = CarrierAccount.unscoped.get().old_auth_token_until
    assert timedelta(hours=23) < until - now() <= DAY
    CarrierAccount.unscoped.update(old_auth_token_until=now())
    assert statuses(number, login.auth_token, OLD) == [204, 403]


def test_a_call_comes_in_and_its_session_opens_signed_by_the_one_before(
    account, number
):
    fields = number.fields()
    answer = number.post(number.voice_path, fields, token=OLD)

    call = Call.unscoped.get(sid=fields["CallSid"])
    opened = calls.open_session(call.relay_token, lambda token: token == OLD)
    assert answer.status_code == 200
    assert opened[0] == call


def test_requests_are_made_with_the_new_one_alone(account):
    account.auth_token, account.old_auth_token = OLDER, account.auth_token

    with pytest.raises(twilio.BadCredentials, match="does not accept"):
        twilio.fetch_account(account)


def test_a_token_that_the_carrier_refuses_changes_nothing(number):
    with pytest.raises(twilio.BadCredentials):
        verbs.change_account(number.account, auth_token=OLDER)

    stored = CarrierAccount.unscoped.get()
    assert (stored.auth_token, stored.old_auth_token) == (OLD, "")


def test_who_changes_it_again_has_not_promoted_the_one_between(account, login):
    two = f"{OLD} {OLDER}"
    CarrierAccount.unscoped.update(auth_token=OLDEST, old_auth_token=two)

    verbs.change_account(account, auth_token=login.auth_token)

    stored = CarrierAccount.unscoped.get()
    assert stored.tokens_at(now()) == [login.auth_token, OLDEST, OLD]


def test_the_same_token_again_makes_the_day_no_longer(account, login):
    until = now() + timedelta(hours=1)
    CarrierAccount.unscoped.update(old_auth_token_until=until)

    verbs.change_account(account, auth_token=login.auth_token)

    stored = CarrierAccount.unscoped.get()
    assert stored.tokens_at(now()) == [login.auth_token, OLD]
    assert stored.old_auth_token_until == until


def test_label_and_limits_leave_a_change_alone(account, login):
    verbs.change_account(account, label="Other")

    stored = CarrierAccount.unscoped.get()
    assert stored.tokens_at(now()) == [login.auth_token, OLD]


def test_page_tells_until_when_and_ends_it(account, number, login, alice):
    page = alice.client.get(account.get_absolute_url()).content.decode()
    ended = alice.client.post(f"{account.get_absolute_url()}/end-token-change")
    page_after = alice.client.get(account.get_absolute_url()).content.decode()

    assert "The auth token is changing" in page
    assert "The auth token is changing" not in page_after
    assert OLD not in page and login.auth_token not in page
    assert ended.status_code == 302
    assert statuses(number, login.auth_token, OLD) == [204, 403]
    assert CarrierAccount.unscoped.get().old_auth_token == ""


def test_api_changes_it_tells_until_when_and_ends_it(number, login, alice):
    path = f"/api/carrier-accounts/{number.account.pk}"
    body = {"label": "Main", "auth_token": login.auth_token}

    changed = alice.api("PUT", path, body).json()
    both = statuses(number, login.auth_token, OLD)
    ended = alice.api("POST", f"{path}/end-token-change")
    again = alice.api("POST", f"{path}/end-token-change")

    assert changed["previous_token_until"] is not None
    assert both == [204, 204]
    assert (ended.status_code, again.status_code) == (200, 200)
    assert ended.json()["previous_token_until"] is None
    assert statuses(number, login.auth_token, OLD) == [204, 403]


def test_log_tells_of_both_steps_and_no_token(account, login):
    verbs.end_token_change(account)
    verbs.end_token_change(account)

    entries = AuditEntry.unscoped.order_by("pk")
    changes = [entry.changes for entry in entries if entry.kind == "carrier_account"]
    masked = "••••"
    assert changes == [
        {"label": ["main", "Main"], "auth_token": [masked, masked]},
        {"previous_token": [masked, ""]},
    ]


def test_what_is_accepted_no_longer_is_not_kept(account):
    tasks.forget_old_tokens()
    assert CarrierAccount.unscoped.get().old_auth_token == OLD

    CarrierAccount.unscoped.update(old_auth_token_until=now())
    tasks.forget_old_tokens()

    stored = CarrierAccount.unscoped.get()
    assert (stored.old_auth_token, stored.old_auth_token_until) == ("", None)


# -- By an operator, wherever the account is connected ---------------------------------


@pytest.fixture
def give(monkeypatch, capsys):
    """Run the command with a token on its standard input; what it says."""

    def run(*arguments, token=""):
        monkeypatch.setattr("sys.stdin", StringIO(f"{token}\n"))
        call_command("change_carrier_token", *arguments)
        return capsys.readouterr().out.splitlines()

    return run


def test_command_changes_it_in_every_workspace_and_goes_on_where_it_was(
    account, login, mallory, give
):
    theirs = CarrierAccount.unscoped.create(
        owner=mallory.workspace, label="M", account_sid=login.sid, auth_token=OLD
    )

    said = give(login.sid, token=login.auth_token)

    assert [line.rpartition(": ")[2] for line in said] == ["has it already", "changed"]
    assert login.auth_token not in "".join(said)
    theirs.refresh_from_db()
    assert theirs.auth_token == login.auth_token
    assert theirs.tokens_at(now()) == [login.auth_token, OLD]
    give(login.sid, "--end")
    theirs.refresh_from_db()
    assert theirs.tokens_at(now()) == [login.auth_token]


def test_command_changes_nothing_that_the_carrier_does_not_accept(number, login, give):
    with pytest.raises(CommandError) as refused:
        give(login.sid, token=OLDER)

    assert OLDER not in str(refused.value)
    assert CarrierAccount.unscoped.get().auth_token == OLD


def test_command_says_that_nobody_has_the_account(give, db):
    with pytest.raises(CommandError, match="No workspace"):
        give("AC404", token=OLD)
