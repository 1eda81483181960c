"""Who asks with a browser, where no middleware has looked: streams beside Django."""

from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from accounts import looking, services
from accounts.middleware import CHOSEN_WORKSPACE
from accounts.models import Membership


def membership_of_session(session_key: str | None) -> Membership | None:
    """Who is signed in with this session, in the workspace in use; None: nobody."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    if looking.KEY in request.session:  # an operator's own; the page polls
        return None
    user = get_user(request)
    if not user.is_authenticated:
        return None
    memberships = services.memberships_of(user)
    return services.chosen_among(memberships, request.session.get(CHOSEN_WORKSPACE))
