"""An alert begins once and ends once, and both are told once, whatever happens."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.utils import timezone

from agents.services import delete_agent
from alerts import addresses, episodes, mails, services, watching
from alerts.models import Alert, Episode, Mail
from alerts.tests.calls import AT, MINUTE, call, calls, look, make_alert
from hooks import tasks as hook_tasks
from hooks.models import Delivery
from hooks.tests.conftest import make_endpoint, stub_service  # noqa: F401
from telephony.tests.calls import make_agent
from tests.people import join

pytestmark = pytest.mark.django_db

HOUR = 60 * MINUTE


@pytest.fixture
def alert(alice):
    return make_alert(alice.workspace)


def open_episode():
    return Episode.unscoped.get(ended_at=None)


def subjects():
    mails.send_due()
    return [message.subject for message in mail.outbox]


def state_of(alert):
    alert.refresh_from_db()
    return alert.state, alert.value, alert.calls, alert.checked_at


def recover(alert, at):
    """The calls that failed are out of the window, others went well; some looks."""
    calls(alert.owner, good=4, before=-75)
    for minutes in (80, 81, 95):
        look(at + minutes * MINUTE)


def test_it_begins_and_ends_once(alert, mallory):
    calls(alert.owner, good=3, bad=1)
    calls(mallory.workspace, good=9, bad=9)
    look()
    look()
    look(AT + MINUTE)

    episode = open_episode()
    assert (episode.alert, episode.started_at, episode.calls) == (alert, AT, 4)
    assert (episode.value, episode.worst) == (25, 25)
    assert state_of(alert) == ("firing", 25, 4, AT + MINUTE)
    assert subjects() == ["Alert: Calls fail (Alice's workspace)"]

    recover(alert, AT)

    episode.refresh_from_db()
    assert (episode.ended_at, episode.end_reason) == (AT + 95 * MINUTE, "recovered")
    assert (episode.end_value, episode.end_calls) == (0, 4)
    assert state_of(alert)[0] == "ok"
    assert subjects() == [
        "Alert: Calls fail (Alice's workspace)",
        "Over: Calls fail (Alice's workspace)",
    ]


def test_too_few_calls_neither_begin_nor_end(alert):
    calls(alert.owner, bad=3)
    look()
    assert state_of(alert) == ("unknown", 100, 3, AT)

    calls(alert.owner, bad=1)
    look()
    look(AT + 5 * HOUR)  # nobody has called since

    assert open_episode().started_at == AT
    assert state_of(alert)[:3] == ("firing", None, 0)


def test_the_worst_is_kept(alert):
    calls(alert.owner, good=3, bad=1)
    look()
    calls(alert.owner, bad=4)
    look(AT + MINUTE)
    calls(alert.owner, good=8)
    look(AT + 2 * MINUTE)

    assert open_episode().worst == Decimal("62.5")
    assert open_episode().value == 25


def test_silence_ends_with_the_next_call_even_one_that_goes_on(alice):
    make_alert(alice.workspace, metric="no_calls", threshold=None)
    call(alice.workspace, before=61)
    look()
    assert open_episode().started_at == AT

    call(alice.workspace, before=-1, ended_at=None, status="in-progress")
    look(AT + 2 * MINUTE)

    assert not Episode.unscoped.filter(ended_at=None).exists()


def test_closed_hours_are_no_silence(alice):
    hours = {"timezone": "UTC", "days": {"wed": [["08:00", "12:00"]]}}
    alert = make_alert(
        alice.workspace, metric="no_calls", threshold=None, working_hours=hours
    )
    call(alice.workspace, before=300)
    look()

    assert state_of(alert)[0] == "unknown"
    look(AT - 8 * MINUTE)
    assert state_of(alert)[0] == "firing"


def test_what_is_off_deleted_or_anothers_is_not_looked_at(alice, alert):
    calls(alice.workspace, bad=4)
    services.deactivate(alert)
    deleted = make_alert(alice.workspace)
    services.delete(deleted)
    look()

    assert not Episode.unscoped.exists()


def test_who_switches_it_off_ends_it_and_mails_nobody(alice, alert):
    endpoint = make_endpoint(alice.workspace)
    calls(alice.workspace, bad=4)
    look()
    services.deactivate(alert)
    look(AT + MINUTE)

    episode = Episode.unscoped.get()
    assert episode.end_reason == "switched_off"
    assert len(subjects()) == 1
    told = Delivery.unscoped.filter(endpoint=endpoint).order_by("pk")
    assert [one.event for one in told] == ["alert.started", "alert.ended"]


def test_an_alert_of_a_deleted_agent_is_over(alice):
    agent = make_agent(alice.workspace)
    alert = make_alert(alice.workspace, agent=agent)
    for _ in range(4):
        call(alice.workspace, 5, agent=agent, status="failed")
    look()
    assert open_episode().alert == alert

    delete_agent(agent)
    look(AT + MINUTE)

    assert Episode.unscoped.get().end_reason == "switched_off"
    assert state_of(alert)[0] == "unknown"


# -- Muted -----------------------------------------------------------------------------


def test_what_begins_while_it_is_muted_is_told_when_that_is_over(alert):
    services.mute(alert, until=AT + 2 * MINUTE)
    calls(alert.owner, bad=4)
    look()
    look(AT + MINUTE)
    assert (open_episode().told_at, subjects()) == (None, [])

    look(AT + 2 * MINUTE)
    look(AT + 3 * MINUTE)

    assert open_episode().told_at == AT + 2 * MINUTE
    assert len(subjects()) == 1


def test_what_begins_and_ends_while_it_is_muted_is_told_to_nobody(alice, alert):
    make_endpoint(alice.workspace)
    services.mute(alert, until=AT + 5 * HOUR)
    calls(alert.owner, bad=4)
    look()
    recover(alert, AT)

    assert Episode.unscoped.get().end_reason == "recovered"
    assert subjects() == []
    assert not Delivery.unscoped.exists()


# -- E-mails ---------------------------------------------------------------------------


def test_the_mail_says_what_was_found_and_where_to_look(alice, alert, settings):
    settings.PUBLIC_BASE_URL = "https://calls.example.com"
    alice.user.timezone = "Europe/Berlin"
    alice.user.save()
    calls(alert.owner, good=3, bad=1)
    look()
    mails.send_due()

    (message,) = mail.outbox
    assert message.to == ["alice@example.com"]
    assert (
        "25 % of 4 calls failed from Wed 4 Mar 2026, 12:00 to Wed 4 Mar 2026, 13:07 "
        "(Europe/Berlin)." in message.body
    )
    assert (
        "fires at: More than 20 % of calls failed within 1 hour, of at least 4 calls. "
        "It looks at: All calls." in message.body
    )
    assert (
        "https://calls.example.com/?from=2026-03-04&to=2026-03-04"
        "&timezone=Europe%2FBerlin\n" in message.body
    )
    assert (
        "https://calls.example.com/calls?kind=counted"
        "&since=2026-03-04T11%3A00%3A00%2B00%3A00"
        "&until=2026-03-04T12%3A07%3A00%2B00%3A00\n" in message.body
    )
    assert f"https://calls.example.com/alerts/{alert.pk}\n" in message.body


def test_the_link_in_the_mail_shows_exactly_the_calls(alice, alert):
    calls(alice.workspace, bad=4)
    call(alice.workspace, before=68)  # before the window
    look()
    call(alice.workspace, before=-1)
    episode = open_episode()
    since = addresses.window_of(alert, episode, AT)

    page = alice.client.get(addresses.calls(alert, since, AT))

    assert len(page.context["page"].rows) == episode.calls == 4


def test_the_mail_of_a_silence_tells_the_working_time(alice):
    hours = {
        "timezone": "UTC",
        "days": {"tue": [["16:00", "17:00"]], "wed": [["12:00", "17:00"]]},
    }
    make_alert(alice.workspace, metric="no_calls", threshold=None, working_hours=hours)
    look()
    mails.send_due()

    (message,) = mail.outbox
    assert (
        "Nobody has called from Tue 3 Mar 2026, 16:07 to Wed 4 Mar 2026, 12:07 (UTC)."
        in message.body
    )


def test_mails_go_to_those_who_were_chosen(alice, alert):
    bob, carol = join(alice, "bob", "member"), join(alice, "carol", "admin")
    join(alice, "dan", "viewer")
    member = bob.user.memberships.get()

    def told(mail_to):
        alert.mail_to = mail_to
        return {one.user.email for one in episodes.recipients(alert)}

    owner, admin, chosen = alice.user.email, carol.user.email, bob.user.email
    assert told(["admins"]) == {owner, admin}
    assert told(["admins", str(member.pk)]) == {owner, admin, chosen}
    assert told([str(member.pk)]) == {chosen}
    assert told([]) == set()
    member.delete()
    assert told([str(member.pk)]) == {owner, admin}


def test_a_worker_that_died_before_mailing_is_made_up_for(alert):
    """The row was committed, the hint was lost: the next bell mails, and once."""
    calls(alert.owner, bad=4)
    look()
    assert not mail.outbox

    for _bell in range(2):
        mails.send_due()

    assert len(mail.outbox) == 1
    assert Mail.unscoped.get().sent_at


def test_a_worker_that_died_while_mailing_is_made_up_for(alert):
    calls(alert.owner, bad=4)
    look()
    claimed = mails._claim(timezone.now())

    assert mails.send_due() == 0  # the claim holds
    Mail.unscoped.update(claimed_until=timezone.now())
    assert mails.send_due() == 1

    (message,) = mail.outbox
    assert claimed.pk.hex in message.extra_headers["Message-ID"]


def test_a_mail_server_that_is_away_is_tried_again(alert, monkeypatch):
    def away(self, messages):
        raise ConnectionRefusedError

    backend = "django.core.mail.backends.locmem.EmailBackend.send_messages"
    calls(alert.owner, bad=4)
    look()
    with monkeypatch.context() as patch:
        patch.setattr(backend, away)
        assert mails.send_due() == 0
    assert mails.send_due() == 0  # not at once
    waiting = Mail.unscoped.get()
    assert (waiting.tries, waiting.sent_at) == (1, None)
    assert waiting.next_try_at > timezone.now()

    Mail.unscoped.update(next_try_at=timezone.now())
    assert mails.send_due() == 1


def test_who_has_left_gets_no_mail(alice, alert):
    carol = join(alice, "carol", "admin")
    calls(alert.owner, bad=4)
    look()
    carol.user.memberships.all().delete()
    mails.send_due()

    assert [message.to for message in mail.outbox] == [["alice@example.com"]]


def test_a_test_reaches_people_and_programs(alice, alert):
    make_endpoint(alice.workspace)

    assert services.send_test(alert) == 1

    assert subjects() == ["Test of an alert: Calls fail (Alice's workspace)"]
    told = json.loads(Delivery.unscoped.get().payload)
    assert (told["type"], told["data"]["is_test"]) == ("alert.started", True)
    assert not Episode.unscoped.exists()


# -- Webhooks --------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_programs_are_told_signed_and_once(alice, alert, stub_service):  # noqa: F811
    make_endpoint(alice.workspace, f"{stub_service.url}/answer")
    make_endpoint(alice.workspace, f"{stub_service.url}/answer", events=["call.ended"])
    calls(alert.owner, good=3, bad=1)
    look()
    look(AT + MINUTE)
    recover(alert, AT)
    hook_tasks.deliver()

    bodies = [json.loads(one["body"]) for one in stub_service.requests]
    started, ended = sorted(bodies, key=lambda body: body["timestamp"])
    episode = Episode.unscoped.get()
    assert (started["type"], ended["type"]) == ("alert.started", "alert.ended")
    assert started["timestamp"] == "2026-03-04T12:07:00Z"
    assert started["data"] == {
        "id": str(episode.pk),
        "is_test": False,
        "alert_id": str(alert.pk),
        "name": "Calls fail",
        "metric": "failure_rate",
        "agent_id": None,
        "direction": "",
        "threshold": "20",
        "unit": "percent",
        "window_minutes": 60,
        "window_from": "2026-03-04T11:00:00Z",
        "window_to": "2026-03-04T12:07:00Z",
        "value": "25",
        "worst_value": "25",
        "calls": 4,
        "started_at": "2026-03-04T12:07:00Z",
        "ended_at": None,
        "end_reason": "",
        "end_value": None,
        "end_calls": None,
        "url": f"http://localhost:8000/alerts/{alert.pk}",
    }
    assert ended["data"]["end_reason"] == "recovered"
    assert (ended["data"]["value"], ended["data"]["end_value"]) == ("25", "0")


# -- The run ---------------------------------------------------------------------------


def test_one_workspace_that_breaks_holds_up_no_other(alice, mallory, monkeypatch):
    for tenant in (alice, mallory):
        make_alert(tenant.workspace)
        calls(tenant.workspace, bad=4)
    really = watching.watch_over

    def breaking(owner_id, at):
        if owner_id == alice.workspace.pk:
            raise RuntimeError
        really(owner_id, at)

    monkeypatch.setattr(watching, "watch_over", breaking)
    look()

    assert open_episode().owner == mallory.workspace


def test_who_waits_longest_comes_first_and_a_run_is_bounded(alice, mallory):
    for number, tenant in enumerate((alice, mallory)):
        alert = make_alert(tenant.workspace)
        Alert.unscoped.filter(pk=alert.pk).update(
            checked_at=AT - timedelta(hours=1 + number)
        )

    assert list(watching._owners()) == [mallory.workspace.pk, alice.workspace.pk]
    assert watching.watch(AT, limit_s=-1) == 0


def test_a_look_at_many_alerts_takes_few_statements(
    alice, django_assert_max_num_queries
):
    for _ in range(10):
        make_alert(alice.workspace, name="One of many")
    calls(alice.workspace, good=9)
    look()

    with django_assert_max_num_queries(8):
        watching.watch(AT + MINUTE)
