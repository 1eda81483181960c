"""What production refuses to start with: a sentence each, and none with a secret in it.

Pure: it is given the settings as they were read. All that is wrong is told at once, so
that nobody mends one name after the other.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

DEVELOPMENT_SECRET_KEY = (
    "development-only-and-public: never serve anybody with this key"
)
DEVELOPMENT_FIELD_KEY = "ZGV2ZWxvcG1lbnQtb25seS1hbmQtcHVibGljLWtleSE="
SHORTEST_SECRET_KEY = 50  # Django's own measure (security.W009)
FEWEST_LETTERS = 5
SHORTEST_METRICS_TOKEN = 24
# They print mail, keep it in memory or drop it.
NOBODY_READS = (
    "django.core.mail.backends.console.EmailBackend",
    "django.core.mail.backends.dummy.EmailBackend",
    "django.core.mail.backends.locmem.EmailBackend",
)
MAKE_A_SECRET_KEY = (
    'python -c "import secrets; print(secrets.token_urlsafe(48))" makes one'
)
MAKE_A_FIELD_KEY = (
    'python -c "from cryptography.fernet import Fernet;'
    ' print(Fernet.generate_key().decode())" makes one'
)


def refusals(given: Mapping[str, Any]) -> list[str]:
    """Every reason not to start with the settings `given`; empty if there is none."""
    checks = [_secrets, _addresses, _stores, _switches]
    return [sentence for check in checks for sentence in check(given)]


def _secrets(given: Mapping[str, Any]) -> Iterator[str]:
    names = {"SECRET_KEY": [given["SECRET_KEY"]]}
    names["SECRET_KEY_FALLBACKS"] = given["SECRET_KEY_FALLBACKS"]
    for name, keys in names.items():
        if wrong := next(filter(None, map(_wrong_secret_key, keys)), None):
            yield f"{name} {wrong}: {MAKE_A_SECRET_KEY}."
    keys = [key for key in given["FIELD_ENCRYPTION_KEYS"] if key]
    if not keys:
        yield f"FIELD_ENCRYPTION_KEYS must be set: {MAKE_A_FIELD_KEY}."
    elif DEVELOPMENT_FIELD_KEY in keys:
        yield (
            "FIELD_ENCRYPTION_KEYS holds the public development key:"
            f" {MAKE_A_FIELD_KEY}."
        )
    elif not all(map(_is_fernet_key, keys)):
        yield (
            "FIELD_ENCRYPTION_KEYS holds what is no Fernet key (32 bytes in URL-safe"
            f" Base64; a comma between two): {MAKE_A_FIELD_KEY}."
        )
    token = given["METRICS_TOKEN"]
    if token and len(token) < SHORTEST_METRICS_TOKEN:
        yield (
            "METRICS_TOKEN is too simple"
            f" (at least {SHORTEST_METRICS_TOKEN} random characters):"
            f" {MAKE_A_SECRET_KEY}."
        )


def _wrong_secret_key(key: str) -> str | None:
    if not key:
        return "must be set"
    if key == DEVELOPMENT_SECRET_KEY:
        return "is the public development key"
    if len(key) < SHORTEST_SECRET_KEY or len(set(key)) < FEWEST_LETTERS:
        return f"is too simple (at least {SHORTEST_SECRET_KEY} random characters)"
    return None


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


def _addresses(given: Mapping[str, Any]) -> Iterator[str]:
    public = urlsplit(given["PUBLIC_BASE_URL"])
    is_here = _is_this_machine(public.hostname or "")
    if not public.hostname:
        yield (
            "PUBLIC_BASE_URL must be set to the address that people and the carrier"
            " use, such as https://voiceops.example.com."
        )
    elif is_here and not given["DEMO"]:
        yield "PUBLIC_BASE_URL is this machine: nobody else reaches that address."
    elif public.scheme != "https" and not (is_here and given["DEMO"]):
        yield "PUBLIC_BASE_URL must be https: log-ins and signatures travel over it."
    carrier = given["TWILIO_API_BASE_URL"]
    if carrier and not carrier.startswith("https://") and not given["DEMO"]:
        yield (
            "TWILIO_API_BASE_URL must be https: auth tokens travel over it. Leave it"
            " out for the carrier's own address."
        )
    if "*" in given["ALLOWED_HOSTS"]:
        yield (
            "ALLOWED_HOSTS is * and lets a request claim any host: name yours, or leave"
            " it out for the host of PUBLIC_BASE_URL."
        )


def _is_this_machine(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _stores(given: Mapping[str, Any]) -> Iterator[str]:
    if not given["REDIS_URL"]:
        yield (
            "REDIS_URL must be set: sessions, limits and tasks are shared by several"
            " processes."
        )
    if not given["DATABASE_URL"]:
        yield (
            "DATABASE_URL must be set: postgres://user:password@host/name, or for one"
            " machine sqlite:////absolute/path."
        )


def _switches(given: Mapping[str, Any]) -> Iterator[str]:
    if given["DEBUG"]:
        yield "DEBUG shows code and settings to everybody: leave it off."
    if not given["RATE_LIMITS"]:
        yield "RATE_LIMITS cannot be off: passwords could be guessed without end."
    if given["PATIENCE"] != 1:
        yield "PATIENCE is for tests: leave it at 1."
    if given["SIMULATOR"] and not given["DEMO"]:
        yield (
            "SIMULATOR is on: anybody could place pretended calls. Leave it off, or say"
            " ENVIRONMENT=demo if this is a demonstration."
        )
    if given["EMAIL_BACKEND"] in NOBODY_READS and not given["DEMO"]:
        yield (
            "EMAIL_URL must name a mail server, such as"
            " smtp+tls://user:password@host:587: invitations and new passwords go by"
            " mail."
        )
