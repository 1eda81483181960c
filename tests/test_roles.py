"""Every route, as people of every role: a viewer reads everything, changes nothing."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import transaction

from accounts import permissions
from accounts.models import Membership
from tests.people import Tenant, join, make_tenant
from tests.tables import empty_again
from voiceops.isolation.routes import Kind, routes
from voiceops.isolation.tenants import MARK, furnish, snapshot
from voiceops.isolation.visitors import noting_writes

CHANGING = ("POST", "PUT", "PATCH", "DELETE")
REFUSED = {403, 405}

# Not about the workspace: what a person may do with themselves, in any role.
ONES_OWN = {
    "settings/profile": "one's own name and time zone",
    "settings/account/delete": "one's own account",
    "settings/account/export": "one's own data",
    "settings/workspaces/new": "a workspace of one's own",
    "settings/workspaces/switch": "where one works",
    "settings/workspace/leave": "one's own membership",
    "invitations/<>": "open to whoever has the mail",
    "auth/logout": "one's own log-in",
    "auth/me": "who asks",
    "workspaces": "where one is, and as what",
    "auth/sessions": "one's own log-ins",
    "auth/sessions/<>": "one's own log-ins",
}
# A POST because texts are long: they show what a text would become.
PREVIEWS = {
    "prompts/preview": "a text that is being written",
    "voice-agents/variables": "a form that is being filled in",
    "message-agents/variables": "a form that is being filled in",
    "api/prompts/<>/preview": "a prompt with values",
}
# Pages that hold nothing but a form to make something.
FORMS_TO_MAKE = {
    "prompts/new",
    "voice-agents/new",
    "message-agents/new",
    "tools/new",
    "voice-agents/<>/test-scripts/new",
    "numbers/new",
    "carrier-accounts/new",
    "calls/new",
    "inbox/new",
    "inbox/labels/<>",
    "inbox/canned-replies/<>",
    "settings/webhooks/new",
    "alerts/new",
    "alerts/<>/change",
    "scheduled-calls/new",
    "scheduled-calls/<>/change",
    "recurring-calls/new",
    "recurring-calls/<>/change",
    "campaigns/new",
    "campaigns/<>/change",
    "campaigns/<>/columns",
    "campaigns/<>/redial",
    "people/new",
    "people/<>/change",
    "settings/data/forget",
    "do-not-contact/new",
    "do-not-contact/<>/delete",
}


def name_of(route) -> str:
    """Its template without the names of what is filled in."""
    return re.sub("<[^>]*>", "<>", route.template)


def is_ones_own(route) -> bool:
    return name_of(route).removeprefix("api/") in ONES_OWN


ROUTES = [route for route in routes() if route.kind in {Kind.PAGE, Kind.API}]


@pytest.fixture(scope="module")
def people(django_db_setup, django_db_blocker):
    """The team, committed: to furnish a workspace takes longer than to ask a route."""
    with django_db_blocker.unblock():
        yield make_team()
        empty_again()


@pytest.fixture
def team(db, people):
    """What a test does to them is undone after it."""
    return people


def make_team():
    """The owner of a furnished workspace, a member and a viewer."""
    owner = make_tenant("alice")
    owner.rows = furnish(owner)
    rows = [*owner.rows, Membership.objects.get(user=owner.user)]
    owner.ids = {f"{row._meta.model_name}.id": str(row.pk) for row in rows}
    for name in ("sid", "number"):
        owner.ids |= {
            f"{row._meta.model_name}.{name}": str(value)
            for row in rows
            if (value := getattr(row, name, None))
        }
    team = {
        "owner": owner,
        "member": join(owner, "member", "member"),
        "viewer": join(owner, "viewer", "viewer"),
    }
    return {**team, "before": everything(owner)}


# What is meant by the id in an address that no GET tells it of.
MEANT = {
    "sessions": "accesstoken",
    "api-keys": "accesstoken",
    "do-not-contact": "donotcontact",
    "members": "membership",
    "invitations": "invitation",
}
# The ids that open an address, by what stands before them in it; none if no GET tells.
_openers: dict[str, list[str]] = {}


def paths(route, owner):
    """The route with the right one of the owner's ids; with each that may be it, where
    no GET tells which one that is.
    """
    if not route.parameters:
        return [route.path()]
    if route.stem not in _openers:
        with transaction.atomic():  # to open a thing may be to have read it
            _openers[route.stem] = _opening(route.stem, owner)
            transaction.set_rollback(True)
    return [route.path(id_) for id_ in _openers[route.stem] or _meant(route, owner)]


def _opening(stem, owner) -> list[str]:
    for route in ROUTES:
        if route.stem != stem or not route.parameters:
            continue
        found = []
        for id_ in _fitting(route, owner):
            status = ask(owner, route, "GET", route.path(id_)).status_code
            if status == 405:
                break  # whichever id it is
            if status != 404:
                found.append(id_)
        if found:
            return found
    return []


def _meant(route, owner) -> list[str]:
    *_, family, _ = route.stem.split("/")
    meant = owner.ids.get(f"{MEANT.get(family)}.id")
    return [meant] if meant else _fitting(route, owner)


def _fitting(route, owner) -> list[str]:
    """Each once; anything could stand where a number is meant."""
    is_number = "<str:number>" in route.template
    return [
        id_
        for id_ in dict.fromkeys(owner.ids.values())
        if route.takes(id_) and (id_.startswith("+") or not is_number)
    ]


def ask(tenant: Tenant, route, verb, path):
    if route.kind == Kind.API:
        body = {} if verb in CHANGING else None
        return tenant.api(verb, path, body)
    return tenant.client.generic(verb, path)


def everything(owner, tables=None):
    """All but log-in tokens: the viewer's are rows of the workspace, made by asking.

    Of some `tables`, where these alone were written.
    """
    rows = snapshot(owner, tables)
    if tokens := rows.get("AccessToken"):
        rows["AccessToken"] = [row for row in tokens if "'kind': 'login'" not in row]
    people = Membership.objects.filter(workspace=owner.workspace)
    return {**rows, "people": sorted(map(repr, people.values()))}


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if not is_ones_own(route)],
    ids=lambda route: route.template,
)
def test_viewer_changes_nothing(route, team):
    owner, viewer = team["owner"], team["viewer"]
    asked = paths(route, owner)

    with noting_writes() as written:
        answered = {
            verb: {ask(viewer, route, verb, path).status_code for path in asked}
            for verb in CHANGING
        }

    after = everything(owner, written)
    assert after == {name: team["before"][name] for name in after}
    if name_of(route) not in PREVIEWS:
        # Among the ids is the right one; those of other things may be unknown there.
        refusals = {verb: statuses - {404} for verb, statuses in answered.items()}
        assert all(refusals.values()), answered
        assert set().union(*refusals.values()) <= REFUSED, answered


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.template)
def test_viewer_reads_what_a_member_reads(route, team):
    for path in paths(route, team["owner"]):
        cache.clear()
        mine = ask(team["viewer"], route, "GET", path)
        theirs = ask(team["member"], route, "GET", path)

        assert {"private", "no-store"} <= set(mine["Cache-Control"].split(", ")), path
        if name_of(route) in FORMS_TO_MAKE:
            assert mine.status_code == 403
        elif theirs.status_code == 405:
            assert mine.status_code in REFUSED
        else:
            assert mine.status_code == theirs.status_code, path
            assert is_ones_own(route) or _shown(mine) == _shown(theirs), path


def _shown(answer) -> str | bool:
    """The whole answer of the API; of a page, whether it shows the owner's words."""
    text = b"".join(answer).decode("utf-8", "replace")
    if answer.headers.get("Content-Type", "").startswith("application/json"):
        return text
    return MARK in text


def test_viewer_walk_leaves_out_only_routes_that_exist():
    names = {name_of(route) for route in ROUTES}
    names |= {name.removeprefix("api/") for name in names}

    assert {*ONES_OWN, *PREVIEWS, *FORMS_TO_MAKE} - names == set()


def test_viewer_walk_would_notice_a_member(team):
    """Else it would prove nothing: what it is refused, a member may do."""
    owner = team["owner"]
    (row,) = [row for row in owner.rows if row._meta.model_name == "prompt"]

    answer = team["member"].client.post(
        f"/prompts/{row.pk}", {"name": "Changed", "text": "Changed", "version": 1}
    )

    assert answer.status_code not in REFUSED


def test_docs_show_the_table_of_the_code():
    page = Path(settings.BASE_DIR, "docs", "teams.md").read_text()

    assert permissions.as_markdown() in page
