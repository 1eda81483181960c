"""A backup is made aside and gets its name when it is whole and on the disk."""

import os
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from voiceops import encryption
from voiceops.backups import postgres, sqlite
from voiceops.backups.manifest import Manifest, checksum, release

ENGINES = {"sqlite": sqlite, "postgresql": postgres}
WORD = "voiceops"


def make(connection: BaseDatabaseWrapper, directory: Path) -> Path:
    """The new backup, in `directory`, for its owner's eyes only.

    Whoever is killed meanwhile leaves `.….unfinished` there and nothing else.
    """
    at = datetime.now(UTC)
    backup = directory / f"voiceops-{at:%Y%m%dT%H%M%SZ}"
    aside = directory / f".{backup.name}.{os.getpid()}.unfinished"
    directory.mkdir(parents=True, exist_ok=True)
    aside.mkdir(mode=0o700)
    try:
        _fill(aside, connection, at)
        _sync([*aside.iterdir(), aside])
        aside.rename(backup)
    except BaseException:
        shutil.rmtree(aside)
        raise
    _sync([directory])
    return backup


def _fill(aside: Path, connection: BaseDatabaseWrapper, at: datetime) -> None:
    engine = ENGINES[connection.vendor]
    rows = engine.dump(connection, aside)
    applied = MigrationRecorder(connection).applied_migrations()
    Manifest(
        made_at=at.isoformat(timespec="seconds"),
        release=release(),
        vendor=connection.vendor,
        server=engine.version(connection),
        migrations=sorted(f"{app}.{name}" for app, name in applied),
        rows=rows,
        file=engine.FILE,
        sha256=checksum(aside / engine.FILE),
        sealed=encryption.encrypt(WORD),
    ).write(aside)


def _sync(paths: Iterable[Path]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
