"""Into an empty database, after everything was looked at that can be beforehand."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import InvalidToken
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from voiceops import encryption
from voiceops.backups.making import ENGINES
from voiceops.backups.manifest import BadBackup, Manifest


@dataclass(frozen=True)
class Restored:
    manifest: Manifest
    is_behind: bool  # this release has migrations that the backup has not
    is_sealed: bool  # our keys do not open the secrets in it


def restore(
    connection: BaseDatabaseWrapper, backup: Path, *, replace: bool
) -> Restored:
    """Raises BadBackup: nothing was changed, or it says that the wrong rows came back.

    With `replace` what the database holds goes, and a backup of a newer release is
    taken too.
    """
    manifest = Manifest.read(backup)
    if manifest.vendor != connection.vendor:
        raise BadBackup(f"This is a backup of {manifest.vendor}: {connection.vendor}.")
    file = manifest.check_file(backup)
    engine = ENGINES[connection.vendor]
    known = {".".join(key) for key in MigrationLoader(None).disk_migrations}
    if not replace:
        _refuse_to_lose(engine.count(connection), set(manifest.migrations) - known)
    connection.close()
    engine.load(connection, file)
    if (found := engine.count(connection)) != manifest.rows:
        raise BadBackup(f"Not what was saved: {_differing(manifest.rows, found)}.")
    is_behind = not known <= set(manifest.migrations)
    return Restored(manifest, is_behind, not _opens(manifest.sealed))


def _refuse_to_lose(rows: dict[str, int], unknown: set[str]) -> None:
    if rows:
        raise BadBackup(
            f"The database is not empty ({len(rows)} tables, {sum(rows.values())}"
            " rows): with --force the backup takes its place."
        )
    if unknown:
        raise BadBackup(
            f"The backup is of a newer release ({min(unknown)}): restore it with that."
        )


def _differing(saved, found) -> str:
    tables = sorted(
        name for name in saved | found if saved.get(name) != found.get(name)
    )
    return ", ".join(
        f"{name} has {found.get(name)} rows of {saved.get(name)}" for name in tables
    )


def _opens(sealed: str) -> bool:
    try:
        encryption.decrypt(sealed)
    except InvalidToken:
        return False
    return True
