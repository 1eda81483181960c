"""The demo as `make run` makes it: something on every page, and a way to what broke."""

import re

import pytest
from django.conf import settings
from django.core import mail
from django.core.management import call_command
from django.db.transaction import atomic, set_rollback
from django.test import Client, override_settings
from django.utils.timezone import now

from accounts.models import User
from accounts.tenancy import OwnedModel
from alerts import watching
from alerts.models import Alert, Mail
from analytics import rollup
from analytics.history import AMERICAN, TEXTS_OF_A_THREAD
from analytics.models import Change
from hooks.models import Delivery
from simulator.app import FIRST_ABROAD
from telephony.models import Call, Campaign, Message, ScheduledCall
from telephony.services import campaign_turns
from voiceops.demo import practices
from voiceops.demo.campaigns import RECALL

pytestmark = pytest.mark.django_db
PAGES = {
    "/": "The carrier refused to place it",
    "/costs": "London reception",
    "/calls": "London recalls",
    "/inbox?box=open": "And who is on duty?",
    "/people": "Gwen Evans",
    "/prompts": "Recall",
    "/voice-agents": "Sydney reception",
    "/message-agents": "Front desk by text",
    "/tools": "find_appointment",
    "/campaigns": RECALL,
    "/scheduled-calls": "+1 503-555-0131",
    "/recurring-calls": "+1 503-555-0134",
    "/do-not-contact": "Texted STOP",
    "/alerts": "London recalls fail",
    "/numbers": "London practice",
    "/settings/budget": "60.00",
    "/settings/webhooks": "The CRM",
    "/settings/audit-log": "Oliver Hughes",
    "/settings/members": "priya.nair@brightside.example",
    "/api-keys": "Website booking",
    "/deleted": "Summer hours",
}


@pytest.fixture(scope="module")
def made(django_db_setup, django_db_blocker, carrier_process):
    login = carrier_process.open_account(1, numbers=FIRST_ABROAD)
    given = {
        "DEMO_PASSWORD": "an invented demo password",
        "SIMULATOR": True,
        "SIMULATOR_URL": carrier_process.url,
        "TWILIO_API_BASE_URL": carrier_process.url,
        "SIMULATOR_ACCOUNT_SID": login.sid,
        "SIMULATOR_AUTH_TOKEN": login.auth_token,
    }
    with (
        django_db_blocker.unblock(),
        override_settings(**given),
        pytest.MonkeyPatch.context() as patch,
        atomic(),
    ):
        # Everybody has texted, also those whose conversation is a story.
        patch.setattr(practices, "TEXTS", TEXTS_OF_A_THREAD * len(AMERICAN))
        call_command("demo")
        call_command("furnish_demo")
        while Change.objects.exists():
            rollup.fold()
        yield User.objects.get(email=settings.DEMO_EMAIL)
        set_rollback(True)


@pytest.fixture
def visitor(made):
    client = Client()
    client.force_login(made)
    return client


def page(client, url):
    answer = client.get(url)
    assert answer.status_code == 200, url
    return answer.content.decode()


def link_to(words, html):
    """Where the link with these words leads."""
    for address, inside in re.findall(
        r'<a[^>]*href="([^"]+)"[^>]*>(.*?)</a>', html, re.S
    ):
        if words in inside:
            return address.replace("&amp;", "&")
    raise AssertionError(f"no link says {words!r}")


def test_every_page_has_something_to_look_at(visitor):
    for url, words in PAGES.items():
        assert words in page(visitor, url), url


def test_the_failure_is_found_from_the_dashboard(visitor):
    calls = page(
        visitor, link_to("The carrier refused to place it", page(visitor, "/"))
    )
    call = page(visitor, re.search(r'href="(/calls/[0-9a-f-]{36})"', calls)[1])

    assert "Often the account may not call that country yet" in call
    assert "21215" in call


def test_the_failure_is_found_from_its_alert_and_its_campaign(visitor):
    alert = Alert.unscoped.get(state=Alert.State.FIRING)
    call_command("check_rollup")

    assert "100 %" in page(visitor, alert.get_absolute_url())
    campaign = Campaign.unscoped.get(name=RECALL)
    assert "have failed" in page(visitor, campaign.get_absolute_url())


def test_the_alert_goes_on_firing_when_it_is_looked_at(visitor):
    alert = Alert.unscoped.get(state=Alert.State.FIRING)
    watching.watch_over(alert.owner_id, now())

    found = Alert.unscoped.values_list("name", "state", "calls")
    assert dict((name, state) for name, state, _calls in found) == {
        "London recalls fail": "firing",
        "Callers are not answered": "ok",
        "Replies are slow": "ok",
        "A dear week": "ok",
    }
    assert not Mail.unscoped.exists()


def test_there_is_a_campaign_in_each_state_to_look_at(visitor):
    campaigns = Campaign.unscoped.order_by("pk")
    states = {campaign.name: campaign.status for campaign in campaigns}
    pages = [page(visitor, campaign.get_absolute_url()) for campaign in campaigns]

    assert states == {
        "Closed on Monday": "canceled",
        "Reminders for this week": "completed",
        "Whitening until July": "paused",
        RECALL: "paused",
        "Six-month check-ups": "running",
        "Friday is moved": "ready",
    }
    assert all(name in page for name, page in zip(states, pages, strict=True))


def test_running_campaign_waits_for_tomorrow(visitor):
    campaign = Campaign.unscoped.get(status="running")

    campaign_turns.tick(now())

    campaign.refresh_from_db()
    rows = ScheduledCall.unscoped.filter(campaign=campaign)
    assert (campaign.status, rows.waiting().count()) == ("running", 11)
    assert "Nobody is to be called before that" in page(
        visitor, campaign.get_absolute_url()
    )


def test_nothing_of_it_acts_by_itself(visitor):
    assert mail.outbox == []
    assert not Delivery.unscoped.filter(status=Delivery.Status.PENDING).exists()
    assert not Call.unscoped.in_progress().exists()
    assert not Message.unscoped.filter(status__in=["later", "waiting"]).exists()
    due = ScheduledCall.unscoped.filter(status="pending", next_attempt_at__isnull=False)
    assert due.filter(campaign__isnull=False).count() == 0


def test_furnished_again_it_is_the_same(visitor):
    kinds = OwnedModel.__subclasses__()
    before = [kind._base_manager.count() for kind in kinds if not kind._meta.abstract]

    call_command("furnish_demo")

    assert before == [
        kind._base_manager.count() for kind in kinds if not kind._meta.abstract
    ]
