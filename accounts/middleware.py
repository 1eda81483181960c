import zoneinfo
from urllib.parse import quote

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core.cache import caches
from django.http import HttpResponse
from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from redis.exceptions import RedisError

from accounts import audit, looking, services

SESSION_SEEN_PRECISION_S = 300
CHOSEN_WORKSPACE = "workspace_id"  # in the session


def workspace_middleware(get_response):
    """Put `memberships`, `membership` and `workspace` on requests of signed-in people.

    They are looked up when first used, in every request anew: who was removed from a
    workspace is out of it with the next one. Times are shown in the person's own zone.
    """

    def middleware(request):
        request.looking = None
        if request.user.is_authenticated:
            request.looking = looking.of(request, timezone.now())
            if request.looking is not None:
                looking.see_as(request)
            else:
                _as_themselves(request)
            request.workspace = SimpleLazyObject(lambda: request.membership.workspace)
            with timezone.override(zoneinfo.ZoneInfo(request.user.timezone)):
                return get_response(request)
        request.memberships = request.membership = request.workspace = None
        return get_response(request)

    return middleware


def _as_themselves(request) -> None:
    request.memberships = SimpleLazyObject(
        lambda: services.memberships_of(request.user)
    )
    request.membership = SimpleLazyObject(
        lambda: services.chosen_among(
            request.memberships, request.session.get(CHOSEN_WORKSPACE)
        )
    )


def choose_workspace(request, workspace) -> None:
    """Work in this workspace from the next request on; the session remembers it."""
    request.session[CHOSEN_WORKSPACE] = str(workspace.pk)


def audit_middleware(get_response):
    """Tell the audit log on whose behalf the request's changes are made."""

    def middleware(request):
        with audit.asked_by(request):
            return get_response(request)

    return middleware


def session_activity_middleware(get_response):
    """Note when and from where a session was used, every few minutes.

    In place of allauth's own, which writes a row at every request: pages poll.
    """

    def middleware(request):
        if request.user.is_authenticated and is_worth_noting(request.session):
            UserSession.objects.create_from_request(request)
        return get_response(request)

    return middleware


def is_worth_noting(session) -> bool:
    """Whether its use was not noted lately; noted it is from now on."""
    key = f"session-seen:{session.session_key}"
    notes = caches[settings.SESSION_CACHE_ALIAS]  # where nobody can read a key
    try:
        return notes.add(key, True, timeout=SESSION_SEEN_PRECISION_S)
    except RedisError:  # a page is worth more than this note
        return False


def log_in_again_middleware(get_response):
    """Send the browser to the log-in page when htmx asks after the log-in expired.

    A plain redirect would be followed, and the log-in form put inside a fragment.
    """

    def middleware(request):
        response = get_response(request)
        if request.htmx and response.status_code == 302:
            log_in = resolve_url(settings.LOGIN_URL)
            if response["Location"].startswith(log_in):
                return HttpResponse(
                    status=204, headers={"HX-Redirect": _after_log_in(request, log_in)}
                )
        return response

    return middleware


def _after_log_in(request, log_in: str) -> str:
    """The log-in page, and from there back to the page that was on the screen."""
    page = request.htmx.current_url_abs_path
    return f"{log_in}?next={quote(page)}" if page else log_in
