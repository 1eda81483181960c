"""The audit log: who changed what, when, from where, and what it was before.

Services record what they do, in the transaction that does it:

    with audit.changing(agent):                      # made or changed: by comparing
        agent.save()
    with audit.changing(agent, Action.ACTIVATED):    # a change that has a name
        ...
    audit.record(Action.DELETED, agent)              # nothing to compare

Nobody passes on who asks. The request in work stands in a context variable, which is
read here only and decides nothing but what an entry says; outside of a request it is
VoiceOps itself (docs/decisions/0011-audit-log.md).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from allauth.account.adapter import get_adapter
from django.apps import apps
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import HttpRequest

from accounts.models import (
    AccessToken,
    AuditEntry,
    Invitation,
    Membership,
    User,
    Workspace,
)
from voiceops.encryption import EncryptedTextField

Action, Source = AuditEntry.Action, AuditEntry.Source
Changes = dict[str, list[Any]]  # a field's name: [before, after]

SECRET = "••••"
# Of a long text an entry keeps this much, from shortly before where it differs.
EXCERPT_CHARACTERS = 500
CONTEXT_CHARACTERS = 60

_asking: ContextVar[HttpRequest | None] = ContextVar("asking", default=None)


@contextmanager
def asked_by(request: HttpRequest) -> Iterator[None]:
    """What is recorded meanwhile is recorded as done by this request."""
    token = _asking.set(request)
    try:
        yield
    finally:
        _asking.reset(token)


def address_of(request: HttpRequest) -> str | None:
    """Where it came from; None where the server was not told, as over a Unix socket."""
    try:
        return get_adapter().get_client_ip(request) or None
    except PermissionDenied:
        return None


@dataclass(frozen=True)
class Actor:
    """Who does something, and from where."""

    source: str = Source.SYSTEM
    user: User | None = None
    token: AccessToken | None = None
    address: str | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> "Actor":
        token = getattr(request, "auth", None)  # set by the API's authentication
        user = request.user if request.user.is_authenticated else None
        if look := _look(request):
            user = look.operator
        return cls(_source(request), user, token, address_of(request))

    @property
    def texts(self) -> dict[str, str]:
        """How it is called in the entry. Tenants do not learn an operator's name."""
        if self.source == Source.SYSTEM:
            return {"actor_name": "VoiceOps"}
        if self.source == Source.OPERATOR:
            return {"actor_name": "Operator"}
        if self.user is None:
            return {}
        told = {"actor_name": self.user.name, "actor_email": self.user.email}
        if self.token is not None:
            told |= {
                "token_name": self.token.name,
                "token_prefix": self.token.prefix,
            }
        return told


def _look(request: HttpRequest):
    """Set by a middleware where an operator looks through somebody's eyes."""
    return getattr(request, "looking", None)


def is_of_operators(path: str) -> bool:
    return path.startswith(f"/{settings.ADMIN_PATH}/")


def _source(request: HttpRequest) -> str:
    if is_of_operators(request.path) or _look(request):
        return Source.OPERATOR
    token = getattr(request, "auth", None)
    if token is not None and token.kind == AccessToken.Kind.API_KEY:
        return Source.API_KEY
    # The API without a token: somebody signs up or in there.
    is_signing_in = hasattr(request, "auth") and not request.user.is_authenticated
    return Source.API_LOGIN if token is not None or is_signing_in else Source.PAGE


def _actor(by: User | None) -> Actor:
    request = _asking.get()
    if request is None:
        return Actor()
    actor = Actor.of(request)
    return actor if actor.user else replace(actor, user=by)


def record(
    action: str,
    row: models.Model,
    *,
    changes: Changes | None = None,
    owner: Workspace | None = None,
    by: User | None = None,
) -> AuditEntry:
    """Write down what is done to `row`. Call it in the transaction that does it.

    `owner` is needed for persons, who belong to none. `by` is believed where the
    request does not know yet who asks: somebody signs up, signs in or joins.
    """
    actor = _actor(by)
    kind, _label = row.audited_as
    entry = AuditEntry(
        owner_id=row.owner_id if owner is None else owner.pk,
        action=Action(action),
        kind=kind,
        object_id=str(row.pk),
        label=str(row)[: AuditEntry._meta.get_field("label").max_length],
        changes=changes or {},
        source=actor.source,
        user=actor.user,
        address=None if actor.source == Source.OPERATOR else actor.address,
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
        **actor.texts,
    )
    # A person's log-in may belong to another of their workspaces.
    if actor.token is not None and actor.token.owner_id == entry.owner_id:
        entry.token = actor.token
    entry.save()
    return entry


def record_of_person(action: str, user: User) -> None:
    """Write down something about a person's own account.

    It concerns whoever answers for a workspace: the entry stands in those they own.
    """
    owned = Workspace.objects.filter(
        memberships__user=user, memberships__role=Membership.Role.OWNER
    )
    with transaction.atomic():
        for workspace in owned:
            record(action, user, owner=workspace, by=user)


@contextmanager
def changing(
    row: models.Model,
    action: str = Action.CHANGED,
    *,
    by: User | None = None,
) -> Iterator[Changes]:
    """Save `row` in the body, and what that changes is recorded; nothing if nothing.

    A row that is new is recorded as made. Changes that no editable field of the row
    tells can be put into what is yielded.
    """
    with transaction.atomic():
        is_new = row._state.adding
        model = type(row)
        before = model() if is_new else model._base_manager.get(pk=row.pk)
        told: Changes = {}
        yield told
        found = differences(before, row)
        if is_new:
            made = {name: [None, after] for name, (_, after) in found.items()}
            record(Action.CREATED, row, changes=made | told, by=by)
        elif found:
            record(action, row, changes=found | told, by=by)


def differences(before: models.Model, after: models.Model) -> Changes:
    """The editable fields that differ: values that can be stored, secrets masked."""
    return {
        field.name: _pair(field, before, after)
        for field in after._meta.concrete_fields
        if field.editable
        and not field.primary_key
        and getattr(before, field.attname) != getattr(after, field.attname)
    }


def _pair(field: models.Field, before: models.Model, after: models.Model) -> list[Any]:
    secrets = getattr(after, "audited_secrets", ())
    if isinstance(field, EncryptedTextField) or field.name in secrets:
        rows = (before, after)
        return [SECRET if getattr(row, field.attname) else "" for row in rows]
    return _bounded(_value(field, before), _value(field, after))


def _value(field: models.Field, row: models.Model) -> Any:
    value = getattr(row, field.attname)
    if value is not None and field.is_relation:
        return str(getattr(row, field.name))
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | UUID) else value


def _bounded(before: Any, after: Any) -> list[Any]:
    """Both as they are, or excerpts when one of them is long."""
    texts = [_text(before), _text(after)]
    if max(map(len, texts)) <= EXCERPT_CHARACTERS:
        return [before, after]
    pairs = zip(*texts, strict=False)
    same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(map(len, texts)))
    start = max(0, same - CONTEXT_CHARACTERS)
    return [_excerpt(text, start) for text in texts]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _excerpt(text: str, start: int) -> str:
    end = start + EXCERPT_CHARACTERS
    return (
        ("…" if start and text else "")
        + text[start:end]
        + ("…" if len(text) > end else "")
    )


def people_of(workspace: Workspace) -> models.QuerySet[User]:
    """Who is in the workspace, and who came by an invitation and left again."""
    came = Invitation.objects.for_owner(workspace).values("accepted_by")
    is_in = models.Q(memberships__workspace=workspace)
    return User.objects.filter(is_in | models.Q(pk__in=came)).distinct()


def audited_models() -> dict[str, type[models.Model]]:
    """Every model that says what it is called in the log, by that name."""
    found = [model for model in apps.get_models() if hasattr(model, "audited_as")]
    return {model.audited_as[0]: model for model in found}
