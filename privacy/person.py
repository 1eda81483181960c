"""Everything that is kept of a person who logs in, apart from what workspaces have."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models import QuerySet

from accounts.models import AccessToken, Membership, User


def told(user: User) -> dict[str, list[dict[str, Any]]]:
    """By kind, their rows without passwords, tokens and seeds."""
    return {kind: list(rows) for kind, rows in _kinds(user).items()}


def _kinds(user: User) -> dict[str, QuerySet]:
    mine = {"user": user}
    return {
        "person": User.objects.filter(pk=user.pk).values(
            "id", "email", "name", "timezone", "date_joined", "last_login"
        ),
        "addresses": EmailAddress.objects.filter(**mine).values(
            "email", "verified", "primary"
        ),
        "workspaces": Membership.objects.filter(**mine).values(
            "workspace_id", "workspace__name", "role", "gets_digest", "created_at"
        ),
        "sessions": UserSession.objects.filter(**mine).values(
            "ip", "user_agent", "created_at", "last_seen_at"
        ),
        "tokens": AccessToken.unscoped.filter(**mine).values(
            *("owner_id", "kind", "name", "prefix", "scopes", "created_at"),
            *("expires_at", "revoked_at", "last_used_at", "last_used_from"),
        ),
        "second_factors": Authenticator.objects.filter(**mine).values(
            "type", "created_at", "last_used_at"
        ),
    }
