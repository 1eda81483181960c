from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import audit, members
from accounts.decorators import may
from accounts.forms import WorkspaceForm
from accounts.middleware import choose_workspace
from accounts.models import Workspace
from voiceops.htmx import go_to


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def workspace_change(request):
    if request.method == "POST":
        return _save(request)
    return _page(request, WorkspaceForm(instance=request.workspace))


@may("manage_workspace")
def _save(request):
    # A row of its own: a refused value must not show in the frame of the page.
    workspace = Workspace.objects.get(pk=request.workspace.pk)
    form = WorkspaceForm(request.POST, instance=workspace)
    if not form.is_valid():
        return _page(request, form, status=422)
    with audit.changing(workspace):
        form.save()
    messages.success(request, _("The workspace is saved."))
    return go_to(request, request.path)


def _page(request, form, status=200):
    return render(
        request, "accounts/workspace_change.html", {"form": form}, status=status
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def workspace_create(request):
    new = Workspace(timezone=request.user.timezone)
    form = WorkspaceForm(request.POST or None, instance=new)
    if request.method == "POST" and form.is_valid():
        workspace = members.open_workspace(request.user, **form.cleaned_data)
        choose_workspace(request, workspace)
        messages.success(request, _("You work in “%(name)s” now.") % _named(workspace))
        return go_to(request, reverse("analytics:dashboard"))
    return render(
        request,
        "accounts/workspace_create.html",
        {"form": form},
        status=422 if form.is_bound else 200,
    )


@login_required
@require_POST
def workspace_switch(request):
    """Work in another of one's workspaces; what is not one's own was never there."""
    wanted = request.POST.get("workspace")
    for membership in request.memberships:
        if str(membership.workspace_id) == wanted:
            choose_workspace(request, membership.workspace)
            messages.success(
                request, _("You work in “%(name)s” now.") % _named(membership.workspace)
            )
            # Not back: what the page showed belongs to the other workspace.
            return go_to(request, reverse("analytics:dashboard"))
    raise Http404


def _named(workspace):
    return {"name": workspace.name}
