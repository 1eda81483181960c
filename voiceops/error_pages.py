"""What a person sees of an error of ours."""

from django.http import HttpResponseServerError
from django.template.loader import render_to_string
from structlog.contextvars import get_contextvars


def server_error(request):
    """With the request's id, by which the log has what happened."""
    known = {"request_id": get_contextvars().get("request_id")}
    return HttpResponseServerError(render_to_string("500.html", known))
