"""The operators' site: for staff whose second factor was confirmed in this session.

Whoever gets in here reads every workspace, so a password alone, or a browser that was
left open before there was a second factor, opens nothing.
"""

import logging
from functools import update_wrapper, wraps
from http import HTTPStatus
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts import operators_log
from accounts.audit import address_of
from accounts.passwords import has_second_factor
from voiceops import limits

KNOCKS = 20  # at the door, a minute and address
HAS_ENTERED = "operator_has_entered"  # in the session

logger = logging.getLogger(__name__)


def is_confirmed(request) -> bool:
    """Whether a second factor that the person still has was given in this session."""
    if not hasattr(request, "second_factor_is_confirmed"):
        records = get_authentication_records(request, request.user)
        given = [record.get("id") for record in records if record["method"] == "mfa"]
        factors = Authenticator.objects.filter(user=request.user, pk__in=given)
        request.second_factor_is_confirmed = bool(given) and factors.exists()
    return request.second_factor_is_confirmed


class OperatorsSite(admin.AdminSite):
    def has_permission(self, request):
        return super().has_permission(request) and is_confirmed(request)

    def admin_view(self, view, cacheable=False):
        """As Django's; the first page of a session is written down."""
        inner = super().admin_view(view, cacheable)

        def entered(request, *args, **kwargs):
            if HAS_ENTERED not in request.session and self.has_permission(request):
                _note_entry(request)
            return inner(request, *args, **kwargs)

        return update_wrapper(entered, inner)

    @method_decorator(never_cache)
    def login(self, request, extra_context=None):
        """Nobody gets in here: it sends to what is missing, everybody's log-in first.

        Somebody who is no operator would be sent back here without end: 403.
        """
        if not _may_knock(request):
            return HttpResponse(
                _("Too many tries. Wait a minute."),
                status=HTTPStatus.TOO_MANY_REQUESTS,
                content_type="text/plain; charset=utf-8",
            )
        user = request.user
        if not user.is_authenticated:
            return _send(request, "account_login")
        if not user.is_active or not user.is_staff:
            logger.warning("person %s: no operator, wants in", user.pk)
            raise PermissionDenied
        if not has_second_factor(user):
            messages.info(request, _("Operators need two-factor log-in: set it up."))
            return _send(request, "mfa_activate_totp")
        if not is_confirmed(request):
            return _send(request, "mfa_reauthenticate")
        return redirect("admin:index")

    def password_change(self, request, extra_context=None):
        """The page of everybody, which ends other log-ins and is recorded."""
        return redirect("account_change_password")


def for_superusers(view):
    """A page of ours in the admin: for operators who may do everything."""

    @admin.site.admin_view
    @wraps(view)
    def checked(request, *args, **kwargs):
        if not request.user.is_superuser:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return checked


def page(request, template: str, title: str, **context):
    """A page of ours in the looks of the admin."""
    told = {**admin.site.each_context(request), "title": title, **context}
    return render(request, template, told)


def _may_knock(request) -> bool:
    if not settings.RATE_LIMITS:
        return True
    return limits.count("operators", address_of(request), KNOCKS).is_allowed


def _send(request, name: str):
    next_page = request.GET.get("next") or reverse("admin:index")
    return redirect(f"{reverse(name)}?{urlencode({'next': next_page}, safe='/')}")


def _note_entry(request) -> None:
    request.session[HAS_ENTERED] = True
    user, address = request.user, address_of(request)
    logger.info("operator %s came in from %s", user.pk, address)
    told = f"Came in from {address}"
    operators_log.note(user, user, told)
