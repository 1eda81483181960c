"""Who may do what in a workspace; the views say so above their names."""

from functools import wraps

from django.core.exceptions import PermissionDenied


def can_write(view):
    """Refuse people who may only look (403). Goes below `login_required`."""

    @wraps(view)
    def checked(request, *args, **kwargs):
        if not request.membership.may_write:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return checked
