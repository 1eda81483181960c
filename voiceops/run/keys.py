"""The secrets that an installation makes for itself on its first run."""

import base64
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


# SIMULATOR_ACCOUNT_SID has Twilio's shape (AC and 32 hex digits): the SDK checks it.
MAKERS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "FIELD_ENCRYPTION_KEYS": _fernet_key,
    "SIMULATOR_KEY": lambda: secrets.token_urlsafe(32),
    "SIMULATOR_ACCOUNT_SID": lambda: f"AC{secrets.token_hex(16)}",
    "SIMULATOR_AUTH_TOKEN": lambda: secrets.token_hex(16),
    "DEMO_PASSWORD": lambda: "-".join(secrets.token_hex(3) for _ in range(4)),
}


def ensure_secrets(path: Path) -> None:
    """Make the file, or append the names it lacks; what it holds stays as it is.

    The file is born with mode 0600: there is no moment in which others can read it.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        known, separator = set(), ""
    except FileExistsError:
        text = path.read_text()
        known = set(re.findall(r"^(?:export )?(\w+)=", text, re.MULTILINE))
        separator = "" if text.endswith("\n") or not text else "\n"
        if not MAKERS.keys() - known:
            return
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    lines = [f"{name}={make()}\n" for name, make in MAKERS.items() if name not in known]
    with os.fdopen(descriptor, "w") as file:
        file.write(separator + "".join(lines))
