"""Pages about alerts."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.utils import timezone

from accounts.models import AuditEntry
from alerts import mails
from alerts.models import Alert, Episode
from alerts.tests.calls import AT, calls, look, make_alert
from analytics import rollup
from telephony.tests.calls import make_agent, make_call
from tests.people import join

pytestmark = pytest.mark.django_db

FORM = {
    "metric": "failure_rate",
    "name": "Calls fail",
    "agent": "",
    "direction": "",
    "threshold": "12.5",
    "window_minutes": "60",
    "minimum_calls": "3",
    "mail_to": ["admins"],
    "tells_webhooks": "on",
}


def text_of(answer):
    return answer.content.decode()


def entries():
    rows = AuditEntry.unscoped.filter(kind="alert").order_by("pk")
    return [f"{entry.action} {entry.kind}" for entry in rows]


def test_a_workspace_without_alerts_is_offered_some(alice, mallory):
    make_alert(mallory.workspace, name="Not yours")

    page = text_of(alice.client.get("/alerts"))

    assert page.count('action="/alerts/suggested"') == 5
    assert "Not yours" not in page


@pytest.mark.parametrize(
    "metric", ["answer_rate", "failure_rate", "reply_p95", "spend", "no_calls"]
)
def test_a_suggested_alert_is_made_with_one_click(metric, alice):
    made = alice.client.post("/alerts/suggested", {"metric": metric}, follow=True)

    alert = Alert.unscoped.get()
    assert made.redirect_chain == [(f"/alerts/{alert.pk}", 302)]
    assert (alert.metric, alert.is_active, alert.mail_to) == (metric, True, ["admins"])
    assert (alert.threshold is None) == (metric == "no_calls")
    assert bool(alert.working_hours) == (metric == "no_calls")
    assert entries() == ["created alert"]


@pytest.mark.parametrize(
    "metric", ["answer_rate", "failure_rate", "reply_p95", "spend", "no_calls"]
)
def test_a_form_asks_what_counts_and_can_be_sent_as_it_is(metric, alice):
    page = alice.client.get(f"/alerts/new?metric={metric}")
    form = page.context["form"]
    data = {"metric": metric}
    for one in filter(None, (form, form.hours)):
        data |= {bound.html_name: bound.value() or "" for bound in one}

    sent = alice.client.post("/alerts/new", data)

    assert sent.status_code == 302, sent.context["form"].errors
    assert Alert.unscoped.get().metric == metric


def test_an_alert_is_made_and_changed(alice):
    agent = make_agent(alice.workspace)
    alice.client.post("/alerts/new", FORM | {"agent": agent.pk})
    alert = Alert.unscoped.get()
    assert (alert.agent, alert.threshold) == (agent, Decimal("12.5"))

    changed = FORM | {"threshold": "15", "mail_to": []}
    answer = alice.client.post(f"/alerts/{alert.pk}/change", changed)

    assert answer["Location"] == f"/alerts/{alert.pk}"
    alert.refresh_from_db()
    assert (alert.threshold, alert.mail_to, alert.agent) == (15, [], None)
    assert entries() == ["created alert", "changed alert"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"threshold": "101"}, "From 0 % to 99.9 %."),
        ({"threshold": ""}, "This field is required."),
        ({"minimum_calls": "0"}, "greater than or equal to 1"),
        ({"window_minutes": "7"}, "Select a valid choice"),
        ({"mail_to": ["somebody"]}, "Select a valid choice"),
        ({"metric": "spend", "currency": "dollars"}, "at most 3 characters"),
        ({"metric": "spend", "currency": "12x"}, "Three capital letters"),
    ],
)
def test_a_form_says_what_is_wrong(given, told, alice):
    answer = alice.client.post("/alerts/new", FORM | given)

    assert answer.status_code == 422
    assert told in text_of(answer)
    assert not Alert.unscoped.exists()


def test_another_workspaces_agent_and_member_are_unknown(alice, mallory):
    agent = make_agent(mallory.workspace)
    member = mallory.user.memberships.get()

    for given in ({"agent": agent.pk}, {"mail_to": [str(member.pk)]}):
        assert alice.client.post("/alerts/new", FORM | given).status_code == 422


def test_an_alert_of_a_deleted_agent_keeps_it(alice):
    agent = make_agent(alice.workspace)
    alert = make_alert(alice.workspace, agent=agent)
    agent.put_away()
    path = f"/alerts/{alert.pk}/change"

    assert "Reception (deleted)" in text_of(alice.client.get(path))
    alice.client.post(path, FORM | {"agent": agent.pk, "name": "Renamed"})
    alert.refresh_from_db()

    assert (alert.name, alert.agent) == ("Renamed", agent)
    assert "Its agent was deleted" in text_of(alice.client.get("/alerts"))
    assert "Reception" not in text_of(alice.client.get("/alerts/new?metric=spend"))


def test_working_hours_are_kept_and_mended(alice):
    hours = {
        "hours-timezone": "Europe/Berlin",
        "hours-mon-0-from": "09:00",
        "hours-mon-0-to": "12:00",
    }
    form = FORM | {"metric": "no_calls"} | hours

    wrong = alice.client.post("/alerts/new", form | {"hours-mon-0-to": "08:00"})
    assert wrong.status_code == 422
    alice.client.post("/alerts/new", form)

    alert = Alert.unscoped.get()
    assert alert.working_hours == {
        "timezone": "Europe/Berlin",
        "days": {"mon": [["09:00", "12:00"]]},
    }
    assert alert.threshold is None


def test_the_preview_says_how_often_it_would_have_fired(alice):
    for days in (1, 2):
        at = timezone.now() - timedelta(days=days)
        for number in range(12):  # four fail, then more go well
            status = "failed" if number < 4 else "completed"
            then = at + timedelta(minutes=10 * number)
            make_call(alice.workspace, then, status=status)
    rollup.fold()

    bad = text_of(alice.client.post("/alerts/preview", FORM))
    good = text_of(alice.client.post("/alerts/preview", FORM | {"minimum_calls": 9}))
    wrong = text_of(alice.client.post("/alerts/preview", FORM | {"threshold": "x"}))

    assert "<strong>2 times</strong>" in bad
    assert "It would not have fired." in good
    assert "once the form is right" in wrong
    assert not Alert.unscoped.exists()


def test_pages_show_how_it_stands(alice):
    alert = make_alert(alice.workspace)
    assert "Not looked at yet" in text_of(alice.client.get("/alerts"))
    calls(alice.workspace, bad=4)
    look()

    listed = text_of(alice.client.get("/alerts"))
    page = text_of(alice.client.get(f"/alerts/{alert.pk}"))

    assert "Firing" in listed and "100 %" in listed
    assert "goes on" in page and "4 Mar, 12:07" in page
    assert "/calls?kind=counted&amp;since=" in page


def test_history_is_paged(alice):
    alert = make_alert(alice.workspace)
    rows = [
        Episode(
            owner=alice.workspace,
            alert=alert,
            started_at=AT + timedelta(hours=number),
            ended_at=AT + timedelta(hours=number, minutes=20),
            window_minutes=60,
            calls=number,
        )
        for number in range(51)
    ]
    Episode.unscoped.bulk_create(rows)

    first = alice.client.get(f"/alerts/{alert.pk}")
    older = alice.client.get(f"/alerts/{alert.pk}?before={first.context['page'].older}")

    assert len(first.context["history"]) == 50
    assert [past.episode for past in older.context["history"]] == [rows[0]]
    assert alice.client.get(f"/alerts/{alert.pk}?before=x").status_code == 422


def test_an_alert_is_muted_switched_off_tested_and_deleted(alice):
    alert = make_alert(alice.workspace)

    def post(action, **data):
        answer = alice.client.post(f"/alerts/{alert.pk}/{action}", data)
        alert.refresh_from_db()
        return answer

    post("mute", minutes=60)
    assert alert.is_muted(timezone.now() + timedelta(minutes=59))
    assert "Muted" in text_of(alice.client.get("/alerts"))
    post("mute", minutes=7)
    post("unmute")
    assert alert.muted_until is None
    post("deactivate")
    assert not alert.is_active
    post("activate")
    assert alert.is_active
    post("test")
    mails.send_due()
    assert len(mail.outbox) == 1
    assert post("delete")["Location"] == "/alerts"
    assert alert.is_deleted
    assert alice.client.get(f"/alerts/{alert.pk}").status_code == 404
    assert entries() == [
        "paused alert",
        "resumed alert",
        "deactivated alert",
        "activated alert",
        "deleted alert",
    ]


def test_a_deleted_alert_is_restored_switched_off(alice):
    alert = make_alert(alice.workspace)
    alice.client.post(f"/alerts/{alert.pk}/delete")

    alice.client.post(f"/deleted/{alert.pk}/restore")

    alert.refresh_from_db()
    assert (alert.is_deleted, alert.is_active) == (False, False)


def test_viewers_look_and_strangers_see_nothing(alice, mallory):
    alert = make_alert(alice.workspace)
    viewer = join(alice, "vera", "viewer")
    path = f"/alerts/{alert.pk}"

    assert viewer.client.get(path).status_code == 200
    assert "/mute" not in text_of(viewer.client.get(path))
    for action in ("change", "delete", "mute", "test", "deactivate"):
        assert viewer.client.post(f"{path}/{action}").status_code == 403
        assert mallory.client.post(f"{path}/{action}").status_code == 404
    assert mallory.client.get(path).status_code == 404
    assert not alert.is_deleted


def test_there_is_an_end_to_alerts(alice, monkeypatch):
    monkeypatch.setattr("alerts.services.MOST_ALERTS", 1)
    make_alert(alice.workspace)

    answer = alice.client.post("/alerts/new", FORM)

    assert "A workspace can have 1 alerts." in text_of(answer)
