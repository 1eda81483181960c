import pytest
from django.urls import reverse

from accounts.models import Membership
from telephony.models import CarrierAccount, Phone
from telephony.services import carrier as verbs
from telephony.tests.carriers import UNREACHABLE
from tests.people import make_tenant

pytestmark = pytest.mark.django_db
LIST = "/carrier-accounts"
CREATE = "/carrier-accounts/new"


@pytest.fixture
def alice():
    return make_tenant("alice")


@pytest.fixture
def mallory():
    return make_tenant("mallory")


@pytest.fixture
def login(carrier):
    return carrier.open_account()


@pytest.fixture
def account(login, alice):
    return verbs.connect_account(
        owner=alice.workspace,
        label="Main",
        account_sid=login.sid,
        auth_token=login.auth_token,
    )


def entered(login, **changes):
    return {
        "label": "Main",
        "account_sid": login.sid,
        "auth_token": login.auth_token,
        "calls_per_second": 1,
        "max_concurrent_calls": 10,
        **changes,
    }


def test_list_without_accounts_invites_to_connect_one(alice):
    page = alice.client.get(LIST).content.decode()

    assert "No carrier account yet" in page
    assert CREATE in page


def test_list_shows_ones_own_accounts_only(alice, mallory, account):
    assert account.account_sid in alice.client.get(LIST).content.decode()
    assert account.account_sid not in mallory.client.get(LIST).content.decode()


def test_connect_with_right_credentials(alice, login):
    answer = alice.client.post(CREATE, entered(login), follow=True)

    account = CarrierAccount.objects.for_owner(alice.workspace).get()
    page = answer.content.decode()
    assert answer.redirect_chain == [(account.get_absolute_url(), 302)]
    assert "The account is connected." in page
    assert login.auth_token not in page


def test_connect_with_a_wrong_token_says_so_and_shows_no_secret(alice, login):
    answer = alice.client.post(CREATE, entered(login, auth_token="f" * 32))

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "does not accept this account SID and auth token" in page
    assert "f" * 32 not in page
    assert not CarrierAccount.unscoped.exists()


def test_connect_while_the_carrier_is_down_says_so(alice, login, settings):
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    answer = alice.client.post(CREATE, entered(login))

    assert answer.status_code == 422
    assert "The carrier cannot be reached." in answer.content.decode()


def test_connect_refuses_an_account_that_is_connected_already(alice, login, account):
    answer = alice.client.post(CREATE, entered(login))

    assert answer.status_code == 422
    assert "This account is connected already." in answer.content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account_sid", "SK" + "0" * 32),
        ("account_sid", "AC\x00"),
        ("auth_token", "with spaces in the middle"),
        ("auth_token", "töken–töken–töken"),
        ("label", "x" * 101),
        ("calls_per_second", "0"),
        ("max_concurrent_calls", "many"),
    ],
)
def test_connect_refuses_what_makes_no_sense_before_asking(
    alice, login, field, value, settings
):
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    answer = alice.client.post(CREATE, entered(login, **{field: value}))

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]


def test_connect_by_htmx_answers_with_the_form_alone_or_where_to_go(alice, login):
    headers = {"HX-Request": "true"}
    wrong = entered(login, auth_token="f" * 32)

    refused = alice.client.post(CREATE, wrong, headers=headers)
    connected = alice.client.post(CREATE, entered(login), headers=headers)

    account = CarrierAccount.unscoped.get()
    assert refused.status_code == 422
    assert refused.content.decode().strip().startswith("<form")
    assert connected.status_code == 204
    assert connected.headers["HX-Redirect"] == account.get_absolute_url()


@pytest.mark.parametrize("is_on", [True, False])
def test_connect_page_points_to_the_simulator_where_there_is_one(
    alice, settings, is_on
):
    settings.SIMULATOR = is_on

    page = alice.client.get(CREATE).content.decode()

    assert ('href="/simulator"' in page) is is_on


def test_change_label_and_limits_keeps_the_token(alice, login, account):
    form = {"label": "Sales", "calls_per_second": 4, "max_concurrent_calls": 20}

    answer = alice.client.post(account.get_absolute_url(), form)

    account.refresh_from_db()
    assert answer.status_code == 302
    assert (account.label, account.calls_per_second, account.auth_token) == (
        "Sales",
        4,
        login.auth_token,
    )


def test_change_to_a_wrong_token_keeps_the_stored_one(alice, login, account):
    form = {
        "label": "Sales",
        "calls_per_second": 4,
        "max_concurrent_calls": 20,
        "auth_token": "f" * 32,
    }

    answer = alice.client.post(account.get_absolute_url(), form)

    account.refresh_from_db()
    assert answer.status_code == 422
    assert (account.label, account.auth_token) == ("Main", login.auth_token)


def test_detail_never_shows_the_token(alice, login, account):
    page = alice.client.get(account.get_absolute_url()).content.decode()

    assert account.account_sid in page
    assert login.auth_token not in page


def test_remove_account_with_numbers_is_refused_by_name(alice, login, account):
    phone = verbs.register_phone(
        owner=alice.workspace, number=login.numbers[0], account=account
    )
    url = reverse("telephony:carrier_account_delete", args=[account.pk])

    page = alice.client.post(url, follow=True).content.decode()

    assert f"Remove its numbers first: {phone.number}." in page
    assert CarrierAccount.objects.for_owner(alice.workspace).exists()


def test_remove_account_is_soft(alice, account):
    url = reverse("telephony:carrier_account_delete", args=[account.pk])

    page = alice.client.post(url, follow=True).content.decode()

    assert "Main is removed." in page
    assert not CarrierAccount.objects.for_owner(alice.workspace).exists()
    assert CarrierAccount.unscoped.get().is_deleted
    assert alice.client.get(account.get_absolute_url()).status_code == 404


def test_account_of_another_workspace_is_not_found(mallory, account):
    url = account.get_absolute_url()
    delete = reverse("telephony:carrier_account_delete", args=[account.pk])

    assert mallory.client.get(url).status_code == 404
    assert mallory.client.post(url, {"label": "Mine"}).status_code == 404
    assert mallory.client.post(delete).status_code == 404
    account.refresh_from_db()
    assert (account.label, account.is_deleted) == ("Main", False)


def test_viewer_reads_and_changes_nothing(alice, login, account):
    Membership.objects.filter(user=alice.user).update(role=Membership.Role.VIEWER)
    url = account.get_absolute_url()
    delete = reverse("telephony:carrier_account_delete", args=[account.pk])

    page = alice.client.get(url)

    assert page.status_code == 200
    assert '<form method="post" action="' + url not in page.content.decode()
    assert alice.client.post(url, {"label": "Mine"}).status_code == 403
    assert alice.client.post(delete).status_code == 403
    assert alice.client.post(CREATE, entered(login)).status_code == 403


def test_signed_out_visitors_are_sent_to_log_in(client, account):
    assert client.get(LIST).headers["Location"].startswith("/account/login")
    assert not Phone.unscoped.exists()
