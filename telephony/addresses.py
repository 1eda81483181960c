"""Where the carrier finds us: built from PUBLIC_BASE_URL, never from a request."""

from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse

RELAY_PATH = "/webhooks/twilio/relay/"  # a WebSocket, so not among Django's routes


def public_url(path: str) -> str:
    return settings.PUBLIC_BASE_URL + path


def webhook_url(name: str, *args, **query) -> str:
    """The public address of `webhooks:<name>`."""
    address = public_url(reverse(f"webhooks:{name}", args=args))
    return f"{address}?{urlencode(query)}" if query else address


def relay_url(token: str) -> str:
    """The live session's address: wss, or ws where there is no TLS (development)."""
    base = settings.PUBLIC_BASE_URL.replace("http", "ws", 1)
    return f"{base}{RELAY_PATH}{token}"
