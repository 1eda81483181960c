from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpResponseBadRequest
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import can_write
from accounts.undo import offer_undo
from agents import services
from agents.diff import compare
from agents.forms.prompts import CompareForm, PromptForm, PromptPreview, RestoreForm
from agents.models import Prompt, PromptVersion
from voiceops.htmx import full_or_partial, go_to
from voiceops.paging import CappedPaginator

PER_PAGE = 50
VERSIONS_SHOWN = 50


@login_required
@require_safe
def prompt_list(request):
    prompts = Prompt.objects.for_owner(request.workspace).annotate(
        agents=_living("voice_agents") + _living("message_agents")
    )
    page = CappedPaginator(prompts.order_by("-id"), PER_PAGE)
    return render(
        request,
        "agents/prompt_list.html",
        {"page": page.get_page(request.GET.get("page"))},
    )


def _living(agents):
    return Count(agents, filter=Q(**{f"{agents}__deleted_at": None}), distinct=True)


@login_required
@can_write
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def prompt_create(request):
    form = PromptForm(request.POST or None, owner=request.workspace)
    context = {"form": form, "preview": _preview_of(request, form)}
    if request.method == "POST":
        return _save(request, form, None, "agents/prompt_create.html", context)
    return render(request, "agents/prompt_create.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def prompt_detail(request, pk):
    prompt = _get_prompt(request, pk)
    context = {
        "prompt": prompt,
        "agents": services.agents_using(prompt),
        "versions": _versions_of(request, prompt)[:VERSIONS_SHOWN],
    }
    if request.method == "POST":
        return _change(request, prompt, context)
    form = PromptForm(owner=request.workspace, instance=prompt)
    context |= {"form": form, "preview": _preview_of(request, form, context["agents"])}
    return render(request, "agents/prompt_detail.html", context)


@can_write
def _change(request, prompt, context):
    # A form writes into its instance: the page goes on showing what is stored.
    instance = _get_prompt(request, prompt.pk)
    form = PromptForm(request.POST, owner=request.workspace, instance=instance)
    context |= {"form": form, "preview": _preview_of(request, form)}
    return _save(request, form, prompt, "agents/prompt_detail.html", context)


def _save(request, form, prompt, template, context):
    template = full_or_partial(request, template, "form")
    try:
        saved = form.is_valid() and _saved(request, form, prompt)
    except services.AgentsWouldChange as refusal:
        changes = compare(prompt.text, form.cleaned_data["text"])
        context |= {"affected": refusal.agents, "diff": changes}
        return render(request, template, context)
    if not saved:
        return render(request, template, context, status=422)
    messages.success(
        request,
        _("“%(name)s” is saved, version %(number)d.")
        % {"name": saved.name, "number": saved.version},
    )
    return go_to(request, saved.get_absolute_url())


def _saved(request, form, prompt):
    try:
        return services.save_prompt(
            owner=request.workspace,
            prompt=prompt,
            author=request.user,
            agents_seen=request.POST.getlist("seen"),
            **form.cleaned_data,
        )
    except services.AgentsWouldChange:
        raise
    except services.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        if isinstance(refusal, services.PromptChanged):
            form.see_version(refusal.version)
        return None


@login_required
@require_POST
def prompt_preview(request):
    """The text that is being written, as a call would have it."""
    preview = PromptPreview.posted(request.POST, _sample_facts())
    return render(request, "agents/_prompt_preview.html", {"preview": preview})


def _preview_of(request, form, agents=()):
    """The preview of a form's text, with the first agent's values to begin with."""
    if request.method == "POST":
        return PromptPreview.posted(request.POST, _sample_facts())
    given = next((agent.variables for agent in agents), {})
    return PromptPreview(form.text, given=given, by_calls=_sample_facts())


def _sample_facts():
    """What a call would fill in by itself, were it now."""
    return {
        "agent_name": _("Reception"),
        "caller_number": "+15005550006",
        "today": date_format(localdate(), "l, j F Y"),
    }


@login_required
@require_safe
def prompt_version(request, pk, number):
    prompt = _get_prompt(request, pk)
    version = get_object_or_404(_versions_of(request, prompt), number=number)
    agents = services.agents_using(prompt)
    context = {
        "prompt": prompt,
        "version": version,
        "pinned": [agent for agent in agents if agent.prompt_version == version],
        "followers": [agent for agent in agents if agent.prompt_version is None],
    }
    return render(request, "agents/prompt_version.html", context)


@login_required
@require_safe
@vary_on_headers("HX-Request")
def prompt_compare(request, pk):
    """What changed from one version to another, by default with the newest."""
    prompt = _get_prompt(request, pk)
    template = full_or_partial(request, "agents/prompt_compare.html", "changes")
    form = CompareForm(request.GET, versions=_versions_of(request, prompt))
    context = {"prompt": prompt, "form": form}
    if not form.is_valid():
        return render(request, template, context, status=422)
    old, new = form.cleaned_data["old"], form.cleaned_data["new"]
    context |= {"old": old, "new": new, "diff": compare(old.text, new.text)}
    return render(request, template, context)


@login_required
@require_POST
@can_write
def prompt_restore(request, pk, number):
    prompt = _get_prompt(request, pk)
    version = get_object_or_404(_versions_of(request, prompt), number=number)
    form = RestoreForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest()
    try:
        restored = services.restore_version(
            version,
            author=request.user,
            based_on=form.cleaned_data["based_on"],
            agents_seen=request.POST.getlist("seen"),
        )
    except services.Refused as refusal:
        messages.error(
            request,
            _("Version %(number)d was not restored. %(why)s")
            % {"number": number, "why": refusal},
        )
        return go_to(request, version.get_absolute_url())
    messages.success(
        request,
        _("Version %(old)d is restored, as version %(new)d.")
        % {"old": number, "new": restored.version},
    )
    return go_to(request, prompt.get_absolute_url())


@login_required
@require_POST
@can_write
def prompt_delete(request, pk):
    prompt = _get_prompt(request, pk)
    try:
        services.delete_prompt(prompt)
    except services.Refused as refusal:
        messages.error(
            request,
            _("“%(name)s” was not deleted. %(why)s")
            % {"name": prompt.name, "why": refusal},
        )
        return go_to(request, prompt.get_absolute_url())
    offer_undo(request, prompt, _("“%(name)s” is deleted.") % {"name": prompt.name})
    return go_to(request, reverse("agents:prompt_list"))


def _versions_of(request, prompt):
    versions = PromptVersion.objects.for_owner(request.workspace).filter(prompt=prompt)
    return versions.select_related("author", "prompt", "owner").order_by("-number")


def _get_prompt(request, pk):
    return get_object_or_404(Prompt.objects.for_owner(request.workspace), pk=pk)
