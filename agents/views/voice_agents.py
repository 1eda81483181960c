from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import can_write
from accounts.undo import offer_undo
from agents import llm, services
from agents.forms.voice_agents import AgentFilterForm, NewVoiceAgentForm, VoiceAgentForm
from agents.models import VoiceAgent
from agents.prompts import PREAMBLE
from agents.starters import STARTERS, starter_of
from voiceops.htmx import full_or_partial, go_to

PER_PAGE = 50


@login_required
@require_safe
@vary_on_headers("HX-Request")
def agent_list(request):
    template = full_or_partial(request, "agents/agent_list.html", "results")
    agents = VoiceAgent.objects.for_owner(request.workspace)
    form = AgentFilterForm(request.GET, owner=request.workspace)
    context = {"form": form, "provider": llm.configured_provider()}
    if not form.is_valid():
        return render(request, template, context, status=422)
    rows = form.apply(agents).select_related("phone", "prompt", "prompt_version")
    page = Paginator(rows.order_by("-id"), PER_PAGE).get_page(request.GET.get("page"))
    for agent in page:
        agent.provider = llm.configured_provider(agent.model)
    context |= {
        "page": page,
        "has_agents": bool(page) or agents.exists(),
        "newer": page.has_previous() and form.query(page=page.number - 1),
        "older": page.has_next() and form.query(page=page.number + 1),
    }
    return render(request, template, context)


@login_required
@can_write
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def agent_create(request):
    starter = starter_of((request.POST or request.GET).get("start", ""))
    form = NewVoiceAgentForm(
        request.POST or None, starter=starter, owner=request.workspace
    )
    context = {
        "form": form,
        "starter": starter,
        "starters": STARTERS,
        "preamble": PREAMBLE,
        "provider": llm.configured_provider(),
    }
    if request.method == "POST":
        return _save(request, form, "agents/agent_create.html", context)
    template = full_or_partial(request, "agents/agent_create.html", "start")
    return render(request, template, context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def agent_detail(request, pk):
    agent = _get_agent(request, pk)
    context = {
        "agent": agent,
        "preamble": PREAMBLE,
        "provider": llm.configured_provider(agent.model),
    }
    if request.method == "POST":
        return _change(request, agent, context)
    form = VoiceAgentForm(owner=request.workspace, instance=agent)
    return render(request, "agents/agent_detail.html", {**context, "form": form})


@can_write
def _change(request, agent, context):
    # A form writes into its instance: the page goes on showing what is stored.
    instance = _get_agent(request, agent.pk)
    form = VoiceAgentForm(request.POST, owner=request.workspace, instance=instance)
    return _save(request, form, "agents/agent_detail.html", {**context, "form": form})


def _save(request, form, template, context):
    if form.is_valid() and (saved := _saved(form)):
        messages.success(request, _("“%(name)s” is saved.") % {"name": saved.name})
        return go_to(request, saved.get_absolute_url())
    template = full_or_partial(request, template, "form")
    return render(request, template, context, status=422)


def _saved(form):
    try:
        return services.save_agent(form.instance)
    except services.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        return None


@login_required
@require_POST
def agent_variables(request):
    """What follows from the texts that are being written: placeholders, versions."""
    form = VoiceAgentForm(request.POST, owner=request.workspace)
    return render(request, "agents/agent_variables.html", {"form": form})


@login_required
@require_POST
@can_write
def agent_activate(request, pk):
    agent = _get_agent(request, pk)
    try:
        replaced = services.activate(agent)
    except services.Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _activated_words(agent, replaced))
    return go_to(request, agent.get_absolute_url())


def _activated_words(agent, replaced):
    if not replaced:
        return _("“%(name)s” is active now.") % {"name": agent.name}
    names = _(" and ").join(f"“{rival.name}”" for rival in replaced)
    return _(
        "“%(name)s” is active now. It replaced %(names)s, inactive from now on."
    ) % {"name": agent.name, "names": names}


@login_required
@require_POST
@can_write
def agent_deactivate(request, pk):
    agent = _get_agent(request, pk)
    services.deactivate(agent)
    messages.success(request, _("“%(name)s” is inactive now.") % {"name": agent.name})
    return go_to(request, agent.get_absolute_url())


@login_required
@require_POST
@can_write
def agent_duplicate(request, pk):
    try:
        copy = services.duplicate_agent(_get_agent(request, pk))
    except services.Refused as refusal:
        messages.error(request, str(refusal))
        return go_to(request, reverse("agents:agent_detail", args=[pk]))
    messages.success(
        request,
        _("“%(name)s” is made, inactive and without a number.") % {"name": copy.name},
    )
    return go_to(request, copy.get_absolute_url())


@login_required
@require_POST
@can_write
def agent_delete(request, pk):
    agent = _get_agent(request, pk)
    try:
        services.delete_agent(agent)
    except services.Gone:
        raise Http404 from None
    text = _("“%(name)s” is deleted. Its calls stay in the list.")
    offer_undo(request, agent, text % {"name": agent.name})
    return go_to(request, reverse("agents:agent_list"))


def _get_agent(request, pk):
    agents = VoiceAgent.objects.for_owner(request.workspace)
    related = agents.select_related("phone", "prompt", "prompt_version")
    return get_object_or_404(related, pk=pk)
