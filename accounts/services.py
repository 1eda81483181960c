"""Verbs about people, their workspaces and their tokens."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.audit import Action
from accounts.models import AccessToken, Membership, User, Workspace

LOGIN_TOKEN_DAYS = 30
# A token's last use is written at most this often: reads stay reads.
LAST_USED_PRECISION_S = 60


def open_personal_workspace(user: User) -> Workspace:
    """Make the workspace that every person starts with, owned by them."""
    with transaction.atomic():
        workspace = Workspace.objects.create(
            name=f"{user.get_short_name()}'s workspace"[:150], timezone=user.timezone
        )
        Membership.objects.create(
            workspace=workspace, user=user, role=Membership.Role.OWNER
        )
        audit.record(Action.CREATED, workspace, by=user)
    return workspace


def memberships_of(user: User) -> list[Membership]:
    """Every workspace that the person is in, the oldest first; never empty.

    Somebody who has none (an operator made on the command line, a person who was
    removed from their only one) is given a workspace.
    """
    memberships = Membership.objects.filter(user=user).select_related("workspace")
    found = list(memberships.order_by("id"))
    if found:
        return found
    with transaction.atomic():
        # Two requests at once must not make two.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if not memberships.exists():
            open_personal_workspace(user)
    return list(memberships.order_by("id"))


def membership_of(user: User) -> Membership:
    """The membership a person works under who did not choose one."""
    return memberships_of(user)[0]


def chosen_among(memberships: list[Membership], workspace_id) -> Membership:
    """That of the chosen workspace; the first when it is none of them (any more)."""
    for membership in memberships:
        if str(membership.workspace_id) == workspace_id:
            return membership
    return memberships[0]


def issue_login_token(user: User) -> str:
    """A bearer token for a person who has just proved who they are."""
    token = AccessToken(
        owner=membership_of(user).workspace,
        user=user,
        kind=AccessToken.Kind.LOGIN,
        scopes=AccessToken.Scope.values,
        expires_at=timezone.now() + timedelta(days=LOGIN_TOKEN_DAYS),
    )
    secret = token.set_new_secret()
    token.save()
    return secret


def revoke_logins(user: User) -> None:
    """End every bearer log-in of a person; the keys of workspaces stay. Repeatable."""
    logins = AccessToken.unscoped.filter(
        user=user, kind=AccessToken.Kind.LOGIN, revoked_at=None
    )
    now = timezone.now()
    logins.update(revoked_at=now, updated_at=now)


def issue_api_key(
    *, owner: Workspace, user: User, name: str, scopes: list[str], expires_at=None
) -> tuple[AccessToken, str]:
    """A key of the workspace and its secret, which cannot be shown again."""
    key = AccessToken(
        owner=owner,
        user=user,
        kind=AccessToken.Kind.API_KEY,
        name=name,
        scopes=scopes,
        expires_at=expires_at,
    )
    secret = key.set_new_secret()
    with audit.changing(key):
        key.save()
    return key, secret


def revoke_token(token: AccessToken) -> None:
    """End a key or a log-in: it opens nothing from now on."""
    with transaction.atomic():
        token.revoke()
        if token.kind == AccessToken.Kind.LOGIN:
            audit.record_of_person(Action.LOGIN_REVOKED, token.user)
        else:
            audit.record(Action.REVOKED, token)


def find_token(secret: str) -> AccessToken | None:
    """The usable token with this secret, its user active; None for any other."""
    tokens = AccessToken.unscoped.usable().select_related("user", "owner")
    return tokens.filter(
        digest=AccessToken.digest_of(secret), user__is_active=True
    ).first()


def note_use(token: AccessToken, *, address: str | None) -> None:
    """Remember when and from where the token was used last."""
    now = timezone.now()
    seen = token.last_used_at
    if seen and (now - seen).total_seconds() < LAST_USED_PRECISION_S:
        return
    AccessToken.unscoped.filter(pk=token.pk).update(
        last_used_at=now, last_used_from=address
    )
