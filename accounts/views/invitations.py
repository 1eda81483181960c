from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import invitations
from accounts.adapters import OPENED_INVITATION
from accounts.middleware import choose_workspace


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation_detail(request, secret):
    """What the link of the mail opens; POST joins.

    Who may not use it learns only that: used, revoked, expired and invented are one.
    """
    user = request.user if request.user.is_authenticated else None
    invitation = invitations.find(secret, user)
    if invitation is None:
        return _unusable(request)
    if user is None:
        # An account that is made in this browser for that address joins (adapters.py).
        request.session[OPENED_INVITATION] = invitation.digest
        return _page(request, "accounts/invitation_detail.html", invitation)
    if not invitations.is_for(invitation, user):
        return _page(request, "accounts/invitation_mismatch.html", invitation, 403)
    if request.method == "POST" or invitation.accepted_at:
        return _join(request, invitation)
    return _page(request, "accounts/invitation_detail.html", invitation)


def _page(request, template, invitation, status=200):
    return render(request, template, {"invitation": invitation}, status=status)


def _join(request, invitation):
    try:
        membership = invitations.accept(invitation, request.user)
    except invitations.Refused:
        return _unusable(request)
    choose_workspace(request, membership.workspace)
    messages.success(
        request, _("Welcome to “%(name)s”.") % {"name": membership.workspace.name}
    )
    return redirect("analytics:dashboard")


def _unusable(request):
    return render(request, "accounts/invitation_unusable.html", status=404)
