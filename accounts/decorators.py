"""Who may do what in a workspace; the views say so above their names."""

from functools import wraps

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.permissions import Action

ONLY_LOOKING = gettext_lazy("You only look at this workspace: that is not for you.")


def why_not(membership) -> str:
    """What somebody is told whose rights do not suffice; "" if it is their role."""
    if membership.is_only_read:
        return ONLY_LOOKING
    if membership.workspace.is_suspended:
        return _(
            "This workspace is suspended: all of it can be read, and nothing changed."
        )
    return ""


def may(action: str):
    """Refuse people whose role does not allow `action` (403).

    Goes below `login_required`. Raises ValueError for a name that is no `Action`.
    """
    needed = Action(action)

    def decorate(view):
        @wraps(view)
        def checked(request, *args, **kwargs):
            if not request.membership.may[needed]:
                raise PermissionDenied(why_not(request.membership))
            return view(request, *args, **kwargs)

        return checked

    return decorate


can_write = may(Action.WRITE)
