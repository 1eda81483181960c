"""Verbs about who belongs to a workspace.

Everything that changes who is in takes the workspace's lock first and reads the people
anew under it: who acts may have lost the right a moment ago, and there is always
exactly one owner.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts import audit
from accounts.audit import Action
from accounts.models import AccessToken, Membership, User, Workspace
from accounts.permissions import ASSIGNABLE, Role
from accounts.permissions import Action as Right


class Refused(Exception):
    """A rule about teams forbids it; the text is for people."""


@contextmanager
def locked(workspace: Workspace) -> Iterator[None]:
    """One change of its people at a time."""
    with transaction.atomic():
        # Not against rows that merely point at the workspace: calls go on.
        Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
        yield


def require(by: Membership, action: Right) -> None:
    """Raise PermissionDenied unless `by`, as it stands now, allows the action."""
    now_held = Membership.objects.filter(pk=by.pk).first()
    if now_held is None or not now_held.may[action]:
        raise PermissionDenied


def _as_it_stands(membership: Membership) -> Membership:
    people = Membership.objects.select_related("user", "workspace")
    found = people.filter(pk=membership.pk).first()
    if found is None:
        raise Refused(_("This person is not a member any more."))
    return found


def open_workspace(user: User, *, name: str, timezone: str) -> Workspace:
    """Make one more workspace, owned by this person."""
    with transaction.atomic():
        workspace = Workspace.objects.create(name=name, timezone=timezone)
        Membership.objects.create(workspace=workspace, user=user, role=Role.OWNER)
        audit.record(Action.CREATED, workspace)
    return workspace


def change_role(membership: Membership, role: str, *, by: Membership) -> Membership:
    """Give a member another role.

    Raises PermissionDenied, and Refused for the owner's role, either way.
    """
    with locked(by.workspace):
        require(by, Right.MANAGE_MEMBERS)
        member = _as_it_stands(membership)
        if role not in ASSIGNABLE or member.role == Role.OWNER:
            raise Refused(_("The owner's role can only be handed over."))
        member.role = role
        with audit.changing(member):
            member.save(update_fields=["role"])
    return member


def remove(membership: Membership, *, by: Membership) -> int:
    """Take a member out; their tokens for this workspace end. How many keys ended.

    Raises PermissionDenied, and Refused for the owner.
    """
    with locked(by.workspace):
        require(by, Right.MANAGE_MEMBERS)
        member = _as_it_stands(membership)
        if member.role == Role.OWNER:
            raise Refused(_("The owner cannot be removed."))
        return _take_out(member, Action.REMOVED)


def leave(membership: Membership) -> int:
    """Leave the workspace. How many of one's API keys ended.

    Raises Refused for the owner, who hands the workspace over first.
    """
    with locked(membership.workspace):
        member = _as_it_stands(membership)
        if not member.may[Right.LEAVE]:
            raise Refused(_("Make somebody else the owner before you leave."))
        return _take_out(member, Action.LEFT)


def _take_out(member: Membership, action: Action) -> int:
    tokens = AccessToken.unscoped.filter(
        owner=member.workspace, user=member.user, revoked_at=None
    )
    keys = list(tokens.api_keys())
    for key in keys:
        audit.record(Action.REVOKED, key)
    tokens.update(revoked_at=now(), updated_at=now())
    audit.record(action, member, changes={"role": [member.role, None]})
    member.delete()
    return len(keys)


def transfer_ownership(membership: Membership, *, by: Membership) -> None:
    """Make another member the owner; who was it becomes an admin.

    Raises PermissionDenied when `by` is not the owner, Refused when nothing changes.
    """
    with locked(by.workspace):
        require(by, Right.TRANSFER_OWNERSHIP)
        heir = _as_it_stands(membership)
        if heir.pk == by.pk:
            raise Refused(_("You are the owner already."))
        # In this order: the database allows one owner at any moment.
        Membership.objects.filter(pk=by.pk).update(role=Role.ADMIN)
        Membership.objects.filter(pk=heir.pk).update(role=Role.OWNER)
        handed_over = {
            "role": [heir.role, Role.OWNER],
            "owner": [by.user.email, heir.user.email],
        }
        audit.record(Action.MADE_OWNER, heir, changes=handed_over)


def of_workspace(workspace: Workspace) -> list[Membership]:
    """The people, the owner first, each with `key_count`: usable API keys of theirs."""
    keys = AccessToken.objects.for_owner(workspace).usable().api_keys()
    counts = dict(keys.values_list("user").annotate(Count("pk")).order_by())
    people = Membership.objects.for_owner(workspace).select_related("user")
    rank = {role.value: place for place, role in enumerate(Role)}
    listed = sorted(people, key=lambda member: (rank[member.role], member.pk))
    for member in listed:
        member.key_count = counts.get(member.user_id, 0)
    return listed
