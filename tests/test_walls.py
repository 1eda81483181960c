"""No tenant can see, change or guess anything of another: every route, every verb."""

import types

import pytest
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from agents.models import Prompt
from tests.people import make_tenant
from tests.walls import (
    MARK,
    Address,
    addresses,
    fillings,
    furnish,
    identifiers,
    leaks,
    owned_models,
)

pytestmark = pytest.mark.django_db
ADDRESSES = addresses()


def test_the_walk_knows_a_row_of_every_model(alice):
    made = {type(row) for row in furnish(alice)}

    assert made == set(owned_models())


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda address: address.template)
def test_a_stranger_meets_a_wall(address, alice, mallory):
    rows = furnish(alice)

    assert leaks(address, alice, mallory, rows) == []


@pytest.mark.parametrize(
    "address",
    [
        address
        for address in ADDRESSES
        if address.parameters and not address.template.startswith("webhooks/")
    ],
    ids=lambda address: address.template,
)
def test_the_owner_gets_through_where_the_stranger_does_not(address, alice):
    """Else the walk would prove nothing: it must have filled in the right thing."""
    rows = furnish(alice)
    api = address.template.startswith(("api/", "agents"))
    ask = alice.api if api else alice.client.generic

    statuses = {
        ask("OPTIONS" if verb == "OPTIONS" else verb, address.fill(filled)).status_code
        for filled in fillings(address, identifiers(rows))
        for verb in ("GET", "POST", "DELETE")
    }

    assert statuses - {404, 405, 403}


@login_required
def peek(request, pk):
    return HttpResponse(get_object_or_404(Prompt.unscoped, pk=pk).name)


@login_required
def peek_list(request):
    names = Prompt.unscoped.values_list("name", flat=True)
    return JsonResponse({"names": list(names)})


@login_required
def tell_apart(request, pk):
    known = Prompt.unscoped.filter(pk=pk).exists()
    return HttpResponse(status=403 if known else 404)


@csrf_exempt
def scribble(request, pk):
    if request.method == "POST":
        Prompt.unscoped.filter(pk=pk).update(text="mine")
    return HttpResponse(status=404)


@pytest.mark.parametrize(
    ("route", "view", "told"),
    [
        ("peek/<uuid:pk>", peek, "GET peek/<uuid:pk>: 200"),
        ("peek", peek_list, "GET peek: shows the owner's words"),
        ("apart/<uuid:pk>", tell_apart, "GET apart/<uuid:pk>: 403, not 404"),
        (
            "scribble/<uuid:pk>",
            scribble,
            "scribble/<uuid:pk>: changed the owner's rows",
        ),
    ],
)
def test_the_walk_finds_a_route_that_forgot_the_scope(
    route, view, told, settings, alice, mallory
):
    """Somebody adds a route and forgets whose rows: the walk must say so."""
    urlconf = types.ModuleType("careless_urls")
    urlconf.urlpatterns = [path(route, view), path("", include("voiceops.urls"))]
    settings.ROOT_URLCONF = urlconf
    rows = furnish(alice)
    (address,) = [a for a in addresses(urlconf) if a.template == route]

    assert told in leaks(address, alice, mallory, rows)


def test_an_api_answers_the_owner_with_marked_words():
    """The mark that the walk looks for does reach the owner's answers."""
    tenant = make_tenant("carol")
    furnish(tenant)

    assert MARK in tenant.api("GET", "/api/api-keys").content.decode()


def test_every_route_of_the_project_is_walked():
    walked = {address.template for address in ADDRESSES}

    assert {"", "api/api-keys", "api/api-keys/<uuid:pk>"} <= walked
    assert Address("api/api-keys/<uuid:pk>", ("pk",)) in ADDRESSES
