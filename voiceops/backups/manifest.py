"""What a backup says about itself: `manifest.json` beside the database's file."""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

NAME = "manifest.json"
PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


class BadBackup(Exception):
    """Why there is no backup, or why this one is not restored: one line to a person."""


@dataclass(frozen=True)
class Manifest:
    made_at: str  # UTC, ISO 8601
    release: str
    vendor: str  # Django's word for the kind of database
    server: str  # its version
    migrations: Sequence[str]  # "app.name" of each that was applied
    rows: Mapping[str, int]  # by table
    file: str
    sha256: str
    sealed: str  # a word encrypted as the secrets in the database are

    def write(self, directory: Path) -> None:
        (directory / NAME).write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, directory: Path) -> Self:
        try:
            return cls(**json.loads((directory / NAME).read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise BadBackup(f"{directory} is no backup: {NAME}: {error}") from None

    def check_file(self, directory: Path) -> Path:
        """The database's file, as it was when it was made; else BadBackup."""
        path = directory / self.file
        if not path.is_file() or checksum(path) != self.sha256:
            raise BadBackup(f"{path} is damaged: it is not the file that was made.")
        return path


def checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def release() -> str:
    return tomllib.loads(PYPROJECT.read_text())["project"]["version"]
