"""What every request passes: sizes, headers, and the carrier's short way."""

import json
from http import HTTPStatus

from django.core.handlers.base import BaseHandler
from django.http import HttpResponse
from django.template.loader import render_to_string

WEBHOOKS = "/webhooks/"
METRICS = "/metrics"
MOST_BODY_BYTES = 11_000_000  # a list of 10 MB, and the form around it
# Nothing that a page could be made to do with a visitor's devices is used here.
PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        *("accelerometer", "bluetooth", "camera", "display-capture", "geolocation"),
        *("gyroscope", "hid", "magnetometer", "microphone", "midi", "payment"),
        *("serial", "usb", "xr-spatial-tracking"),
    )
)


def answers_are_private(get_response):
    """Nobody keeps a copy of an answer, and other sites cannot take it in.

    Static files have said already how long they are kept.
    """

    def middleware(request):
        response = get_response(request)
        headers = response.headers
        headers.setdefault("Cache-Control", "private, no-store")
        headers.setdefault("Permissions-Policy", PERMISSIONS)
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response

    return middleware


def refuse_large_bodies(get_response):
    """Answer 413 before a byte is read of what is announced as too large.

    What announces no length is not read at all by Django.
    """

    def middleware(request):
        length = request.META.get("CONTENT_LENGTH") or ""
        if length.isdecimal() and int(length) > MOST_BODY_BYTES:
            return _too_large(request)
        return get_response(request)

    return middleware


def _too_large(request) -> HttpResponse:
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if "text/html" in request.headers.get("Accept", ""):
        return HttpResponse(render_to_string("413.html"), status=status)
    problem = {
        "type": "https://voiceops.dev/problems/body-too-big",
        "title": status.phrase,
        "status": status,
        "detail": f"The body is larger than {MOST_BODY_BYTES} bytes.",
    }
    return HttpResponse(
        json.dumps(problem), status=status, content_type="application/problem+json"
    )


class _Views(BaseHandler):
    """The views, with no middleware around them."""

    _view_middleware: list = []
    _template_response_middleware: list = []
    _exception_middleware: list = []

    def __call__(self, request):
        return self._get_response(request)


def webhooks_directly(get_response):
    """Leave out what comes after this middleware for the carrier's requests.

    They have no session, no person, no form and no page: signature and body are all.
    What the rest costs is a twelfth of a voice webhook. So it is with the metrics,
    which are asked for inside, by whatever name a container has there.
    """
    views = _Views()

    def middleware(request):
        path = request.path_info
        if path.startswith(WEBHOOKS) or path == METRICS:
            return views(request)
        return get_response(request)

    return middleware
