from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts import invitations, members, permissions
from accounts.decorators import may
from accounts.forms import InvitationForm, RoleForm
from accounts.models import Invitation, Membership
from accounts.permissions import ASSIGNABLE, Role
from voiceops.htmx import go_to


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def member_list(request):
    """The people and the open invitations; POST invites."""
    if request.method == "POST":
        return _invite(request)
    return _page(request, InvitationForm())


@may("manage_members")
def _invite(request):
    form = InvitationForm(request.POST)
    if form.is_valid():
        try:
            invitation = invitations.invite(**form.cleaned_data, by=request.membership)
        except members.Refused as refusal:
            form.add_error("email", str(refusal))
        else:
            messages.success(
                request,
                _("%(email)s is invited: the mail is on its way.")
                % {"email": invitation.email},
            )
            return go_to(request, request.path)
    return _page(request, form, status=422)


def _page(request, form, status=200):
    waiting = Invitation.objects.for_owner(request.workspace).open()
    context = {
        "form": form,
        "members": members.of_workspace(request.workspace),
        "invitations": waiting.select_related("invited_by").order_by("-id"),
        "roles": ASSIGNABLE,
        "all_roles": list(Role),
        "table": permissions.table(),
    }
    return render(request, "accounts/member_list.html", context, status=status)


@login_required
@require_POST
@may("manage_members")
def member_change_role(request, pk):
    member = _get_member(request, pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _tell(request, form.errors["role"][0])
    try:
        changed = members.change_role(
            member, form.cleaned_data["role"], by=request.membership
        )
    except members.Refused as refusal:
        return _tell(request, refusal)
    messages.success(
        request,
        _("%(who)s: %(role)s")
        % {"who": changed.user.email, "role": changed.get_role_display()},
    )
    return _back(request)


@login_required
@require_POST
@may("manage_members")
def member_remove(request, pk):
    member = _get_member(request, pk)
    try:
        keys = members.remove(member, by=request.membership)
    except members.Refused as refusal:
        return _tell(request, refusal)
    messages.success(
        request,
        _("%(who)s is not a member any more.") % {"who": member.user.email}
        + _told_of(keys),
    )
    return _back(request)


@login_required
@require_POST
@may("transfer_ownership")
def member_make_owner(request, pk):
    heir = _get_member(request, pk)
    try:
        members.transfer_ownership(heir, by=request.membership)
    except members.Refused as refusal:
        return _tell(request, refusal)
    messages.success(
        request,
        _("%(who)s owns this workspace now; you are an admin.")
        % {"who": heir.user.email},
    )
    return _back(request)


@login_required
@require_POST
def workspace_leave(request):
    left = request.workspace
    try:
        keys = members.leave(request.membership)
    except members.Refused as refusal:
        return _tell(request, refusal)
    messages.success(
        request, _("You left “%(name)s”.") % {"name": left.name} + _told_of(keys)
    )
    return go_to(request, reverse("analytics:dashboard"))


@login_required
@require_POST
@may("manage_members")
def invitation_resend(request, pk):
    invitation = _get_invitation(request, pk)
    try:
        invitations.resend(invitation, by=request.membership)
    except members.Refused as refusal:
        return _tell(request, refusal)
    messages.success(
        request,
        _("Another mail is on its way to %(email)s; the older link is dead.")
        % {"email": invitation.email},
    )
    return _back(request)


@login_required
@require_POST
@may("manage_members")
def invitation_revoke(request, pk):
    invitation = _get_invitation(request, pk)
    try:
        invitations.revoke(invitation, by=request.membership)
    except members.Refused as refusal:
        return _tell(request, refusal)
    messages.success(
        request,
        _("The invitation of %(email)s is revoked.") % {"email": invitation.email},
    )
    return _back(request)


def _get_member(request, pk):
    people = Membership.objects.for_owner(request.workspace).select_related("user")
    return get_object_or_404(people, pk=pk)


def _get_invitation(request, pk):
    return get_object_or_404(
        Invitation.objects.for_owner(request.workspace).open(), pk=pk
    )


def _told_of(keys):
    if not keys:
        return ""
    return " " + ngettext(
        "%(count)d API key was revoked.", "%(count)d API keys were revoked.", keys
    ) % {"count": keys}


def _tell(request, refusal):
    messages.error(request, str(refusal))
    return _back(request)


def _back(request):
    return go_to(request, reverse("accounts:member_list"))
