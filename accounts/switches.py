"""Features that operators can switch off, for all workspaces or for one: in need.

They are asked about at every call and text, so what is off is read from the database
every other second at most; in the process that switches, at once.
"""

from dataclasses import dataclass
from time import monotonic
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit, operators_log
from accounts.audit import Action
from accounts.models import SwitchedOff, User, Workspace

Feature = SwitchedOff.Feature

KEPT_FOR_S = 2
WORDS = {
    Feature.CALLS: gettext_lazy("Outgoing calls are switched off for the moment."),
    Feature.TEXTS: gettext_lazy("Outgoing texts are switched off for the moment."),
    Feature.CAMPAIGNS: gettext_lazy("Campaigns are switched off for the moment."),
    Feature.SIGN_UP: gettext_lazy("Signing up is switched off for the moment."),
}


@dataclass(frozen=True)
class _Known:
    off: frozenset[tuple[str, UUID | None]]
    until: float


_known = _Known(frozenset(), until=0)


def is_off(feature: str, owner_id: UUID | None = None) -> bool:
    """Whether it is switched off for all, or for this workspace."""
    off = _off()
    return (feature, None) in off or (feature, owner_id) in off


def _off() -> frozenset[tuple[str, UUID | None]]:
    global _known
    if monotonic() >= _known.until:
        rows = SwitchedOff.objects.values_list("feature", "workspace")
        _known = _Known(frozenset(rows), monotonic() + KEPT_FOR_S)
    return _known.off


def forget() -> None:
    """Look again when somebody asks next."""
    global _known
    _known = _Known(frozenset(), until=0)


def switch_off(
    feature: str, workspace: Workspace | None, *, reason: str, by: User
) -> bool:
    """For all, or for one workspace; False if it is off already."""
    with transaction.atomic():
        _row, is_new = SwitchedOff.objects.get_or_create(
            feature=feature, workspace=workspace, defaults={"reason": reason}
        )
        if is_new:
            _record(feature, workspace, is_on=False, reason=reason, by=by)
    return is_new


def switch_on(
    feature: str, workspace: Workspace | None, *, reason: str, by: User
) -> bool:
    """For all, or for one workspace; False if it is on already."""
    with transaction.atomic():
        rows = SwitchedOff.objects.filter(feature=feature, workspace=workspace)
        was_off = bool(rows.delete()[0])
        if was_off:
            _record(feature, workspace, is_on=True, reason=reason, by=by)
    return was_off


def _record(feature, workspace, *, is_on: bool, reason: str, by: User) -> None:
    """In the log of operators, and in that of the workspace that it is about."""
    transaction.on_commit(forget)
    words = [_("off"), _("on")]
    change = [words[not is_on], words[is_on]]
    told = f"{Feature(feature).label}: {words[is_on]}. {reason}"
    row = by if workspace is None else workspace
    operators_log.note(by, row, told)
    if workspace is not None:
        changes = {feature: change, "reason": [None, reason]}
        audit.record(Action.CHANGED, workspace, changes=changes)
