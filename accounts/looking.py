"""Operators look at a workspace through the eyes of one of its people, to help them.

The session stays the operator's: nobody is logged in as somebody else. For half an hour
the pages of the workspace are shown as that person has them, and nothing else of theirs
is; whatever would change anything is refused. Its owner reads of it in the audit log.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from accounts import audit, operators_log
from accounts.audit import Action
from accounts.decorators import ONLY_LOOKING
from accounts.models import Membership, User

KEY = "looking"  # in the session
LASTS = timedelta(minutes=30)
READING = {"GET", "HEAD", "OPTIONS"}
# About whoever is logged in, which is the operator.
ONES_OWN = ("/account/",)
# The person's own: keys, log-ins, other workspaces.
HIDDEN = (
    *("/api-keys", "/api/api-keys", "/auth/", "/api/auth/", "/api/workspaces"),
    *("/invitations/", "/settings/profile", "/settings/account/"),
    "/settings/workspaces",
)


class Refused(Exception):
    """Nobody looks there: `str()` says why."""


@dataclass(frozen=True)
class Look:
    """Who looks, through whose eyes, and until when."""

    operator: User
    membership: Membership
    until: datetime


def begin(
    request: HttpRequest, membership: Membership, *, reason: str, at: datetime
) -> None:
    """From the next request on, in this session. Raises Refused."""
    if not _may_be_seen(membership.user):
        raise Refused(_("Nobody looks through the eyes of another operator."))
    with transaction.atomic():
        audit.record(Action.LOOKED, membership, changes={"reason": [None, reason]})
        operators_log.note(
            request.user, membership, f"Looks through their eyes: {reason}"
        )
    request.session.cycle_key()
    until = at + LASTS
    request.session[KEY] = {
        "membership": str(membership.pk),
        "until": until.isoformat(),
    }


def end(request: HttpRequest) -> None:
    """The operator is at home again. Safe to repeat."""
    kept = request.session.pop(KEY, None)
    if kept is None:
        return
    request.session.cycle_key()
    if membership := _membership(kept):
        operators_log.note(request.user, membership, "Looks no more")


def of(request: HttpRequest, at: datetime) -> Look | None:
    """The look that this request is part of; one that is over is forgotten."""
    kept = request.session.get(KEY)
    is_own = audit.is_of_operators(request.path) or request.path.startswith(ONES_OWN)
    if kept is None or is_own:
        return None
    until, membership = parse_datetime(kept["until"]), _membership(kept)
    if at < until and membership is not None and _may_look(request):
        membership.is_only_read = True
        return Look(request.user, membership, until)
    del request.session[KEY]
    return None


def see_as(request: HttpRequest) -> None:
    """Make the request the person's, as far as it reads. Raises PermissionDenied."""
    if request.method not in READING or request.path.startswith(HIDDEN):
        raise PermissionDenied(str(ONLY_LOOKING))
    membership = request.looking.membership
    request.user = membership.user
    request.membership, request.memberships = membership, [membership]


def _membership(kept: dict) -> Membership | None:
    found = Membership.objects.select_related("user", "workspace")
    membership = found.filter(pk=kept["membership"], user__is_active=True).first()
    return membership if membership and _may_be_seen(membership.user) else None


def _may_be_seen(person: User) -> bool:
    return not (person.is_staff or person.is_superuser)


def _may_look(request: HttpRequest) -> bool:
    from accounts.operators import is_confirmed  # the admin, which few requests need

    operator = request.user
    return operator.is_staff and operator.is_superuser and is_confirmed(request)
