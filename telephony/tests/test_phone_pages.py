import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Membership
from agents.models import VoiceAgent
from telephony import twilio
from telephony.models import Call, Phone
from telephony.services import carrier as verbs
from telephony.services import phone_check
from telephony.tests.carriers import UNREACHABLE
from telephony.transcripts import number_for_reading
from tests.people import make_tenant

pytestmark = pytest.mark.django_db
LIST = "/numbers"
CREATE = "/numbers/new"
HTMX = {"HX-Request": "true"}


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
    return connect(login, alice)


@pytest.fixture
def phone(login, account):
    return verbs.register_phone(
        owner=account.owner,
        number=login.numbers[0],
        label="Desk in Reykjavik",
        account=account,
    )


def connect(login, tenant, label="Main"):
    return verbs.connect_account(
        owner=tenant.workspace,
        label=label,
        account_sid=login.sid,
        auth_token=login.auth_token,
    )


def action(name, phone):
    return reverse(f"telephony:phone_{name}", args=[phone.pk])


def text(answer):
    return " ".join(answer.content.decode().split())


def test_list_says_what_comes_first(alice):
    page = text(alice.client.get(LIST))

    assert "connect one first" in page
    assert 'href="/carrier-accounts/new"' in page


def test_list_with_an_account_invites_to_add_a_number(alice, account):
    page = text(alice.client.get(LIST))

    assert "No phone number yet" in page
    assert f'href="{CREATE}"' in page


def test_list_shows_ones_own_numbers_and_who_answers(alice, mallory, phone):
    nobody = text(alice.client.get(LIST))
    VoiceAgent(owner=phone.owner, name="Reception", phone=phone, is_active=True).save()
    somebody = text(alice.client.get(LIST))

    shown = number_for_reading(phone.number)
    assert shown in nobody and "Nobody" in nobody
    assert "Reception" in somebody and "Nobody" not in somebody
    assert shown not in text(mallory.client.get(LIST))


def test_list_of_many_numbers_needs_no_more_statements_than_of_one(alice, phone):
    alice.client.get(LIST)  # the first page of a session also stores the session
    with CaptureQueriesContext(connection) as for_one:
        alice.client.get(LIST)
    for last in range(60):
        Phone(
            owner=phone.owner,
            carrier_account=phone.carrier_account,
            number=f"+1202555{last:04}",
            carrier_sid="PN",
        ).save()

    with CaptureQueriesContext(connection) as for_many:
        page = text(alice.client.get(LIST))

    assert "Page 1 of 2" in page
    assert len(for_many) == len(for_one)


def test_create_without_an_account_leads_to_connecting_one(alice):
    page = text(alice.client.get(CREATE))

    assert "Connect a carrier account first" in page


def test_create_does_not_wait_for_the_carrier(alice, account, settings):
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    page = text(alice.client.get(CREATE))

    assert f"{CREATE}?carrier_account={account.pk}&amp;numbers=1" in page


def test_create_offers_the_free_numbers_with_and_without_scripts(alice, login, phone):
    url = f"{CREATE}?carrier_account={phone.carrier_account_id}&numbers=1"

    page = text(alice.client.get(url))
    fragment = text(alice.client.get(url, headers=HTMX))

    for answer in (page, fragment):
        assert f'<option value="{login.numbers[1]}">' in answer
        assert f'<option value="{login.numbers[0]}">' not in answer
    assert "<html" in page and "<html" not in fragment


def test_create_says_that_the_carrier_cannot_be_asked(alice, account, settings):
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    page = text(alice.client.get(f"{CREATE}?numbers=1"))

    assert "Your numbers could not be read." in page
    assert "The carrier cannot be reached." in page
    assert "Try again" in page


def test_create_says_that_no_number_is_free(carrier, alice):
    connect(carrier.open_account(count=0), alice)

    assert "No free number on this account" in text(
        alice.client.get(f"{CREATE}?numbers=1")
    )


def test_create_registers_the_chosen_number(alice, login, account, carrier):
    form = {
        "carrier_account": account.pk,
        "number": login.numbers[1],
        "label": "Sales",
    }

    answer = alice.client.post(CREATE, form)

    phone = Phone.objects.for_owner(alice.workspace).get()
    assert answer.headers["Location"] == phone.get_absolute_url()
    assert (phone.number, phone.label) == (login.numbers[1], "Sales")
    shown = carrier.number(login, phone.number)
    assert shown["voice_url"] == verbs.voice_url(phone)


def test_create_by_htmx_says_where_to_go(alice, login, account):
    form = {"carrier_account": account.pk, "number": login.numbers[0]}

    answer = alice.client.post(CREATE, form, headers=HTMX)

    phone = Phone.unscoped.get()
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == phone.get_absolute_url()


def test_create_of_a_number_that_another_workspace_has_is_refused(
    mallory, login, phone
):
    theirs = connect(login, mallory)
    form = {"carrier_account": theirs.pk, "number": phone.number}

    answer = mallory.client.post(CREATE, form)

    assert answer.status_code == 422
    assert "This number is registered already." in text(answer)
    assert "Desk in Reykjavik" not in text(answer)


def test_create_through_the_account_of_another_workspace_is_refused(
    mallory, login, account
):
    form = {"carrier_account": account.pk, "number": login.numbers[0]}

    answer = mallory.client.post(CREATE, form)

    assert answer.status_code == 422
    assert not Phone.unscoped.exists()


@pytest.mark.parametrize("carrier_account", ["nonsense", "\x00", ""])
def test_create_with_an_account_that_makes_no_sense_shows_ones_own(
    alice, account, carrier_account
):
    answer = alice.client.get(CREATE, {"carrier_account": carrier_account})

    assert answer.status_code == 200
    assert answer.context["account"] == account


def test_create_that_cannot_be_pointed_says_so_and_keeps_the_number(
    alice, login, account, carrier
):
    carrier.fail(login, "500", method="POST")
    form = {"carrier_account": account.pk, "number": login.numbers[0]}

    page = text(alice.client.post(CREATE, form, follow=True))

    assert "The number is registered, but its calls may not reach us yet." in page
    assert Phone.objects.for_owner(alice.workspace).exists()


def test_detail_does_not_wait_for_the_carrier(alice, phone, settings):
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    page = text(alice.client.get(phone.get_absolute_url()))

    assert f'hx-get="{action("check", phone)}" hx-trigger="load"' in page
    assert phone.webhook_token not in page


def test_detail_shows_agents_and_recent_calls(alice, phone):
    VoiceAgent(owner=phone.owner, name="Reception", phone=phone).save()
    Call(
        owner=phone.owner,
        phone=phone,
        direction=Call.Direction.INCOMING,
        status=Call.Status.BUSY,
        from_number="+12025550199",
    ).save()

    page = text(alice.client.get(phone.get_absolute_url()))

    assert "Reception" in page
    assert number_for_reading("+12025550199") in page


def test_detail_saves_the_label(alice, phone):
    answer = alice.client.post(phone.get_absolute_url(), {"label": "Sales"})

    phone.refresh_from_db()
    assert answer.status_code == 302
    assert phone.label == "Sales"


def test_detail_refuses_a_label_that_is_too_long(alice, phone):
    answer = alice.client.post(
        phone.get_absolute_url(), {"label": "x" * 101}, headers=HTMX
    )

    phone.refresh_from_db()
    assert answer.status_code == 422
    assert answer.content.decode().strip().startswith("<form")
    assert phone.label == "Desk in Reykjavik"


def test_check_tells_as_a_page_and_as_a_fragment(alice, phone):
    page = text(alice.client.get(action("check", phone)))
    fragment = text(alice.client.get(action("check", phone), headers=HTMX))

    for answer in (page, fragment):
        assert "Incoming calls are sent here." in answer
        assert "No agent is active for incoming calls." in answer
        assert phone.webhook_token not in answer
    assert fragment.startswith('<div id="findings"')


def test_checks_are_limited_and_what_costs_nothing_is_shown(
    alice, phone, limited, monkeypatch
):
    monkeypatch.setattr(phone_check, "CHECKS_A_MINUTE", 1)
    alice.client.get(action("check", phone))
    monkeypatch.setattr(twilio, "fetch_account", None)  # it would break

    page = text(alice.client.get(action("check", phone)))

    assert "The carrier was asked very often just now." in page
    assert "No agent is active for incoming calls." in page


def test_slow_carrier_is_asked_once(alice, phone, monkeypatch):
    monkeypatch.setattr(phone_check, "SLOW_S", -1)
    monkeypatch.setattr(twilio, "find_number", None)  # it would break

    page = text(alice.client.get(action("check", phone)))

    assert "The carrier answers slowly" in page


def test_point_repairs_what_somebody_changed(alice, login, phone, carrier):
    carrier.update_number(login, phone.number, VoiceUrl="https://elsewhere.example/")

    page = text(alice.client.post(action("point", phone), follow=True))

    assert "Calls to this number now come here." in page
    shown = carrier.number(login, phone.number)
    assert shown["voice_url"] == verbs.voice_url(phone)


def test_point_says_why_it_failed(alice, phone, settings):
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    page = text(alice.client.post(action("point", phone), follow=True))

    assert "The carrier cannot be reached." in page


def test_removed_number_is_gone_and_free_again(alice, login, phone):
    page = text(alice.client.post(action("delete", phone), follow=True))

    assert f"{phone.number} is removed." in page
    assert alice.client.get(phone.get_absolute_url()).status_code == 404
    assert Phone.unscoped.get().is_deleted
    form = {"carrier_account": phone.carrier_account_id, "number": phone.number}
    assert alice.client.post(CREATE, form).status_code == 302


def test_removal_that_the_carrier_did_not_confirm_says_so(alice, phone, settings):
    settings.TWILIO_API_BASE_URL = UNREACHABLE

    page = text(alice.client.post(action("delete", phone), follow=True))

    assert "may still point to us" in page
    assert Phone.unscoped.get().is_deleted


def test_phone_of_another_workspace_is_not_found(mallory, phone):
    url = phone.get_absolute_url()

    answers = [
        mallory.client.get(url),
        mallory.client.post(url, {"label": "Mine"}),
        mallory.client.get(action("check", phone)),
        mallory.client.post(action("point", phone)),
        mallory.client.post(action("delete", phone)),
    ]

    phone.refresh_from_db()
    assert [answer.status_code for answer in answers] == [404] * 5
    assert (phone.label, phone.is_deleted) == ("Desk in Reykjavik", False)


def test_viewer_reads_and_changes_nothing(alice, login, phone):
    Membership.objects.filter(user=alice.user).update(role=Membership.Role.VIEWER)
    form = {"carrier_account": phone.carrier_account_id, "number": login.numbers[1]}

    page = alice.client.get(phone.get_absolute_url())

    assert page.status_code == 200
    assert action("delete", phone) not in text(page)
    assert alice.client.get(action("check", phone)).status_code == 200
    for url in (phone.get_absolute_url(), CREATE):
        assert alice.client.post(url, form).status_code == 403
    for name in ("point", "delete"):
        assert alice.client.post(action(name, phone)).status_code == 403
