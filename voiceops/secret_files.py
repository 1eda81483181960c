"""Secrets from files: `NAME_FILE` names the file that holds what `NAME` would.

So they are in no process list, no `docker inspect` and no child's environment.
"""

from collections.abc import Mapping
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

NAMES = (
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "FIELD_ENCRYPTION_KEYS",
    "DATABASE_URL",
    "REDIS_URL",
    "EMAIL_URL",
    "LLM_API_KEY",
    "LLM_FALLBACK_API_KEY",
    "SENTRY_DSN",
    "METRICS_TOKEN",
)


def read_secret_files(environment: Mapping[str, str]) -> dict[str, str]:
    """What the files hold, by the name of the setting.

    Raises ImproperlyConfigured, which names the variable and never the content.
    """
    paths = {name: environment.get(f"{name}_FILE") for name in NAMES}
    if twice := [name for name in NAMES if paths[name] and environment.get(name)]:
        raise ImproperlyConfigured(
            f"{twice[0]} and {twice[0]}_FILE are both set: which one is meant?"
        )
    named = {name: path for name, path in paths.items() if path}
    return {name: _content(f"{name}_FILE", path) for name, path in named.items()}


def _content(variable: str, path: str) -> str:
    try:
        text = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ImproperlyConfigured(
            f"{variable} names a file that cannot be read: {reason}"
        ) from None
    if not text:
        raise ImproperlyConfigured(f"{variable} names a file that is empty")
    return text
