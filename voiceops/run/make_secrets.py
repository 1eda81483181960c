"""First secrets for a deployment, each in a file of its own.

    python -m voiceops.run.make_secrets secrets

What is there already stays as it is. Nobody but you may enter the directory; its files
can be read by whoever is handed them, for containers have users of their own.
"""

import argparse
import os
import secrets
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from voiceops.run.keys import MAKERS

DIRECTORY_MODE, FILE_MODE = 0o700, 0o644
# Only you know them: empty until you write into them.
YOURS = ("email_url", "llm_api_key", "sentry_dsn")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m voiceops.run.make_secrets")
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    for name in make_secrets(directory):
        print(f"made {directory / name}")
    for name in YOURS:
        if not _text(directory / name):
            print(f"{directory / name} is empty: only you know what belongs there")
    return 0


def make_secrets(directory: Path) -> list[str]:
    """The names of the files that were missing; they fit those that were there."""
    directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    directory.chmod(DIRECTORY_MODE)
    made = _write_missing(
        directory,
        {
            "secret_key": MAKERS["SECRET_KEY"](),
            "field_encryption_keys": MAKERS["FIELD_ENCRYPTION_KEYS"](),
            "postgres_password": secrets.token_urlsafe(32),
            "redis_password": secrets.token_urlsafe(32),
            "metrics_token": secrets.token_urlsafe(32),
        },
    )
    postgres = _text(directory / "postgres_password")
    redis = _text(directory / "redis_password")
    return made + _write_missing(
        directory,
        {
            "database_url": f"postgres://voiceops:{postgres}@postgres:5432/voiceops",
            "redis_url": f"redis://:{redis}@redis:6379/0",
            "redis.conf": f"requirepass {redis}",
            **dict.fromkeys(YOURS, ""),
        },
    )


def _write_missing(directory: Path, texts: Mapping[str, str]) -> list[str]:
    return [name for name, text in texts.items() if _write(directory / name, text)]


def _write(path: Path, text: str) -> bool:
    """Whole or not at all; False where the file is there already, whatever it holds."""
    descriptor, aside = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{text}\n" if text else "")
            os.fchmod(descriptor, FILE_MODE)
        with suppress(FileExistsError):
            os.link(aside, path)
            return True
        return False
    finally:
        os.unlink(aside)


def _text(path: Path) -> str:
    return path.read_text().strip()


if __name__ == "__main__":
    sys.exit(main())
