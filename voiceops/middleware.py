"""The carrier's webhooks go straight to their views."""

from django.core.handlers.base import BaseHandler

PREFIX = "/webhooks/"


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
    What the rest costs is a twelfth of a voice webhook.
    """
    views = _Views()

    def middleware(request):
        if request.path_info.startswith(PREFIX):
            return views(request)
        return get_response(request)

    return middleware
