"""Steps that the pages of voice agents and of message agents share."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.undo import offer_undo
from agents import services
from agents.forms.agents import AgentFilterForm
from voiceops.htmx import full_or_partial, go_to
from voiceops.paging import CappedPaginator

PER_PAGE = 50


def agents_of(request, model):
    """The workspace's agents of one kind, with what their pages show of others."""
    agents = model.objects.for_owner(request.workspace)
    return agents.select_related("phone", "prompt", "prompt_version", "owner")


def get_agent(request, model, pk):
    return get_object_or_404(agents_of(request, model), pk=pk)


def list_agents(request, model, template):
    template = full_or_partial(request, template, "results")
    agents = agents_of(request, model)
    form = AgentFilterForm(request.GET, owner=request.workspace)
    provider_for = services.providers_of(request.workspace)
    context = {"form": form, "provider": provider_for("")}
    if not form.is_valid():
        return render(request, template, context, status=422)
    rows = form.apply(agents).order_by("-id")
    page = CappedPaginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    for agent in page:
        agent.provider = provider_for(agent.model)
    context |= {
        "page": page,
        "has_agents": bool(page) or agents.exists(),
        "newer": page.has_previous() and form.query(page=page.number - 1),
        "older": page.has_next() and form.query(page=page.number + 1),
    }
    return render(request, template, context)


def save_form(request, form, template, context):
    """Save what is right and go to the agent; else show the form again."""
    if form.is_valid() and (saved := _saved(form)):
        messages.success(request, _("“%(name)s” is saved.") % {"name": saved.name})
        return go_to(request, saved.get_absolute_url())
    template = full_or_partial(request, template, "form")
    return render(request, template, {**context, "form": form}, status=422)


def _saved(form):
    try:
        return services.save_agent(form.instance)
    except services.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        return None


def activate(request, agent):
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


def deactivate(request, agent):
    services.deactivate(agent)
    messages.success(request, _("“%(name)s” is inactive now.") % {"name": agent.name})
    return go_to(request, agent.get_absolute_url())


def duplicate(request, agent):
    try:
        copy = services.duplicate_agent(agent)
    except services.Refused as refusal:
        messages.error(request, str(refusal))
        return go_to(request, agent.get_absolute_url())
    messages.success(
        request,
        _("“%(name)s” is made, inactive and without a number.") % {"name": copy.name},
    )
    return go_to(request, copy.get_absolute_url())


def delete(request, agent, text, list_page):
    try:
        services.delete_agent(agent)
    except services.Gone:
        raise Http404 from None
    offer_undo(request, agent, text % {"name": agent.name})
    return go_to(request, reverse(list_page))
