"""Whose is what: the workspaces of the people of an earlier system, by a map.

The map is a table in JSON or TOML: the id of a person there to the id or name of a
workspace here, or `new:NAME`; `new:` alone makes one for each person. `*` is everybody
who is not named.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from django.db import transaction

from accounts import audit
from accounts.audit import Action
from accounts.models import Workspace
from importing.ledger import Ledger
from importing.mapping import BadMapping
from importing.values import Refused

NEW = "new:"
EVERYBODY = "*"


def read(path: Path) -> dict[str, str]:
    """The map in that file. Raises BadMapping."""
    try:
        written = path.read_text()
        is_toml = path.suffix == ".toml"
        told = tomllib.loads(written) if is_toml else json.loads(written)
    except (OSError, ValueError) as error:
        raise BadMapping(f"{path}: {error}") from None
    if not isinstance(told, dict) or not all(isinstance(v, str) for v in told.values()):
        raise BadMapping(f"{path}: it is no table of ids to workspaces.")
    return told


class Workspaces:
    """The workspaces that the map names. In a dry run new ones are never saved."""

    def __init__(self, told: Mapping[str, str], ledger: Ledger, *, is_dry: bool):
        self._told, self._ledger, self._is_dry = told, ledger, is_dry
        self._found: dict[str, Workspace] = {}
        for target in told.values():
            if not target.startswith(NEW):
                self._found[target] = _existing(target)

    def of(self, user_id: str) -> Workspace:
        """Raises Refused where the map does not say it."""
        target = self._told.get(user_id) or self._told.get(EVERYBODY)
        if target is None:
            raise Refused("the map names no workspace for its user_id")
        if target == NEW:
            target += user_id
            name = f"Workspace of {user_id}"
        else:
            name = target.removeprefix(NEW)
        if target not in self._found:
            self._found[target] = self._made(target, name.strip()[:150])
        return self._found[target]

    def _made(self, target: str, name: str) -> Workspace:
        known = self._ledger.find("workspaces", target)
        if known is not None:
            return known
        workspace = Workspace(name=name)
        if not self._is_dry:
            with transaction.atomic():
                workspace.save()
                self._ledger.origin("workspaces", target, workspace, workspace).save()
                audit.record(Action.CREATED, workspace)
        return workspace


def _existing(target: str) -> Workspace:
    try:
        found = list(Workspace.objects.filter(pk=UUID(target)))
    except ValueError:
        found = list(Workspace.objects.filter(name=target)[:2])
    if len(found) != 1:
        count = "more than one" if found else "no"
        raise BadMapping(f"There is {count} workspace {target!r}.")
    return found[0]
