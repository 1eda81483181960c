"""One workspace, for operators: what it uses, suspending it, looking at it."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts import halts, looking, switches
from accounts.models import SwitchedOff, Workspace
from accounts.operators import for_superusers, page
from voiceops.operators import usage
from voiceops.operators.forms import LookForm, ReasonForm, SwitchForm

# Signing up is before there is a workspace.
OF_A_WORKSPACE = [
    feature for feature in switches.Feature if feature != switches.Feature.SIGN_UP
]


@require_safe
@for_superusers
def workspace(request, pk):
    row = get_object_or_404(Workspace, pk=pk)
    off = SwitchedOff.objects.filter(workspace=row)
    return page(
        request,
        "admin/workspace.html",
        row.name,
        workspace=row,
        months=usage.of_months(row, now()),
        kept=usage.kept(row),
        off={switch.feature: switch for switch in off},
        features=OF_A_WORKSPACE,
        look=LookForm(workspace=row),
    )


@require_POST
@for_superusers
def suspend(request, pk):
    row, form = get_object_or_404(Workspace, pk=pk), ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give a reason: its people will read it."))
    elif halts.suspend(row, by=request.user, at=now(), **form.cleaned_data):
        messages.success(request, _("It is suspended."))
    else:
        messages.info(request, _("It is suspended already."))
    return redirect("workspace", pk=pk)


@require_POST
@for_superusers
def resume(request, pk):
    row, form = get_object_or_404(Workspace, pk=pk), ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give a reason: its people will read it."))
    elif halts.resume(row, by=request.user, **form.cleaned_data):
        messages.success(request, _("It goes on."))
    else:
        messages.info(request, _("It is not suspended."))
    return redirect("workspace", pk=pk)


@require_POST
@for_superusers
def look(request, pk):
    row = get_object_or_404(Workspace, pk=pk)
    form = LookForm(request.POST, workspace=row)
    if not form.is_valid():
        messages.error(request, _("Say as whom you look, and why."))
        return redirect("workspace", pk=pk)
    given = form.cleaned_data
    looking.begin(request, given["member"], reason=given["reason"], at=now())
    return redirect("analytics:dashboard")


@require_POST
@for_superusers
def stop_looking(request):
    looking.end(request)
    messages.success(request, _("You look no more."))
    return redirect("admin:accounts_workspace_changelist")


# -- Features --------------------------------------------------------------------------


@require_safe
@for_superusers
def features(request):
    """Every feature for all, and what is off for some."""
    off = SwitchedOff.objects.filter(workspace=None)
    of_some = SwitchedOff.objects.exclude(workspace=None).select_related("workspace")
    return page(
        request,
        "admin/features.html",
        _("Features"),
        features=switches.Feature,
        off={switch.feature: switch for switch in off},
        of_some=of_some.order_by("-id")[:200],
    )


@require_POST
@for_superusers
def switch(request):
    form = SwitchForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say what is switched, and why."))
        return redirect("features")
    given = form.cleaned_data
    change = {"on": switches.switch_on, "off": switches.switch_off}[given["wanted"]]
    if change(
        given["feature"], given["workspace"], reason=given["reason"], by=request.user
    ):
        messages.success(request, _("Switched."))
    else:
        messages.info(request, _("It is so already."))
    if given["workspace"] is None:
        return redirect("features")
    return redirect("workspace", pk=given["workspace"].pk)
