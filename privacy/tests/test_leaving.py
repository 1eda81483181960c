"""A workspace goes after its grace, whole and alone; a person goes where they may."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.utils.timezone import now

from accounts.models import AccessToken, AuditEntry, Membership, User, Workspace
from accounts.tenancy import OwnedModel
from privacy import leaving
from privacy.models import WorkspaceRemoval
from privacy.tests.test_retention import make_text
from telephony.models import Call, Campaign, Message, RecurringCall, ScheduledCall
from telephony.tests.calls import make_agent, make_call, make_live_call, make_phone
from tests.people import join
from tests.walls import furnish, owned_models
from voiceops.isolation.tenants import snapshot

pytestmark = pytest.mark.django_db

URL = "/settings/data/delete"


def membership(tenant):
    return Membership.objects.get(user=tenant.user, workspace=tenant.workspace)


def plan(tenant):
    by = membership(tenant)
    return leaving.plan(by.workspace, by=by, typed=by.workspace.name)


def time_comes():
    open_ones = WorkspaceRemoval.objects.filter(next_try_at__isnull=False)
    open_ones.update(next_try_at=now() - timedelta(seconds=1))
    leaving.run()


def left_of(workspace):
    return [
        model
        for model in apps.get_models()
        if issubclass(model, OwnedModel)
        and model.unscoped.filter(owner=workspace).exists()
    ]


def test_rows_that_point_at_others_go_first():
    order = leaving.pointing_first()

    assert set(order) == set(owned_models())
    for place, model in enumerate(order):
        later = order[place + 1 :]
        assert not leaving._is_pointed_at(model, later), model


def test_all_of_it_goes_after_the_grace_and_nothing_of_others(alice, mallory, settings):
    settings.TWILIO_API_BASE_URL = "http://127.0.0.1:9"  # nobody listens
    furnish(alice)
    furnish(mallory)
    Call.unscoped.update(status="completed", ended_at=now())
    theirs = snapshot(mallory)
    plan(alice)
    leaving.run()
    assert Workspace.objects.get(pk=alice.workspace.pk).deleted_from

    time_comes()

    removal = WorkspaceRemoval.objects.get()
    assert (removal.status, removal.next_try_at) == ("done", None)
    assert removal.counts["telephony.call"] == 1
    assert not Workspace.objects.filter(pk=alice.workspace.pk).exists()
    assert left_of(alice.workspace) == []
    assert snapshot(mallory) == theirs
    assert User.objects.filter(pk=alice.user.pk).exists()
    assert alice.client.get("/").status_code == 200  # in a new workspace


def test_it_goes_on_where_it_was_killed(alice, monkeypatch):
    for _ in range(3):
        make_call(alice.workspace)
    plan(alice)
    monkeypatch.setattr(leaving, "CHUNK", 1)
    whole, pieces = leaving._purge_piece, iter(range(2))

    def die(workspace_id):
        if next(pieces, None) is None:
            raise KeyboardInterrupt
        return whole(workspace_id)

    monkeypatch.setattr(leaving, "_purge_piece", die)
    with pytest.raises(KeyboardInterrupt):
        time_comes()
    monkeypatch.setattr(leaving, "_purge_piece", whole)
    WorkspaceRemoval.objects.update(claimed_until=None)
    time_comes()

    assert not Workspace.objects.filter(pk=alice.workspace.pk).exists()


def test_it_is_out_of_service_and_waits_for_the_end_of_calls(alice):
    call = make_live_call(alice.workspace)
    token = alice.api("GET", "/api/auth/me").status_code
    plan(alice)

    time_comes()
    removal = WorkspaceRemoval.objects.get()
    assert (token, removal.status) == (200, "stopping")
    assert not AccessToken.unscoped.filter(
        owner=alice.workspace, revoked_at=None
    ).exists()
    call.advance("completed", at=now())
    time_comes()

    assert not Workspace.objects.filter(pk=alice.workspace.pk).exists()


def test_what_is_scheduled_is_canceled_at_once_and_stays_so(alice, mallory):
    for tenant in (alice, mallory):
        schedule_all_kinds(tenant.workspace)
    theirs = snapshot(mallory)

    plan(alice)
    assert leaving.take_back(alice.workspace, by=membership(alice))

    mine = {"owner": alice.workspace}
    row, again = ScheduledCall.unscoped.filter(**mine).order_by("pk")
    assert (row.status, row.next_attempt_at) == ("canceled", None)
    assert (again.status, again.max_attempts) == ("dialing", 1)
    assert Call.unscoped.get(scheduled_call=row).status == "canceled"
    assert Campaign.unscoped.get(**mine).status == "canceled"
    assert RecurringCall.unscoped.get(**mine).deleted_at
    assert Message.unscoped.get(**mine).status == "canceled"
    assert snapshot(mallory) == theirs


def schedule_all_kinds(owner):
    agent, at = make_agent(owner), now() + timedelta(days=1)
    of_agent = {"owner": owner, "agent": agent}
    times = {"scheduled_for": at, "due_at": at}
    to_come = {**of_agent, **times, "to_number": "+14155550100"}
    row = ScheduledCall.unscoped.create(**to_come, next_attempt_at=at)
    ScheduledCall.unscoped.create(**to_come, status="dialing", max_attempts=3)
    make_live_call(
        owner, scheduled_call=row, placement="opened", status="queued",
        direction="outgoing", answered_at=None,
    )  # fmt: skip
    Campaign.unscoped.create(**of_agent, name="Spring", status="running", started_at=at)
    RecurringCall.unscoped.create(
        **of_agent, to_number="+14155550100", frequency="daily", time=at.time(),
        timezone="UTC", starts_on=at.date(), next_at=at,
    )  # fmt: skip
    make_text(
        owner,
        0,
        make_phone(owner, f"+1415555{owner.pk.int % 10_000:04}"),
        status="later",
        direction="outgoing",
        send_at=at,
    )


# -- By page ---------------------------------------------------------------------------


def test_owner_confirms_by_the_name_and_takes_it_back(alice):
    workspace = alice.workspace
    alice.client.post(URL, {"name": "Another"})
    assert not WorkspaceRemoval.objects.exists()

    alice.client.post(URL, {"name": workspace.name})
    assert "will be deleted on" in alice.client.get("/calls").content.decode()
    alice.client.post("/settings/data/keep")

    workspace.refresh_from_db()
    assert workspace.deleted_from is None
    assert not WorkspaceRemoval.objects.exists()
    told = AuditEntry.unscoped.filter(kind="workspace").order_by("pk")
    assert [entry.action for entry in told][-2:] == ["deleted", "restored"]


def test_what_has_begun_is_not_taken_back(alice):
    make_live_call(alice.workspace)
    owner = membership(alice)
    plan(alice)
    time_comes()

    with pytest.raises(PermissionDenied):  # nobody is in it any more
        leaving.take_back(alice.workspace, by=owner)
    assert Workspace.objects.get(pk=alice.workspace.pk).deleted_from


def test_admins_delete_no_workspace(alice):
    admin = join(alice, "ada", Membership.Role.ADMIN)

    answer = admin.client.post(URL, {"name": alice.workspace.name})

    assert answer.status_code == 403
    assert not WorkspaceRemoval.objects.exists()


# -- A person --------------------------------------------------------------------------


def test_person_leaves_what_others_own_and_takes_along_what_nobody_else_is_in(alice):
    bob = join(alice, "bob", Membership.Role.MEMBER)
    own = leaving.members.open_workspace(bob.user, name="Bob’s", timezone="UTC")

    leaving.delete_person(bob.user, typed="Bob@example.com ")
    time_comes()

    assert not User.objects.filter(email="bob@example.com").exists()
    assert not Workspace.objects.filter(pk=own.pk).exists()
    assert Workspace.objects.filter(pk=alice.workspace.pk).exists()
    assert AuditEntry.unscoped.filter(owner=alice.workspace, action="left").exists()
    assert bob.client.get("/calls").status_code == 302


def test_owner_with_others_hands_over_first(alice):
    join(alice, "bob", Membership.Role.MEMBER)

    with pytest.raises(leaving.Refused, match="Others are in"):
        leaving.delete_person(alice.user, typed=alice.user.email)

    assert User.objects.filter(pk=alice.user.pk).exists()
    assert not WorkspaceRemoval.objects.exists()


@pytest.mark.parametrize("typed", ["", "mallory@example.com"])
def test_address_is_typed_to_confirm(typed, alice):
    with pytest.raises(leaving.Refused):
        leaving.delete_person(alice.user, typed=typed)
