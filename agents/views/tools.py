from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import can_write
from agents import services
from agents.forms.tools import ToolForm, ToolTestForm
from agents.models import Tool
from voiceops.htmx import full_or_partial, go_to
from voiceops.paging import CappedPaginator

PER_PAGE = 50

ADVICE = {
    "ok": gettext_lazy("The model is shown this, as data."),
    "failed": gettext_lazy(
        "Look at what the service says: is the address right, the method, the key in "
        "the headers? The model is shown this text and can tell the caller."
    ),
    "timed_out": gettext_lazy(
        "Make the service faster, or wait longer: a caller waits too, so give the tool "
        "something to say meanwhile. What was asked may have been done."
    ),
    "refused": gettext_lazy(
        "Nothing was sent. Change the arguments, the parameters or the address."
    ),
}


@login_required
@require_safe
def tool_list(request):
    tools = Tool.objects.for_owner(request.workspace).order_by("-id")
    page = CappedPaginator(tools, PER_PAGE).get_page(request.GET.get("page"))
    services.count_agents(page, request.workspace)
    return render(request, "agents/tool_list.html", {"page": page})


@login_required
@can_write
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def tool_create(request):
    data = request.POST if request.method == "POST" else None
    form = ToolForm(data, owner=request.workspace)
    if form.is_bound:
        return _save(request, form, "agents/tool_create.html", {})
    return render(request, "agents/tool_create.html", {"form": form})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def tool_detail(request, pk):
    context = _context(_get_tool(request, pk))
    if request.method == "POST":
        return _change(request, pk, context)
    # A form writes into its instance: the page goes on showing what is stored.
    form = ToolForm(owner=request.workspace, instance=_get_tool(request, pk))
    return render(request, "agents/tool_detail.html", {**context, "form": form})


@can_write
def _change(request, pk, context):
    instance = _get_tool(request, pk)
    form = ToolForm(request.POST, owner=request.workspace, instance=instance)
    return _save(request, form, "agents/tool_detail.html", context)


def _save(request, form, page, context):
    template = full_or_partial(request, page, "form")
    if form.wants_rows:
        return render(request, template, {**context, "form": form.add_rows()})
    if form.is_valid() and (saved := _saved(form)):
        messages.success(request, _("“%(name)s” is saved.") % {"name": saved.name})
        return go_to(request, saved.get_absolute_url())
    return render(request, template, {**context, "form": form}, status=422)


def _saved(form):
    try:
        return services.save_tool(form.instance, entered=form.entered)
    except services.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        return None


@login_required
@require_POST
@can_write
@vary_on_headers("HX-Request")
def tool_test(request, pk):
    """Use the tool once, for real, with the arguments of the form."""
    tool = _get_tool(request, pk)
    form = ToolTestForm(tool, request.POST)
    context = _context(tool) | {"test_form": form}
    status = 422
    if form.is_valid():
        try:
            outcome = services.try_tool(tool, form.arguments)
        except services.TooManyTests as refusal:
            form.add_error(None, str(refusal))
            status = 429
        else:
            context |= {"outcome": outcome, "advice": ADVICE[outcome.status]}
            status = 200
    if not request.htmx:
        instance = _get_tool(request, pk)
        context["form"] = ToolForm(owner=request.workspace, instance=instance)
    template = full_or_partial(request, "agents/tool_detail.html", "test")
    return render(request, template, context, status=status)


@login_required
@require_POST
@can_write
def tool_delete(request, pk):
    tool = _get_tool(request, pk)
    try:
        services.delete_tool(tool)
    except services.Refused as refusal:
        messages.error(
            request,
            _("“%(name)s” was not deleted. %(why)s")
            % {"name": tool.name, "why": refusal},
        )
        return go_to(request, tool.get_absolute_url())
    messages.success(request, _("“%(name)s” is deleted.") % {"name": tool.name})
    return go_to(request, reverse("agents:tool_list"))


def _context(tool):
    return {
        "tool": tool,
        "agents": services.agents_with(tool),
        "test_form": ToolTestForm(tool),
    }


def _get_tool(request, pk):
    return get_object_or_404(Tool.objects.for_owner(request.workspace), pk=pk)
