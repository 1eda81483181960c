"""Carrier accounts and numbers through the API, against the carrier's own process."""

import pytest

from telephony.models import CarrierAccount, Phone
from telephony.tests.carriers import UNREACHABLE

pytestmark = pytest.mark.django_db


@pytest.fixture
def login(carrier):
    return carrier.open_account()


def connect(tenant, login, **more):
    body = {"label": "Main", "account_sid": login.sid, "auth_token": login.auth_token}
    return tenant.api("POST", "/api/carrier-accounts", body | more)


def test_an_account_is_connected_and_its_token_never_comes_back(alice, login):
    made = connect(alice, login)

    assert made.status_code == 201
    account = made.json()
    assert "auth_token" not in account
    assert login.auth_token not in made.content.decode()
    assert account["verified_at"]
    assert (account["calls_per_second"], account["max_concurrent_calls"]) == (1, 10)
    listed = alice.api("GET", "/api/carrier-accounts").json()["results"]
    assert listed == [account]
    assert alice.api("GET", f"/api/carrier-accounts/{account['id']}").json() == account


def test_credentials_that_the_carrier_refuses_are_not_stored(alice, login):
    answer = connect(alice, login, auth_token="f" * 32)

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["auth_token"]
    assert CarrierAccount.unscoped.count() == 0


def test_a_carrier_that_is_away_is_said_so(alice, login, settings):
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    answer = connect(alice, login)

    assert answer.status_code == 502
    assert answer["content-type"] == "application/problem+json"
    assert CarrierAccount.unscoped.count() == 0


def test_a_number_of_the_only_account_is_registered_and_points_here(
    alice, carrier, login
):
    connect(alice, login)
    number = login.numbers[0]

    made = alice.api("POST", "/api/phones", {"number": number, "label": "Desk"})

    assert made.status_code == 201, made.content
    phone = Phone.unscoped.get()
    assert made.json()["id"] == str(phone.pk)
    assert phone.webhook_token not in made.content.decode()
    assert carrier.number(login, number)["voice_url"].endswith(
        f"/webhooks/twilio/voice/{phone.webhook_token}"
    )
    free = alice.api("GET", "/api/phones/available").json()
    assert free == {
        "results": [
            {"number": other, "carrier_account_id": made.json()["carrier_account_id"]}
            for other in sorted(login.numbers[1:])
        ],
        "next": None,
        "previous": None,
    }


def test_a_number_is_registered_once_anywhere(alice, mallory, carrier, login):
    connect(alice, login)
    connect(mallory, login)
    body = {"number": login.numbers[0]}
    assert alice.api("POST", "/api/phones", body).status_code == 201

    taken = mallory.api("POST", "/api/phones", body)

    assert taken.status_code == 409
    assert Phone.unscoped.get().owner == alice.workspace


@pytest.mark.parametrize(
    ("number", "status"), [("+14155550199", 400), ("0800", 400), ("", 400)]
)
def test_a_number_that_the_account_does_not_hold_is_refused(
    number, status, alice, login
):
    connect(alice, login)

    answer = alice.api("POST", "/api/phones", {"number": number})

    assert (answer.status_code, list(answer.json()["errors"])) == (status, ["number"])
    assert Phone.unscoped.count() == 0


def test_without_exactly_one_account_the_body_must_say_which(alice, login):
    answer = alice.api("POST", "/api/phones", {"number": login.numbers[0]})

    assert list(answer.json()["errors"]) == ["carrier_account_id"]


def test_an_account_of_another_tenant_is_worded_as_an_unknown_one(
    alice, mallory, login
):
    theirs = connect(alice, login).json()["id"]
    unknown = "01930000-0000-7000-8000-000000000000"
    body = {"number": login.numbers[0]}

    told = mallory.api("POST", "/api/phones", body | {"carrier_account_id": theirs})
    expected = mallory.api(
        "POST", "/api/phones", body | {"carrier_account_id": unknown}
    )

    assert told.status_code == 400
    assert told.content.replace(theirs.encode(), unknown.encode()) == expected.content


def test_a_phone_is_relabelled_and_removed_and_its_number_is_free_again(
    alice, mallory, carrier, login
):
    connect(alice, login)
    number = login.numbers[0]
    phone = alice.api("POST", "/api/phones", {"number": number}).json()
    path = f"/api/phones/{phone['id']}"

    relabelled = alice.api("PUT", path, {"label": "Sales"})
    in_use = alice.api("DELETE", f"/api/carrier-accounts/{phone['carrier_account_id']}")
    removed = alice.api("DELETE", path)

    assert relabelled.json()["label"] == "Sales"
    assert in_use.status_code == 409
    assert number in in_use.json()["detail"]
    assert removed.status_code == 204
    assert alice.api("GET", path).status_code == 404
    assert carrier.number(login, number)["voice_url"] == ""
    connect(mallory, login)
    assert mallory.api("POST", "/api/phones", {"number": number}).status_code == 201


def test_an_account_is_replaced_but_not_by_another(alice, login):
    read = connect(alice, login, calls_per_second=5).json()
    path = f"/api/carrier-accounts/{read['id']}"

    put_back = alice.api("PUT", path, read | {"label": "Renamed"})
    defaults = alice.api("PUT", path, {"label": "Renamed"})
    other = alice.api("PUT", path, {"label": "x", "account_sid": "AC" + "0" * 32})
    refused = alice.api("PUT", path, {"label": "x", "auth_token": "f" * 32})

    assert (put_back.status_code, put_back.json()["calls_per_second"]) == (200, 5)
    assert (defaults.json()["label"], defaults.json()["calls_per_second"]) == (
        "Renamed",
        1,
    )
    for answer, field in ((other, "account_sid"), (refused, "auth_token")):
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    account = CarrierAccount.unscoped.get()
    assert (account.label, account.auth_token) == ("Renamed", login.auth_token)
    assert alice.api("PATCH", path, {"label": "x"}).status_code == 405
