"""The API of alerts."""

import pytest

from accounts import services as accounts
from accounts.models import AuditEntry
from alerts.models import Alert, Episode, Mail
from alerts.tests.calls import AT, calls, look, make_alert
from telephony.tests.calls import make_agent
from tests.people import join

pytestmark = pytest.mark.django_db

BODY = {
    "name": "Calls fail",
    "metric": "failure_rate",
    "threshold": "12.5",
    "window_minutes": 30,
    "minimum_calls": 3,
}


def test_an_alert_is_made_read_changed_and_deleted(alice):
    made = alice.api("POST", "/api/alerts", BODY)
    assert made.status_code == 201, made.content
    told = made.json()
    path = f"/api/alerts/{told['id']}"
    assert {name: told[name] for name in BODY} == BODY | {"threshold": "12.500000"}
    assert (told["unit"], told["state"], told["mail_to"]) == (
        *("percent", "new"),
        ["admins"],
    )

    changed = alice.api("PATCH", path, {"is_active": False, "mail_to": []}).json()
    assert (changed["is_active"], changed["mail_to"]) == (False, [])
    replaced = alice.api("PUT", path, BODY | {"name": "Other"}).json()
    assert (replaced["is_active"], replaced["mail_to"]) == (True, ["admins"])
    assert alice.api("GET", path).json() == replaced
    assert alice.api("DELETE", path).status_code == 204
    assert alice.api("GET", path).status_code == 404
    told = AuditEntry.unscoped.filter(kind="alert").order_by("pk")
    assert [entry.action for entry in told] == [
        *("created", "changed", "deactivated", "changed", "activated", "deleted"),
    ]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"threshold": None}, "threshold"),
        ({"threshold": "100"}, "threshold"),
        ({"threshold": "NaN"}, "threshold"),
        ({"window_minutes": 7}, "window_minutes"),
        ({"window_minutes": "60"}, "window_minutes"),
        ({"muted_until": "9999-12-31T23:59:59Z"}, "muted_until"),
        ({"minimum_calls": 0}, "minimum_calls"),
        ({"metric": "mood"}, "metric"),
        ({"metric": "spend"}, "currency"),
        ({"metric": "spend", "currency": "usd"}, "currency"),
        ({"working_hours": {"mon": 1}}, "working_hours"),
        ({"mail_to": ["somebody"]}, "mail_to"),
        ({"mail_to": "admins"}, "mail_to"),
        ({"state": "ok", "color": "red"}, "color"),
        ({"direction": "sideways"}, "direction"),
    ],
)
def test_what_cannot_be_watched_is_refused(given, field, alice):
    answer = alice.api("POST", "/api/alerts", BODY | given)

    assert answer.status_code == 400, answer.content
    assert list(answer.json()["errors"]) == [field]
    assert not Alert.unscoped.exists()


def test_what_an_alert_watches_stays(alice):
    alert = make_alert(alice.workspace)

    answer = alice.api("PATCH", f"/api/alerts/{alert.pk}", {"metric": "answer_rate"})

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["metric"]


def test_another_workspaces_rows_are_unknown(alice, mallory):
    theirs = make_alert(mallory.workspace)
    agent = make_agent(mallory.workspace)
    member = mallory.user.memberships.get()

    for path in ("", "/episodes", "/test"):
        verb = "POST" if path == "/test" else "GET"
        answer = alice.api(verb, f"/api/alerts/{theirs.pk}{path}")
        assert answer.status_code == 404
    assert alice.api("GET", "/api/alerts").json()["results"] == []
    for given in ({"agent_id": str(agent.pk)}, {"mail_to": [str(member.pk)]}):
        assert alice.api("POST", "/api/alerts", BODY | given).status_code == 400


def test_lists_are_filtered_and_strict(alice):
    make_alert(alice.workspace)
    make_alert(alice.workspace, metric="spend", currency="USD", state="ok")

    def metrics(query):
        found = alice.api("GET", f"/api/alerts?{query}").json()["results"]
        return [one["metric"] for one in found]

    assert metrics("") == ["spend", "failure_rate"]
    assert metrics("metric=spend") == metrics("state=ok") == ["spend"]
    for wrong in ("metric=mood", "color=red", "state=ok&state=new"):
        assert alice.api("GET", f"/api/alerts?{wrong}").status_code == 400


def test_episodes_tell_what_was_found(alice):
    alert = make_alert(alice.workspace)
    calls(alice.workspace, good=3, bad=1)
    look()

    (told,) = alice.api("GET", f"/api/alerts/{alert.pk}/episodes").json()["results"]

    episode = Episode.unscoped.get()
    assert told["id"] == str(episode.pk)
    assert told["started_at"] == told["told_at"] == "2026-03-04T12:07:00Z"
    assert (told["value"], told["worst_value"], told["calls"]) == (
        *("25.000000", "25.000000"),
        4,
    )
    assert (told["ended_at"], told["threshold"]) == (None, "20.000000")
    listed = alice.api("GET", f"/api/alerts/{alert.pk}").json()
    assert (listed["state"], listed["value"]) == ("firing", "25.000000")
    assert episode.started_at == AT


def test_a_test_is_sent_and_repeated_safely(alice):
    alert = make_alert(alice.workspace)
    path = f"/api/alerts/{alert.pk}/test"

    for _ in range(2):
        answer = alice.api("POST", path, HTTP_IDEMPOTENCY_KEY="once")

    assert (answer.status_code, answer.json()) == (202, {"mails": 1})
    assert Mail.unscoped.count() == 1


def test_roles_and_scopes_hold(alice):
    alert = make_alert(alice.workspace)
    viewer, member = join(alice, "vera", "viewer"), join(alice, "bob", "member")
    path = f"/api/alerts/{alert.pk}"

    assert viewer.api("GET", path).status_code == 200
    for verb in ("PUT", "PATCH", "DELETE"):
        assert viewer.api(verb, path, {}).status_code == 403
    assert viewer.api("POST", "/api/alerts", BODY).status_code == 403
    assert member.api("POST", "/api/alerts", BODY).status_code == 201
    _key, secret = accounts.issue_api_key(
        owner=alice.workspace, user=alice.user, name="Reader", scopes=["read"]
    )
    headers = {"authorization": f"Bearer {secret}"}
    assert alice.client.get(path, headers=headers).status_code == 200
    assert alice.client.delete(path, headers=headers).status_code == 403
