"""The operators' pages: workspaces, features, queues, what was given up."""

from datetime import timedelta
from uuid import UUID

import pytest
import redis
from celery import current_app
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts import failed_tasks, switches
from accounts.models import AuditEntry, FailedTask, SwitchedOff, Workspace
from hooks import services as hooks
from hooks.models import Delivery
from hooks.tests.conftest import make_endpoint
from telephony import tasks
from telephony.models import AfterCall, CarrierRemoval, Message
from telephony.tests.calls import make_call, make_phone
from tests.people import make_operator
from tests.test_redis_away import NOBODY
from tests.walls import furnish
from voiceops import pulse
from voiceops.ids import uuid7
from voiceops.operators import queues

pytestmark = pytest.mark.django_db(transaction=True)
FEATURES, QUEUES, GIVEN_UP = "/admin/features/", "/admin/queues/", "/admin/given-up/"


@pytest.fixture
def root(db):
    return make_operator()


def page_of(workspace):
    return f"/admin/workspaces/{workspace.pk}/"


def told(root, path):
    """What an operator reads there."""
    answer = root.client.get(path)
    assert answer.status_code == 200
    assert "unsafe" not in answer["Content-Security-Policy"]
    return answer.content.decode()


# -- Workspaces ------------------------------------------------------------------------


def test_workspace_is_suspended_and_goes_on_with_reasons(root, alice):
    path = page_of(alice.workspace)

    root.client.post(f"{path}suspend/", {"reason": "Strangers were called"})
    suspended = told(root, path)
    root.client.post(f"{path}resume/", {"reason": "It was none"})

    assert "Strangers were called" in suspended
    assert not Workspace.objects.get(pk=alice.workspace.pk).is_suspended
    entries = AuditEntry.unscoped.filter(owner=alice.workspace, source="operator")
    assert [
        (entry.action, entry.user, entry.actor_name) for entry in entries.order_by("pk")
    ] == [("suspended", root.user, "Operator"), ("resumed", root.user, "Operator")]
    assert LogEntry.objects.filter(change_message__contains="It was none").exists()


@pytest.mark.parametrize("action", ["suspend", "resume"])
def test_without_a_reason_nothing_happens(action, root, alice):
    root.client.post(f"{page_of(alice.workspace)}{action}/", {"reason": " "})

    assert not Workspace.objects.get(pk=alice.workspace.pk).is_suspended
    assert not AuditEntry.unscoped.filter(source="operator").exists()


def test_page_tells_what_is_used_without_reading_calls_or_texts(root, alice):
    furnish(alice)

    with CaptureQueriesContext(connection) as asked:
        page = told(root, page_of(alice.workspace))

    assert "Of all its time it has" in page
    for query in asked:
        assert "telephony_call" not in query["sql"]
        assert "telephony_message" not in query["sql"]
        assert "COUNT(" not in query["sql"]


def test_limits_are_set_in_the_admin_and_written_down(root, alice):
    form = {"name": "Alice", "timezone": "UTC", "most_numbers": 3}
    inline = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    path = f"/admin/accounts/workspace/{alice.workspace.pk}/change/"

    answer = root.client.post(path, form | inline)

    assert answer.status_code == 302
    assert Workspace.objects.get(pk=alice.workspace.pk).most_numbers == 3
    entry = AuditEntry.unscoped.get(owner=alice.workspace, source="operator")
    assert entry.changes["most_numbers"] == [None, 3]


def test_workspace_is_found_by_its_name_its_id_or_its_people(root, alice, mallory):
    def found(words):
        page = root.client.get("/admin/accounts/workspace/", {"q": words})
        return set(page.context["cl"].result_list)

    assert found("alice@example") == {alice.workspace}
    assert found("Mallory") == {mallory.workspace}
    assert found(str(mallory.workspace.pk)) == {mallory.workspace}


# -- Features --------------------------------------------------------------------------


def test_feature_is_switched_for_all_and_for_one(root, alice):
    switch = {"feature": "outgoing_calls", "reason": "Storm"}
    one = {"workspace": alice.workspace.pk}

    for form in (switch, switch | one):
        root.client.post(f"{FEATURES}switch/", form | {"wanted": "off"})
    page = told(root, FEATURES)
    off = set(SwitchedOff.objects.values_list("feature", "workspace"))
    for form in (switch, switch | one):
        root.client.post(f"{FEATURES}switch/", form | {"wanted": "on"})

    assert off == {
        ("outgoing_calls", None),
        ("outgoing_calls", alice.workspace.pk),
    }
    assert page_of(alice.workspace) in page
    assert not SwitchedOff.objects.exists()
    assert not switches.is_off("outgoing_calls", alice.workspace.pk)
    entries = AuditEntry.unscoped.filter(owner=alice.workspace, source="operator")
    assert [entry.changes["outgoing_calls"] for entry in entries.order_by("pk")] == [
        ["on", "off"],
        ["off", "on"],
    ]
    logged = LogEntry.objects.filter(change_message__startswith="Outgoing calls")
    assert logged.count() == 4


@pytest.mark.parametrize(
    "form", [{"feature": "all"}, {"reason": ""}, {"wanted": "x"}, {"workspace": "x"}]
)
def test_what_makes_no_sense_switches_nothing(form, root):
    good = {"feature": "outgoing_calls", "reason": "Storm", "wanted": "off"}

    answer = root.client.post(f"{FEATURES}switch/", good | form)

    assert answer.url == FEATURES
    assert not SwitchedOff.objects.exists()


# -- Queues ----------------------------------------------------------------------------


@pytest.fixture
def broker(patient_broker_url):
    pulse.client().flushdb()
    return pulse.client()


def test_page_tells_what_is_due_and_late(root, alice):
    call = make_call(alice.workspace)
    long_ago = now() - timedelta(minutes=10)
    AfterCall.unscoped.create(owner=alice.workspace, call=call, next_try_at=long_ago)

    (box,) = [box for box in queues.outboxes(now()) if box.due]

    assert (box.name, box.due, box.oldest, box.is_late) == (
        "After calls",
        1,
        long_ago,
        True,
    )
    assert "late: is a worker there?" in told(root, QUEUES)


def test_page_tells_who_works_and_what_takes_long(root, broker):
    broker.lpush(pulse.QUEUE, "a task", "another")
    pulse._note_worker("celery@one")
    pulse._note_slow("telephony.tasks.look_for_lost_calls", 12.34)
    pulse._note_slow("telephony.tasks.look_for_lost_calls", 2.5)

    page = told(root, QUEUES)
    known = pulse.read()

    assert "celery@one" in page
    assert (known.queued, known.beat_at) == (2, None)
    assert known.slow == [("telephony.tasks.look_for_lost_calls", 12.3)]


def test_page_opens_while_redis_is_away(root, settings):
    settings.REDIS_URL = NOBODY

    page = told(root, QUEUES)

    assert "Redis does not answer (ConnectionError)" in page


def test_workers_and_beat_tell_nobody_while_redis_is_away(settings):
    settings.REDIS_URL = NOBODY

    pulse._tell(lambda: pulse._note_worker("celery@one"))

    with pytest.raises(redis.ConnectionError):
        pulse.client().ping()


# -- Given up --------------------------------------------------------------------------


def again(root, kind, pk):
    return root.client.post(f"{GIVEN_UP}{kind}/{pk}/")


def dead_delivery(owner, **fields):
    return Delivery.unscoped.create(
        owner=owner,
        endpoint=make_endpoint(owner),
        event="call.ended",
        payload="{}",
        status=Delivery.Status.DEAD,
        tries_left=0,
        error="It answered 500.",
        **fields,
    )


def test_everything_that_was_given_up_is_listed_with_its_reason(root, alice):
    owner = alice.workspace
    dead_delivery(owner)
    AfterCall.unscoped.create(
        owner=owner, call=make_call(owner), analysis="failed", error="No model."
    )
    failed_tasks.note("hooks.tasks.deliver", [], {}, ValueError("secret"), at=now())
    (text,) = [row for row in furnish(alice) if isinstance(row, Message)]
    Message.unscoped.filter(pk=text.pk).update(status="failed", error_code=30003)

    page = told(root, GIVEN_UP)

    for words in ("It answered 500.", "No model.", "ValueError", "(30003)"):
        assert words in page
    assert "secret" not in page
    assert f"{GIVEN_UP}text/" not in page


def test_dead_delivery_is_sent_again(root, alice):
    delivery = dead_delivery(alice.workspace)

    again(root, "delivery", delivery.pk)
    again(root, "delivery", delivery.pk)

    delivery.refresh_from_db()
    assert (delivery.status, delivery.tries_left) == ("pending", 8)
    assert delivery.next_try_at is not None


def test_dead_delivery_of_a_webhook_that_is_off_says_so(root, alice):
    delivery = dead_delivery(alice.workspace)
    type(delivery.endpoint).unscoped.update(is_enabled=False)

    again(root, "delivery", delivery.pk)

    delivery.refresh_from_db()
    assert delivery.status == "dead"
    assert "Enable the webhook first." in told(root, GIVEN_UP)


def test_failed_analysis_is_made_again(root, alice):
    row = AfterCall.unscoped.create(
        owner=alice.workspace,
        call=make_call(alice.workspace),
        step="done",
        analysis="failed",
    )

    again(root, "analysis", row.pk)

    row.refresh_from_db()
    assert (row.step, row.analysis) == ("analyzing", "waiting")


def test_deletion_that_the_carrier_refused_is_asked_for_again(root, alice):
    row = CarrierRemoval.unscoped.create(
        owner=alice.workspace,
        carrier_account=make_phone(alice.workspace).carrier_account,
        kind="recording",
        sid="RE1",
        status="refused",
        attempts=8,
        error="Not allowed.",
    )
    assert "Recording RE1: Not allowed." in told(root, GIVEN_UP)

    again(root, "removal", row.pk)

    row.refresh_from_db()
    assert (row.status, row.attempts, row.error) == ("waiting", 0, "")
    assert row.next_try_at is not None
    assert "RE1" not in told(root, GIVEN_UP)


@pytest.mark.parametrize(
    "address", ["text/1", "none/1", "delivery/x", "task/x", "task/99", "delivery/1"]
)
def test_what_is_not_there_cannot_be_tried_again(address, root):
    answer = root.client.post(f"{GIVEN_UP}{address}/")

    assert answer.status_code in {302, 404}


# -- Attempts and deliveries -----------------------------------------------------------


def test_calls_that_stand_still_are_found_by_step_and_age(root, alice):
    calls = {
        (placement, hours): make_call(
            alice.workspace,
            direction="outgoing",
            status="queued",
            placement=placement,
            end_reason="",
            ended_at=None,
            answered_at=None,
            asked_at=now() - timedelta(hours=hours),
        )
        for placement in ("unknown", "lost")
        for hours in (1, 5)
    }

    def shown(query):
        page = told(root, f"/admin/dialling/?{query}")
        return {which for which, call in calls.items() if str(call.pk) in page}

    assert shown("") == {("unknown", 1), ("unknown", 5)}
    assert shown("placement=unknown&hours=3") == {("unknown", 5)}
    assert shown("placement=lost&hours=0") == {("lost", 1), ("lost", 5)}
    assert shown("placement=none&hours=x") == {("unknown", 1), ("unknown", 5)}
    assert "dialling_settle" not in told(root, "/admin/dialling/?placement=lost")


def test_deliveries_are_sent_now_by_hand(root, alice):
    later = now() + timedelta(hours=5)
    waits = dead_delivery(alice.workspace)
    Delivery.unscoped.update(status="pending", next_try_at=later, tries_left=3)
    dead = dead_delivery(alice.workspace)

    root.client.post(
        "/admin/hooks/delivery/",
        {"action": "send_now", "_selected_action": [waits.pk, dead.pk]},
    )

    rows = Delivery.unscoped.order_by("pk")
    assert [(row.status, row.tries_left) for row in rows] == [
        ("pending", 3),
        ("pending", 8),
    ]
    assert all(row.next_try_at <= now() for row in rows)


def test_delivery_that_is_being_sent_is_left_alone(alice):
    row = dead_delivery(alice.workspace, claimed_until=now() + timedelta(minutes=1))
    Delivery.unscoped.update(status="pending")
    row.refresh_from_db()

    assert hooks.send_now(row) is False


# -- Tasks that failed -----------------------------------------------------------------


def test_task_that_raises_is_noted_and_sent_again(root, monkeypatch):
    def broken(*args):
        raise LookupError("+16285550142 is not known")

    monkeypatch.setattr("telephony.services.asking.place", broken)
    call_id, sent = str(uuid7()), []
    for _ in range(2):
        tasks.place_call.apply([call_id])

    row = FailedTask.objects.get()
    assert (row.name, row.ids, row.error, row.count) == (
        "telephony.tasks.place_call",
        call_id,
        "LookupError",
        2,
    )

    monkeypatch.setattr(
        current_app, "send_task", lambda name, args, **more: sent.append((name, args))
    )
    again(root, "task", row.pk)

    assert sent == [("telephony.tasks.place_call", [call_id])]
    assert not FailedTask.objects.exists()


def test_what_is_no_id_is_not_kept(root):
    failed_tasks.note("a.task", ["+16285550142", 7], {}, ValueError(), at=now())

    row = FailedTask.objects.get()
    assert (row.ids, row.is_repeatable) == ("7", False)
    assert failed_tasks.send_again(row) is False


def test_only_the_latest_failures_are_kept(monkeypatch):
    monkeypatch.setattr(failed_tasks, "MOST_KEPT", 3)
    for number in range(5):
        at = now() + timedelta(minutes=number)
        failed_tasks.note("a.task", [number], {}, ValueError(), at=at)

    kept = FailedTask.objects.order_by("last_at").values_list("ids", flat=True)
    assert list(kept) == ["2", "3", "4"]


# -- The door --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [FEATURES, QUEUES, GIVEN_UP, f"/admin/workspaces/{UUID(int=1)}/"]
)
def test_pages_are_for_superusers(path):
    staff = make_operator("staff", is_staff=True)
    cache.clear()

    assert staff.client.get(path).status_code == 403
