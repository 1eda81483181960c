from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import services
from accounts.decorators import can_write
from accounts.forms import ApiKeyForm, ProfileForm, WorkspaceForm
from accounts.models import AccessToken, User, Workspace
from voiceops.htmx import go_to


def admin_log_in(request):
    """The log-in page of everybody; who is signed in and comes here is no operator.

    Sent on, they would be sent back here without end.
    """
    if request.user.is_authenticated and not request.user.is_staff:
        raise PermissionDenied
    address = reverse("account_login")
    query = request.META["QUERY_STRING"]
    return redirect(f"{address}?{query}" if query else address)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request):
    # Rows of their own: a refused value must not show in the frame of the page.
    person = User.objects.get(pk=request.user.pk)
    form = ProfileForm(request.POST or None, instance=person)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Your profile is saved."))
        return go_to(request, request.path)
    return _profile_page(request, form=form)


@login_required
@require_POST
def workspace_change(request):
    if not request.membership.may_manage:
        raise PermissionDenied
    workspace = Workspace.objects.get(pk=request.workspace.pk)
    form = WorkspaceForm(request.POST, instance=workspace, prefix="workspace")
    if form.is_valid():
        form.save()
        messages.success(request, _("The workspace is saved."))
        return go_to(request, reverse("accounts:profile"))
    return _profile_page(request, workspace_form=form)


def _profile_page(request, form=None, workspace_form=None):
    context = {
        "form": form or ProfileForm(instance=request.user),
        "workspace_form": workspace_form
        or WorkspaceForm(instance=request.workspace, prefix="workspace"),
    }
    is_refused = any(bound.is_bound for bound in context.values())
    return render(
        request, "accounts/profile.html", context, status=422 if is_refused else 200
    )


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def api_key_list(request):
    if request.method == "POST":
        return _create_api_key(request)
    return _api_key_page(request, form=ApiKeyForm())


@can_write
def _create_api_key(request):
    """Make a key. This answer alone shows its secret, so it is not a redirect."""
    form = ApiKeyForm(request.POST)
    if not form.is_valid():
        return _api_key_page(request, form=form, status=422)
    key, secret = services.issue_api_key(
        owner=request.workspace,
        user=request.user,
        name=form.cleaned_data["name"],
        scopes=form.cleaned_data["scopes"],
        expires_at=form.expires_at,
    )
    return _api_key_page(request, form=ApiKeyForm(), new_key=key, secret=secret)


def _api_key_page(request, *, status=200, **context):
    keys = AccessToken.objects.for_owner(request.workspace).api_keys()
    context["keys"] = keys.select_related("user").order_by("-id")
    return render(request, "accounts/api_key_list.html", context, status=status)


@login_required
@require_POST
@can_write
def api_key_revoke(request, pk):
    keys = AccessToken.objects.for_owner(request.workspace).api_keys()
    key = get_object_or_404(keys, pk=pk)
    key.revoke()
    messages.success(
        request, _("“%(name)s” is revoked: it opens nothing now.") % {"name": key.name}
    )
    return go_to(request, reverse("accounts:api_key_list"))
