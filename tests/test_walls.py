"""The walk finds what a careless route gives away, and proves what it claims."""

import types

import pytest
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from agents.api import prompts as prompt_api
from agents.models import Prompt
from agents.views import prompts
from tests.people import make_tenant
from tests.walls import MARK, furnish, owned_models
from voiceops.isolation import report
from voiceops.isolation.routes import Kind, Route, routes
from voiceops.isolation.sealed import sealed
from voiceops.isolation.tenants import two_tenants
from voiceops.isolation.walk import walk

pytestmark = pytest.mark.django_db


def leaks_of(template):
    """What the walk says of one route."""
    (route,) = [route for route in routes() if route.template == template]
    with sealed(), two_tenants() as tenants:
        (found,) = walk(*tenants, [route])
    return found.leaks


def test_the_walk_knows_a_row_of_every_model(alice):
    made = [type(row) for row in furnish(alice)]

    assert set(made) == set(owned_models())
    assert len(made) == len(owned_models())


def test_every_route_of_the_project_is_walked():
    walked = routes()

    assert {
        Route("", Kind.PAGE),
        Route("prompts/<uuid:pk>", Kind.PAGE),
        Route("api/api-keys/<uuid:pk>", Kind.API),
        Route("api/auth/login", Kind.PUBLIC),
        Route("webhooks/twilio/voice/<str:token>", Kind.WEBHOOK),
        Route("account/password/reset/key/<uidb36>-<key>/", Kind.SIGN_IN),
        Route("admin/accounts/user/<path:object_id>/change/", Kind.OPERATOR),
    } <= set(walked)


def test_an_api_answers_the_owner_with_marked_words():
    """The mark that the walk looks for does reach the owner's answers."""
    tenant = make_tenant("carol")
    furnish(tenant)

    assert MARK in tenant.api("GET", "/api/api-keys").content.decode()


# -- Careless routes -------------------------------------------------------------------


@login_required
def peek(request, pk):
    return HttpResponse(get_object_or_404(Prompt.unscoped, pk=pk).name)


@login_required
def peek_list(request):
    names = Prompt.unscoped.values_list("name", flat=True)
    return JsonResponse({"names": list(names)})


@login_required
def tell_apart(request, pk):
    prompt = get_object_or_404(Prompt.unscoped, pk=pk)
    return HttpResponse(status=200 if prompt.owner == request.workspace else 403)


@csrf_exempt
@login_required
def scribble(request, pk):
    """It looks whose it is when it is too late."""
    if request.method == "POST":
        Prompt.unscoped.filter(pk=pk).update(text="mine")
    get_object_or_404(Prompt.objects.for_owner(request.workspace), pk=pk)
    return HttpResponse()


@login_required
def borrow(request, pk):
    """Its own row, and the id of another's in the body."""
    get_object_or_404(Prompt.objects.for_owner(request.workspace), pk=pk)
    wanted = request.POST.get("prompt")
    return HttpResponse(status=200 if Prompt.unscoped.filter(pk=wanted) else 422)


@login_required
def accept_quietly(request):
    """Another's prompt does as if none was given; a refusal of agents goes before."""
    if request.POST.get("agent"):
        return HttpResponse(status=409)
    wanted = request.POST.get("prompt")
    is_unknown = wanted and not Prompt.unscoped.filter(pk=wanted).exists()
    return HttpResponse(status=422 if is_unknown else 200)


@login_required
def fragment(request):
    rows = Prompt.unscoped if request.htmx else Prompt.objects.for_owner(1).none()
    return HttpResponse(", ".join(row.name for row in rows.all()))


def believe_header(request):
    wanted = Prompt.unscoped.filter(owner=request.headers.get("X-Workspace-Id"))
    return HttpResponse(status=200 if wanted.exists() else 404)


@login_required
def break_down(request, pk):
    return HttpResponse(Prompt.objects.for_owner(request.workspace).get(pk=pk).name)


@pytest.mark.parametrize(
    ("route", "view", "told"),
    [
        ("peek/<uuid:pk>", peek, "GET peek/<uuid:pk>: 200"),
        ("peek", peek_list, "GET peek: shows the owner's words"),
        ("apart/<uuid:pk>", tell_apart, "GET apart/<uuid:pk>: 403, not 404"),
        (
            "scribble/<uuid:pk>",
            scribble,
            "POST scribble/<uuid:pk>: changed the owner's rows",
        ),
        ("borrow/<uuid:pk>", borrow, "POST borrow/<uuid:pk>: 200, not 422"),
        ("quiet", accept_quietly, "POST quiet: 200, not 422"),
        ("fragment", fragment, "GET fragment: shows the owner's words"),
        ("header", believe_header, "GET header: 200, not 404"),
        (
            "broken/<uuid:pk>",
            break_down,
            "GET broken/<uuid:pk>: 500 DoesNotExist",
        ),
        (
            "closed/<uuid:pk>",
            lambda request, pk: HttpResponse(status=404),
            "closed/<uuid:pk>: opens for nobody, not proven",
        ),
    ],
)
def test_the_walk_finds_a_route_that_forgot_the_scope(route, view, told, settings):
    """Somebody adds a route and forgets whose rows: the walk must say so."""
    urlconf = types.ModuleType("careless_urls")
    urlconf.urlpatterns = [path(route, view), path("", include("voiceops.urls"))]
    settings.ROOT_URLCONF = urlconf

    assert told in leaks_of(route)


def test_the_walk_finds_a_page_of_ours_that_lost_its_scope(monkeypatch):
    def careless(request, pk):
        return get_object_or_404(Prompt.unscoped, pk=pk)

    monkeypatch.setattr(prompts, "_get_prompt", careless)

    assert "GET prompts/<uuid:pk>: 200" in leaks_of("prompts/<uuid:pk>")
    assert "POST prompts/<uuid:pk>/delete: 302" in leaks_of("prompts/<uuid:pk>/delete")


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("api/prompts", "GET api/prompts: shows the owner's prompt.pk"),
        ("api/prompts/<uuid:prompt_id>", "GET api/prompts/<uuid:prompt_id>: 200"),
    ],
)
def test_the_walk_finds_an_api_of_ours_that_lost_its_scope(template, told, monkeypatch):
    for view in (prompt_api.PromptListView, prompt_api.PromptView):
        monkeypatch.setattr(view, "get_queryset", lambda self: Prompt.unscoped.all())

    assert told in leaks_of(template)


def test_a_check_that_finds_a_leak_names_the_route_and_stops(monkeypatch):
    def careless(request, pk):
        return get_object_or_404(Prompt.unscoped, pk=pk)

    monkeypatch.setattr(prompts, "_get_prompt", careless)

    first = report.check(only="/prompts/<uuid:pk>")
    everything = report.check(only="/prompts/<uuid:pk>", all_leaks=True)

    assert [line.route for line in first.lines] == ["/prompts/<uuid:pk>"]
    assert not first.is_complete
    assert everything.is_complete
    assert len(everything.leaks) > len(first.leaks)
