"""Workspaces from which nothing goes out: suspended, or a feature is switched off.

What a suspended workspace may still do is decided in few places, each for all
(docs/decisions/0038-suspended-workspaces.md): what goes out by `why_halted`, what its
people and keys may by `Membership.may`, who calls in by `services.calls.receive_call`.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit, operators_log, switches
from accounts.audit import Action
from accounts.models import User, Workspace


def why_halted(owner: Workspace, *features: str) -> str:
    """Why nothing of the kind goes out of the workspace, in words; "" if it may."""
    if owner.is_suspended:
        return _("This workspace is suspended.")
    for feature in features:
        if switches.is_off(feature, owner.pk):
            return str(switches.WORDS[feature])
    return ""


def suspend(workspace: Workspace, *, reason: str, by: User, at: datetime) -> bool:
    """Let nothing go out of it and nothing be changed in it; False if it is so.

    What goes on at this moment goes on: nobody is cut off in the middle of a sentence.
    """
    with transaction.atomic():
        row = _locked(workspace)
        if row.is_suspended:
            return False
        row.suspended_at, row.suspended_reason = at, reason
        row.save(update_fields=["suspended_at", "suspended_reason", "updated_at"])
        _record(Action.SUSPENDED, row, reason=reason, by=by)
    return True


def resume(workspace: Workspace, *, reason: str, by: User) -> bool:
    """All is as before; False if it was not suspended."""
    with transaction.atomic():
        row = _locked(workspace)
        if not row.is_suspended:
            return False
        row.suspended_at, row.suspended_reason = None, ""
        row.save(update_fields=["suspended_at", "suspended_reason", "updated_at"])
        _record(Action.RESUMED, row, reason=reason, by=by)
    return True


def _locked(workspace: Workspace) -> Workspace:
    return Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)


def _record(action: str, row: Workspace, *, reason: str, by: User) -> None:
    """For its people, and for operators, who learn which of them it was."""
    audit.record(action, row, changes={"reason": [None, reason]})
    told = f"{Action(action).label}: {reason}"
    operators_log.note(by, row, told)
