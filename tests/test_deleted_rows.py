"""What is deleted is gone from every route that takes or shows its id, but history."""

import uuid

import pytest
from django.urls import resolve
from django.utils import timezone

from accounts import deleted
from accounts.tenancy import SoftDeleteModel
from agents.models import VoiceAgent
from telephony.models import Call, Phone
from tests.people import make_tenant
from tests.walls import furnish
from voiceops.isolation.routes import Kind, routes
from voiceops.isolation.sealed import sealed
from voiceops.isolation.tenants import two_tenants
from voiceops.isolation.visitors import Sent, Visitor, Way

pytestmark = pytest.mark.django_db

KINDS = pytest.mark.parametrize("kind", deleted.kinds(), ids=lambda kind: kind.key)
VERBS = {
    Kind.PAGE: ("GET", "POST"),
    Kind.API: ("GET", "POST", "PUT", "PATCH", "DELETE"),
}
WAYS = {Kind.PAGE: Way.SESSION, Kind.API: Way.TOKEN}
ASKED = [route for route in routes() if route.kind in WAYS]
# Where what is deleted is still shown, and why.
HISTORY = {
    "": "figures of what is gone can still be looked at",
    "calls": "calls of what is gone can still be looked for",
    "costs": "what it cost is still to be paid",
    "deleted": "it is the list of them",
    "settings/audit-log": "says that it was deleted",
}


def is_about_deleted(route):
    return route.template.removeprefix("api/").startswith("deleted")


@pytest.fixture(scope="module", autouse=True)
def _sealed(django_db_setup, django_db_blocker):
    """Nothing here asks a carrier."""
    with django_db_blocker.unblock(), sealed():
        yield


@KINDS
def test_its_id_opens_nothing_any_more(kind):
    with two_tenants() as (tenant, _):
        visitor, row = Visitor(tenant), tenant.row(kind.model)

        def ask(route, verb):
            path = route.path(str(row.pk))
            return visitor.ask(WAYS[route.kind], verb, route, path, Sent()).status

        others = set()  # addresses of other kinds of things, up to their id

        def opening_verbs(route):
            for verb in VERBS[route.kind] if route.stem not in others else ():
                status = ask(route, verb)
                if status == 404:  # it is no id of this route, by any verb
                    if route.template == f"{route.stem}>":
                        others.add(route.stem)
                    return
                if status != 405:
                    yield verb

        opened = [
            (route, verb)
            for route in sorted(ASKED, key=lambda route: len(route.template))
            if "<uuid:" in route.template and not is_about_deleted(route)
            for verb in opening_verbs(route)
        ]
        kind.model.unscoped.filter(pk=row.pk).update(deleted_at=timezone.now())
        still = {
            f"{verb} {route.template}": status
            for route, verb in opened
            if (status := ask(route, verb)) != 404
        }

    if not opened:
        pytest.skip("no route takes an id of this kind")
    assert still == {}


def deleted_twin(row):
    """Another row like this one, deleted."""
    fields = [
        field
        for field in row._meta.concrete_fields
        if not (field.primary_key or field.unique)
    ]
    twin = type(row)(**{field.attname: getattr(row, field.attname) for field in fields})
    twin.deleted_at = timezone.now()
    if any(field.name == "is_active" for field in fields):
        twin.is_active = False
    twin.save()
    return twin


def first_answer(visitor, route, ids):
    """To a GET with the first of the ids that opens the route, which goes to the front
    for the routes beside it; else the last refusal."""
    for id_ in [id_ for id_ in ids if route.takes(id_)] if route.parameters else [""]:
        path = route.path(id_)
        answer = visitor.ask(WAYS[route.kind], "GET", route, path, Sent())
        if answer.status == 405:
            break
        if answer.status == 200:
            if id_:
                ids.remove(id_)
                ids.insert(0, id_)
            break
    return answer


def test_no_page_list_or_choice_shows_what_is_deleted():
    with two_tenants() as (tenant, _):
        visitor = Visitor(tenant)
        twins = [deleted_twin(tenant.row(kind.model)) for kind in deleted.kinds()]
        ids = [str(row.pk) for row in tenant.rows]
        shown = set()
        for route in ASKED:
            answer = first_answer(visitor, route, ids)
            if answer.status == 200 and any(str(t.pk) in answer.text for t in twins):
                shown.add(route.template.removeprefix("api/"))

    assert shown - HISTORY.keys() == set()


def choices_among(kind):
    """Fields of bodies that take an id of this kind: (path, name of the field)."""
    for route in ASKED:
        if route.parameters or route.kind is not Kind.API:
            continue
        view = resolve(route.path()).func
        serializer = getattr(
            getattr(view, "view_class", None), "serializer_class", None
        )
        if serializer is None or not hasattr(serializer, "get_fields"):
            continue
        for name, field in serializer().get_fields().items():
            choice = getattr(field, "queryset", None)
            if choice is not None and choice.model is kind.model:
                yield route.path(), name


@KINDS
def test_a_body_that_names_it_is_refused_like_an_unknown_id(kind):
    alice = make_tenant("alice")
    row = next(row for row in furnish(alice) if type(row) is kind.model)
    twin = deleted_twin(row)

    for path, name in choices_among(kind):
        told = []
        for pk in (twin.pk, uuid.uuid4()):
            answer = alice.api("POST", path, {name: str(pk)})
            (words,) = answer.json()["errors"][name]
            told.append((answer.status_code, words.replace(str(pk), "<id>")))

        assert told == [(400, told[1][1])] * 2, path


def test_bodies_were_found_that_name_ids():
    named = {
        (path, name) for kind in deleted.kinds() for path, name in choices_among(kind)
    }

    assert {
        ("/api/agents", "phone_id"),
        ("/api/agents", "prompt_id"),
        ("/api/phones", "carrier_account_id"),
    } <= named


@pytest.mark.parametrize(
    "path",
    [
        "/calls",
        "/calls?agent={agent}",
        "/calls?phone={phone}",
        "/calls/{call}",
        "/dashboard/live",
        "/live",
        "/api/calls",
        "/api/calls?agent_id={agent}",
        "/api/calls?phone_id={phone}",
        "/api/calls/{call}",
    ],
)
def test_history_of_what_is_deleted_stays_and_says_so(path):
    alice = make_tenant("alice")
    rows = {type(row): row for row in furnish(alice)}
    for model in (VoiceAgent, Phone):
        rows[model].put_away()
    call = rows[Call]
    path = path.format(agent=call.agent_id, phone=call.phone_id, call=call.pk)

    answer = alice.api("GET", path) if "/api/" in path else alice.client.get(path)

    shown = answer.content.decode()
    assert answer.status_code == 200
    assert str(call.pk) in shown
    assert "/api/" in path or "(deleted)" in shown


def test_every_soft_deletable_model_is_a_kind():
    from django.apps import apps

    soft = {m for m in apps.get_models() if issubclass(m, SoftDeleteModel)}

    assert {kind.model for kind in deleted.kinds()} == soft
