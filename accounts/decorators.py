"""Who may do what in a workspace; the views say so above their names."""

from functools import wraps

from django.core.exceptions import PermissionDenied

from accounts.permissions import Action


def may(action: str):
    """Refuse people whose role does not allow `action` (403).

    Goes below `login_required`. Raises ValueError for a name that is no `Action`.
    """
    needed = Action(action)

    def decorate(view):
        @wraps(view)
        def checked(request, *args, **kwargs):
            if not request.membership.may[needed]:
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return checked

    return decorate


can_write = may(Action.WRITE)
