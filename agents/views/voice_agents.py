from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import can_write
from agents import services
from agents.forms.voice_agents import NewVoiceAgentForm, VoiceAgentForm
from agents.models import VoiceAgent
from agents.prompts import PREAMBLE
from agents.starters import STARTERS, starter_of
from agents.views.agents import (
    activate,
    deactivate,
    delete,
    duplicate,
    get_agent,
    list_agents,
    save_form,
)
from voiceops.htmx import full_or_partial


@login_required
@require_safe
@vary_on_headers("HX-Request")
def agent_list(request):
    return list_agents(request, VoiceAgent, "agents/agent_list.html")


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
        "provider": services.provider_of(request.workspace),
    }
    if request.method == "POST":
        return save_form(request, form, "agents/agent_create.html", context)
    template = full_or_partial(request, "agents/agent_create.html", "start")
    return render(request, template, context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def agent_detail(request, pk):
    agent = get_agent(request, VoiceAgent, pk)
    context = {
        "agent": agent,
        "preamble": PREAMBLE,
        "provider": services.provider_of(request.workspace, agent.model),
    }
    if request.method == "POST":
        return _change(request, agent, context)
    form = VoiceAgentForm(owner=request.workspace, instance=agent)
    return render(request, "agents/agent_detail.html", {**context, "form": form})


@can_write
def _change(request, agent, context):
    # A form writes into its instance: the page goes on showing what is stored.
    instance = get_agent(request, VoiceAgent, agent.pk)
    form = VoiceAgentForm(request.POST, owner=request.workspace, instance=instance)
    return save_form(request, form, "agents/agent_detail.html", context)


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
    return activate(request, get_agent(request, VoiceAgent, pk))


@login_required
@require_POST
@can_write
def agent_deactivate(request, pk):
    return deactivate(request, get_agent(request, VoiceAgent, pk))


@login_required
@require_POST
@can_write
def agent_duplicate(request, pk):
    return duplicate(request, get_agent(request, VoiceAgent, pk))


@login_required
@require_POST
@can_write
def agent_delete(request, pk):
    return delete(
        request,
        get_agent(request, VoiceAgent, pk),
        _("“%(name)s” is deleted. Its calls stay in the list."),
        "agents:agent_list",
    )
