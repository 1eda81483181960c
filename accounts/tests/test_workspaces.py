"""Several workspaces of one person."""

import uuid

import pytest

from accounts import services
from accounts.models import Membership, Workspace
from agents.models import Prompt
from tests.people import make_tenant


@pytest.fixture
def two(alice):
    """Alice, and a second workspace of hers as `alice.second`."""
    bob = make_tenant("bob")
    Membership.objects.create(workspace=bob.workspace, user=alice.user, role="viewer")
    alice.second = bob.workspace
    return alice


def switch(tenant, workspace_id):
    return tenant.client.post(
        "/settings/workspaces/switch", {"workspace": str(workspace_id)}
    )


def test_workspace_switch_changes_whose_rows_are_seen(two):
    for owner in (two.workspace, two.second):
        Prompt.unscoped.create(owner=owner, name=f"Of {owner.name}", text="Hello")

    before = two.client.get("/prompts").context["page"].object_list
    answer = switch(two, two.second.pk)
    after = two.client.get("/prompts").context["page"].object_list

    assert (answer.status_code, answer.url) == (302, "/")
    assert [prompt.name for prompt in before] == ["Of Alice's workspace"]
    assert [prompt.name for prompt in after] == ["Of Bob's workspace"]


def test_workspace_switch_brings_the_role_of_that_workspace(two):
    before = two.client.get("/prompts/new").status_code

    switch(two, two.second.pk)

    assert (before, two.client.get("/prompts/new").status_code) == (200, 403)


def test_workspace_switch_is_remembered_by_this_browser_alone(two, client):
    client.force_login(two.user)

    switch(two, two.second.pk)

    assert two.client.get("/calls").context["workspace"] == two.second
    assert client.get("/calls").context["workspace"] == two.workspace


def test_workspace_switch_holds_for_the_api_in_the_browser(two):
    switch(two, two.second.pk)

    me = two.client.get("/api/auth/me").json()

    assert (me["workspace"]["id"], me["role"]) == (str(two.second.pk), "viewer")


@pytest.mark.parametrize("what", ["foreign", "unknown", "nonsense", ""])
def test_workspace_switch_to_what_is_not_ones_own_is_not_found(two, mallory, what):
    wanted = {"foreign": mallory.workspace.pk, "unknown": uuid.uuid4()}

    answer = switch(two, wanted.get(what, what))

    assert answer.status_code == 404
    assert two.client.get("/calls").context["workspace"] == two.workspace


def test_workspace_switch_takes_a_post(two):
    assert two.client.get("/settings/workspaces/switch").status_code == 405


def test_pages_offer_the_other_workspaces(two, mallory):
    html = two.client.get("/calls").content.decode()

    assert f'value="{two.second.pk}"' in html
    assert f'value="{two.workspace.pk}"' not in html
    assert str(mallory.workspace.pk) not in html


def test_workspace_create_makes_it_and_goes_there(alice):
    answer = alice.client.post(
        "/settings/workspaces/new", {"name": "Second", "timezone": "Asia/Kathmandu"}
    )

    page = alice.client.get("/settings/members")
    assert (answer.status_code, answer.url) == (302, "/")
    assert (page.context["workspace"].name, page.context["workspace"].timezone) == (
        "Second",
        "Asia/Kathmandu",
    )
    assert [(m.user, m.role) for m in page.context["members"]] == [
        (alice.user, "owner")
    ]


def test_workspace_create_tells_what_is_wrong(alice):
    answer = alice.client.post(
        "/settings/workspaces/new", {"name": "", "timezone": "Mars/Olympus"}
    )

    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == {"name", "timezone"}
    assert Workspace.objects.count() == 1


def test_token_belongs_to_one_workspace(two):
    Prompt.unscoped.create(owner=two.second, name="Bob's", text="Hello")
    _, secret = services.issue_api_key(
        owner=two.second, user=two.user, name="Reports", scopes=["read"]
    )
    switch(two, two.workspace.pk)

    answer = two.client.get(
        "/api/prompts", headers={"authorization": f"Bearer {secret}"}
    ).json()

    assert [prompt["name"] for prompt in answer["results"]] == ["Bob's"]
