"""Who belongs to a workspace, by the pages."""

import re
import threading
from html import unescape

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction

from accounts import members, services
from accounts.models import AccessToken, Membership, Workspace
from tests.people import join, make_tenant


def text_of(response):
    """The words of the page, without tags and runs of white space."""
    words = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", unescape(words))


def roles_in(workspace):
    """Who is what, by first name."""
    people = Membership.objects.for_owner(workspace).select_related("user")
    return {person.user.get_short_name(): person.role for person in people}


def membership(tenant):
    return Membership.objects.get(user=tenant.user, workspace=tenant.workspace)


def post(actor, member, verb, **data):
    return actor.client.post(
        f"/settings/members/{membership(member).pk}/{verb}", data, follow=True
    )


EVERYBODY = {
    "Alice": "owner",
    "Admin": "admin",
    "Member": "member",
    "Viewer": "viewer",
}


def issue(tenant):
    return services.issue_api_key(
        owner=tenant.workspace, user=tenant.user, name="Reports", scopes=["read"]
    )


# -- The page ------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
def test_member_list_shows_everybody_and_what_they_are(team, role):
    issue(team["admin"])

    page = team[role].client.get("/settings/members")

    listed = [
        (member.user.get_short_name(), member.role, member.key_count)
        for member in page.context["members"]
    ]
    assert listed == [
        ("Alice", "owner", 0),
        ("Admin", "admin", 1),
        ("Member", "member", 0),
        ("Viewer", "viewer", 0),
    ]


def test_member_list_shows_nobody_of_another_workspace(team, mallory):
    page = mallory.client.get("/settings/members")

    assert [m.user for m in page.context["members"]] == [mallory.user]
    assert "alice@example.com" not in page.content.decode()


@pytest.mark.parametrize(
    ("role", "offered"),
    [
        ("owner", {"role", "remove", "make-owner", "invite"}),
        ("admin", {"role", "remove", "invite"}),
        ("member", set()),
        ("viewer", set()),
    ],
)
def test_member_list_offers_what_the_role_allows(team, role, offered):
    html = team[role].client.get("/settings/members").content.decode()

    found = {verb for verb in ("role", "remove", "make-owner") if f'/{verb}"' in html}
    found |= {"invite"} if "Send invitation" in html else set()
    assert found == offered


# -- Roles ---------------------------------------------------------------------------


def test_member_change_role_gives_it(team):
    page = post(team["admin"], team["viewer"], "role", role="member")

    assert roles_in(team["owner"].workspace) == EVERYBODY | {"Viewer": "member"}
    assert "viewer@example.com: Member" in text_of(page)


def test_member_change_role_holds_with_the_next_request(team):
    viewer = team["viewer"]
    before = viewer.client.get("/prompts/new").status_code

    post(team["owner"], viewer, "role", role="member")

    assert (before, viewer.client.get("/prompts/new").status_code) == (403, 200)


@pytest.mark.parametrize("role", ["owner", "boss", ""])
def test_member_change_role_never_makes_an_owner(team, role):
    for actor in ("owner", "admin"):
        post(team[actor], team["member"], "role", role=role)

    assert roles_in(team["owner"].workspace) == EVERYBODY


def test_member_change_role_leaves_the_owner_alone(team):
    page = post(team["admin"], team["owner"], "role", role="viewer")

    assert roles_in(team["owner"].workspace) == EVERYBODY
    assert "The owner's role can only be handed over." in text_of(page)


@pytest.mark.parametrize("actor", ["member", "viewer"])
@pytest.mark.parametrize(
    ("verb", "data"),
    [("role", {"role": "admin"}), ("remove", {}), ("make-owner", {})],
)
def test_members_are_managed_by_those_who_may(team, actor, verb, data):
    answers = [
        post(team[actor], team[other], verb, **data).status_code
        for other in ("owner", "admin", "member", "viewer")
    ]

    assert answers == [403] * 4
    assert roles_in(team["owner"].workspace) == EVERYBODY


@pytest.mark.parametrize("verb", ["role", "remove", "make-owner"])
def test_member_of_another_workspace_is_not_found(team, mallory, verb):
    answer = post(mallory, team["member"], verb, role="viewer")

    assert answer.status_code == 404
    assert roles_in(team["owner"].workspace) == EVERYBODY


# -- Removing and leaving --------------------------------------------------------------


def test_member_remove_ends_access_keys_and_log_ins_at_once(team):
    gone, stays = team["member"], team["admin"]
    key, key_secret = issue(gone)
    kept, _ = issue(stays)
    log_in = services.issue_login_token(gone.user)

    page = post(team["owner"], gone, "remove")

    assert "member@example.com is not a member any more. 1 API key" in text_of(page)
    assert "Member" not in roles_in(gone.workspace)
    assert services.find_token(key_secret) is None
    assert services.find_token(log_in) is None
    assert list(AccessToken.unscoped.usable().api_keys()) == [kept]


def test_member_remove_leaves_their_tokens_of_other_workspaces(team, mallory):
    elsewhere, secret = issue(mallory)
    Membership.objects.create(
        workspace=team["owner"].workspace, user=mallory.user, role="member"
    )
    member = Membership.objects.get(
        workspace=team["owner"].workspace, user=mallory.user
    )

    team["owner"].client.post(f"/settings/members/{member.pk}/remove")

    assert services.find_token(secret) == elsewhere


def test_member_remove_says_before_what_will_end(team):
    issue(team["member"])
    issue(team["member"])

    page = text_of(team["owner"].client.get("/settings/members"))

    assert "2 API keys made by them are revoked" in page


def test_member_who_was_removed_is_out_with_the_next_request(team):
    gone = team["member"]
    gone.client.get("/prompts")

    post(team["owner"], gone, "remove")
    page = gone.client.get("/settings/members")

    assert page.context["workspace"].name == "Member's workspace"
    assert [m.user for m in page.context["members"]] == [gone.user]
    assert page.context["members"][0].role == "owner"


def test_member_who_was_removed_falls_back_to_another_workspace(team, mallory):
    shared = team["owner"].workspace
    Membership.objects.create(workspace=shared, user=mallory.user, role="member")
    mallory.client.post("/settings/workspaces/switch", {"workspace": shared.pk})
    before = mallory.client.get("/prompts").context["workspace"]
    member = Membership.objects.get(workspace=shared, user=mallory.user)

    members.remove(member, by=membership(team["owner"]))

    assert before == shared
    assert mallory.client.get("/prompts").context["workspace"] == mallory.workspace


def test_token_of_somebody_who_left_is_refused_by_the_api(team):
    gone = team["member"]
    secret = services.issue_login_token(gone.user)
    Membership.objects.filter(user=gone.user).delete()  # even if it was not revoked

    answer = gone.client.get(
        "/api/prompts", headers={"authorization": f"Bearer {secret}"}
    )

    assert answer.status_code == 401


def test_member_remove_never_takes_the_owner(team):
    page = post(team["admin"], team["owner"], "remove")

    assert roles_in(team["owner"].workspace) == EVERYBODY
    assert "The owner cannot be removed." in text_of(page)


@pytest.mark.parametrize("role", ["admin", "member", "viewer"])
def test_workspace_leave_takes_one_out(team, role):
    _, secret = issue(team[role])

    page = team[role].client.post("/settings/workspace/leave", follow=True)

    assert "You left “Alice's workspace”. 1 API key was revoked." in text_of(page)
    assert role.title() not in roles_in(team["owner"].workspace)
    assert services.find_token(secret) is None


def test_workspace_leave_is_not_for_the_owner(team):
    page = team["owner"].client.post("/settings/workspace/leave", follow=True)

    assert "Make somebody else the owner before you leave." in text_of(page)
    assert roles_in(team["owner"].workspace) == EVERYBODY


# -- The owner -------------------------------------------------------------------------


def test_member_make_owner_hands_the_workspace_over(team):
    page = post(team["owner"], team["viewer"], "make-owner")

    assert "viewer@example.com owns this workspace now" in text_of(page)
    assert roles_in(team["owner"].workspace) == {
        "Alice": "admin",
        "Admin": "admin",
        "Member": "member",
        "Viewer": "owner",
    }


def test_member_make_owner_is_for_the_owner_alone(team):
    answer = post(team["admin"], team["admin"], "make-owner")

    assert answer.status_code == 403
    assert roles_in(team["owner"].workspace) == EVERYBODY


def test_member_make_owner_of_oneself_changes_nothing(team):
    page = post(team["owner"], team["owner"], "make-owner")

    assert "You are the owner already." in text_of(page)
    assert roles_in(team["owner"].workspace) == EVERYBODY


def test_member_list_asks_for_the_name_before_handing_over(team):
    html = team["owner"].client.get("/settings/members").content.decode()

    assert html.count('data-typed-confirm="Alice&#x27;s workspace"') == 3


def test_database_allows_one_owner_a_workspace(team):
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.filter(user=team["admin"].user).update(role="owner")


# -- Somebody acts who may not any more ------------------------------------------------


def test_services_ask_again_what_the_actor_may(team):
    stale = membership(team["admin"])
    Membership.objects.filter(pk=stale.pk).update(role="viewer")

    with pytest.raises(PermissionDenied):
        members.remove(membership(team["member"]), by=stale)

    assert roles_in(team["owner"].workspace) == EVERYBODY | {"Admin": "viewer"}


def test_services_refuse_who_was_removed_meanwhile(team):
    stale, other = membership(team["admin"]), membership(team["member"])
    stale.delete()
    other_pk = other.pk

    with pytest.raises(PermissionDenied):
        members.change_role(other, "viewer", by=Membership(**_fields(team["admin"])))

    assert Membership.objects.get(pk=other_pk).role == "member"


def _fields(tenant):
    return {"workspace": tenant.workspace, "user": tenant.user, "role": "admin"}


def test_services_tell_when_the_member_is_gone(team):
    gone = membership(team["member"])
    Membership.objects.filter(pk=gone.pk).delete()

    with pytest.raises(members.Refused, match="not a member any more"):
        members.change_role(gone, "viewer", by=membership(team["owner"]))


# -- Races -----------------------------------------------------------------------------


def at_once(*verbs):
    """Run the verbs in threads of their own, together; what each raised, or None."""
    barrier, outcomes = threading.Barrier(len(verbs)), [None] * len(verbs)

    def run(place, verb):
        try:
            barrier.wait(timeout=10)
            verb()
        except Exception as error:
            outcomes[place] = type(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=(place, verb))
        for place, verb in enumerate(verbs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return outcomes


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(5))
def test_race_of_handing_over_and_leaving_leaves_one_owner(_round):
    owner = make_tenant("alice")
    heir = join(owner, "heir", "admin")
    owning, inheriting = membership(owner), membership(heir)

    outcomes = at_once(
        lambda: members.transfer_ownership(inheriting, by=owning),
        lambda: members.leave(inheriting),
    )

    roles = roles_in(owner.workspace)
    assert outcomes.count(members.Refused) == 1
    assert roles in ({"Alice": "admin", "Heir": "owner"}, {"Alice": "owner"})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", range(5))
def test_race_of_an_owner_who_leaves_while_being_followed(_round):
    """The old owner hands over, leaves, and is demoted, all at once."""
    owner = make_tenant("alice")
    heir = join(owner, "heir", "admin")
    owning, inheriting = membership(owner), membership(heir)

    at_once(
        lambda: members.transfer_ownership(inheriting, by=owning),
        lambda: members.leave(owning),
        lambda: members.change_role(owning, "viewer", by=inheriting),
    )

    assert list(roles_in(owner.workspace).values()).count("owner") == 1


@pytest.mark.django_db(transaction=True)
def test_race_of_two_admins_removing_each_other_leaves_one():
    owner = make_tenant("alice")
    one, other = (membership(join(owner, n, "admin")) for n in ("one", "other"))

    outcomes = at_once(
        lambda: members.remove(one, by=other), lambda: members.remove(other, by=one)
    )

    assert sorted(outcomes, key=str) == sorted([PermissionDenied, None], key=str)
    assert len(roles_in(owner.workspace)) == 2


@pytest.mark.django_db(transaction=True)
def test_race_of_first_requests_opens_one_workspace():
    tenant = make_tenant("alice")
    Membership.objects.all().delete()
    Workspace.objects.all().delete()

    at_once(*[lambda: services.membership_of(tenant.user)] * 4)

    assert Workspace.objects.count() == 1
    assert Membership.objects.count() == 1
