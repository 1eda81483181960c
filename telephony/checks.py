"""Start-up checks."""

from django.conf import settings
from django.core.checks import Error, register
from django.urls import URLPattern, get_resolver

WEBHOOKS = "webhooks/"


@register
def webhooks_verify_signatures(app_configs, **kwargs):
    """Refuse to start with a webhook that would believe anybody."""
    return [
        Error(
            f"The route {route} does not verify the carrier's signature.",
            hint="Decorate its view with signed_by_twilio.",
            id="telephony.E001",
        )
        for route, view in _routes(get_resolver(settings.ROOT_URLCONF).url_patterns)
        if route.startswith(WEBHOOKS) and not hasattr(view, "verifies_signature")
    ]


def _routes(patterns, prefix=""):
    for entry in patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield route, entry.callback
        else:
            yield from _routes(entry.url_patterns, route)
