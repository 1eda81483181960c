from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Q
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
from agents import services
from agents.forms import PromptForm
from agents.models import Prompt, PromptVersion
from voiceops.htmx import full_or_partial, go_to

PER_PAGE = 50
VERSIONS_SHOWN = 50


@login_required
@require_safe
def prompt_list(request):
    in_use = Count("voice_agents", filter=Q(voice_agents__deleted_at=None))
    prompts = Prompt.objects.for_owner(request.workspace).annotate(agents=in_use)
    page = Paginator(prompts.order_by("-id"), PER_PAGE)
    return render(
        request,
        "agents/prompt_list.html",
        {"page": page.get_page(request.GET.get("page"))},
    )


@login_required
@can_write
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def prompt_create(request):
    form = PromptForm(request.POST or None, owner=request.workspace)
    if request.method == "POST":
        return _save(request, form, None, "agents/prompt_create.html", {})
    return render(request, "agents/prompt_create.html", {"form": form})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def prompt_detail(request, pk):
    prompt = _get_prompt(request, pk)
    versions = PromptVersion.objects.for_owner(request.workspace).filter(prompt=prompt)
    context = {
        "prompt": prompt,
        "agents": services.agents_using(prompt),
        "versions": versions.select_related("author").order_by("-number")[
            :VERSIONS_SHOWN
        ],
    }
    if request.method == "POST":
        return _change(request, prompt, context)
    form = PromptForm(owner=request.workspace, instance=prompt)
    return render(request, "agents/prompt_detail.html", {**context, "form": form})


@can_write
def _change(request, prompt, context):
    # A form writes into its instance: the page goes on showing what is stored.
    instance = _get_prompt(request, prompt.pk)
    form = PromptForm(request.POST, owner=request.workspace, instance=instance)
    return _save(request, form, prompt, "agents/prompt_detail.html", context)


def _save(request, form, prompt, template, context):
    if form.is_valid() and (saved := _saved(request, form, prompt)):
        messages.success(
            request,
            _("“%(name)s” is saved, version %(number)d.")
            % {"name": saved.name, "number": saved.version},
        )
        return go_to(request, saved.get_absolute_url())
    template = full_or_partial(request, template, "form")
    return render(request, template, {**context, "form": form}, status=422)


def _saved(request, form, prompt):
    try:
        return services.save_prompt(
            owner=request.workspace,
            prompt=prompt,
            author=request.user,
            **form.cleaned_data,
        )
    except services.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        if isinstance(refusal, services.PromptChanged):
            form.see_version(refusal.version)
        return None


@login_required
@require_POST
def prompt_placeholders(request):
    """The placeholders of a text while it is being written."""
    form = PromptForm(request.POST, owner=request.workspace)
    return render(request, "agents/_prompt_form.html#placeholders", {"form": form})


@login_required
@require_safe
def prompt_version(request, pk, number):
    prompt = _get_prompt(request, pk)
    versions = PromptVersion.objects.for_owner(request.workspace)
    version = get_object_or_404(
        versions.select_related("author"), prompt=prompt, number=number
    )
    return render(
        request, "agents/prompt_version.html", {"prompt": prompt, "version": version}
    )


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
    messages.success(request, _("“%(name)s” is deleted.") % {"name": prompt.name})
    return go_to(request, reverse("agents:prompt_list"))


def _get_prompt(request, pk):
    return get_object_or_404(Prompt.objects.for_owner(request.workspace), pk=pk)
