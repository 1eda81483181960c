"""Two throw-away workspaces with a row of every kind, and their removal."""

import contextlib
import json
import os
import secrets
import socket
import uuid
from collections.abc import Collection, Iterator
from datetime import timedelta

from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist
from django.db import models, transaction
from django.utils import timezone

from accounts import services
from accounts.models import (
    AccessToken,
    AuditEntry,
    Invitation,
    Membership,
    User,
    Workspace,
)
from accounts.tenancy import OwnedModel
from agents.models import LanguageModel, MessageAgent, PromptVersion, Tool, VoiceAgent
from alerts.metrics import Metric
from alerts.models import Alert, Episode, Mail
from analytics.models import Bucket, Change
from hooks.models import Delivery, Endpoint
from privacy.models import Erasure, Export, ExportPiece, Retention
from privacy.retention import FIELDS
from telephony.models import (
    AfterCall,
    Budget,
    BudgetNotice,
    Call,
    CallCost,
    Campaign,
    CarrierAccount,
    CarrierRemoval,
    Contact,
    Conversation,
    DoNotContact,
    Message,
    Phone,
    Recording,
    RecurringCall,
    Rehearsal,
    ScheduledCall,
    TestLine,
    TextCost,
    Turn,
)

MARK = "Xylophone-Quarantine"
# RFC 2606: nobody can have an address there, so nobody else's rows can look like ours.
DOMAIN = "isolation.invalid"
# Older than this, a run is a dead one wherever it ran: on slow machines it takes long.
LONGEST_RUN = timedelta(hours=2)
# No background job may take the throw-away call for one that has gone silent.
NEVER_SILENT = timedelta(days=365)
# Attributes by which a row can be asked for, in a path or elsewhere.
NAMES = ("pk", "webhook_token", "relay_token", "sid", "account_sid", "key", "digest")


# An address of one of these has the id of the other before its own. The walk fills both
# with one value, so here they have the same.
NESTED = {Delivery: "endpoint"}


class Tenant:
    """A person with a workspace, a bearer token, and a row of every owned model.

    `ids` has everything by which a row can be asked for, under names that are the same
    for every tenant. `traces` are the texts that nobody else may ever be shown.
    """

    def __init__(self, user: User, workspace: Workspace, token: str):
        self.user, self.workspace, self.token = user, workspace, token
        self.rows = furnish(self)
        self.ids = _ids(self) | {"deleted.pk": str(_deleted_row(self).pk)}
        self.traces = _traces(self)

    def row(self, model: type[OwnedModel]) -> OwnedModel:
        return next(row for row in self.rows if type(row) is model)


def _ids(tenant: Tenant) -> dict[str, str]:
    rows = (*tenant.rows, tenant.user, tenant.workspace, _membership(tenant))
    found = {
        f"{row._meta.model_name}.{name}": str(getattr(row, name))
        for row in rows
        for name in NAMES
        if getattr(row, name, None)
    }
    log_in = AccessToken.unscoped.get(user=tenant.user, kind=AccessToken.Kind.LOGIN)
    numbered = {"contact.number": tenant.row(Contact).number}
    return {**found, **numbered, "log_in.pk": str(log_in.pk)}


def _deleted_row(tenant: Tenant) -> VoiceAgent:
    """Something to bring back."""
    name = f"Deleted, {mark_of(tenant)}"[:100]
    return VoiceAgent.unscoped.create(
        owner=tenant.workspace, name=name, deleted_at=timezone.now()
    )


def _membership(tenant: Tenant) -> Membership:
    return Membership.objects.get(user=tenant.user, workspace=tenant.workspace)


def _traces(tenant: Tenant) -> set[str]:
    phone, account = tenant.row(Phone), tenant.row(CarrierAccount)
    secret = {account.auth_token, tenant.row(TestLine).auth_token, tenant.token}
    secret |= {*tenant.row(Tool).secret_headers.values()}
    secret.add(tenant.row(LanguageModel).api_key)
    said = {mark_of(tenant), tenant.user.name, tenant.user.email, phone.number}
    return {*tenant.ids.values(), *secret, *said}


def mark_of(tenant) -> str:
    """What stands in every text of the tenant's rows."""
    return f"{MARK} of {tenant.user.get_short_name()}"


# -- Rows ------------------------------------------------------------------------------


def owned_models() -> list[type[OwnedModel]]:
    """Every kind of row that belongs to a workspace."""
    return [model for model in apps.get_models() if issubclass(model, OwnedModel)]


def furnish(tenant) -> list[OwnedModel]:
    """One row of every owned model, its texts marked.

    `tenant` has a `user` and a `workspace`. A model of tomorrow is filled in by the
    types of its fields; what they do not tell stands in `_special`.
    """
    rows: dict[type[OwnedModel], OwnedModel] = {}
    for model in owned_models():
        _row_of(model, tenant, rows)
    return list(rows.values())


def _row_of(model, tenant, rows) -> OwnedModel:
    if model not in rows:
        given = _special(model)
        fields = [
            field
            for field in model._meta.concrete_fields
            if field.name not in given and field.name != "owner"
        ]
        for field in fields:
            if _wants_value(field):
                given[field.name] = _value(field, tenant, rows)
        if within := NESTED.get(model):
            given["id"] = given[within].pk
        rows[model] = model.unscoped.create(owner=tenant.workspace, **given)
    return rows[model]


def _wants_value(field: models.Field) -> bool:
    if field.is_relation:
        return True
    moments = (models.DateTimeField, models.TimeField)
    is_moment = isinstance(field, moments) and field.null
    return not (field.has_default() or field.primary_key or is_moment)


def _value(field: models.Field, tenant, rows):
    """Something that the field takes: a marked text where it holds texts."""
    if field.is_relation:
        related = field.related_model
        known = {get_user_model(): tenant.user, Workspace: tenant.workspace}
        return known.get(related) or _row_of(related, tenant, rows)
    if field.choices:
        return list(field.choices)[-1][0]
    if isinstance(field, models.DateTimeField):
        return timezone.now()
    if isinstance(field, models.DateField):
        return timezone.now().date()
    if isinstance(field, models.IntegerField):
        return 1
    if isinstance(field, models.GenericIPAddressField):
        return "192.0.2.1"
    if isinstance(field, models.UUIDField):
        return uuid.uuid4()
    if isinstance(field, models.EmailField):
        return f"guest.{uuid.uuid4().hex}@{DOMAIN}"
    is_name = field.unique or field.name in NAMES
    text = uuid.uuid4().hex if is_name else mark_of(tenant)
    return text[: field.max_length]


def _special(model) -> dict:
    """Values that the field's type does not tell."""
    hexadecimal, now = uuid.uuid4().hex, timezone.now()
    return {
        AccessToken: {
            "kind": AccessToken.Kind.API_KEY,
            "prefix": "vo_x",
            "scopes": ["read"],
        },
        CarrierAccount: {
            "account_sid": f"AC{hexadecimal}",
            "auth_token": secrets.token_hex(16),
        },
        # ITU-T E.164 assigns no country code 999: nobody can hold this number.
        Phone: {
            "number": f"+999{secrets.randbelow(10**10):010}",
            "carrier_sid": f"PN{hexadecimal}",
        },
        RecurringCall: {
            "frequency": "daily",
            "month_day": None,
            "nth": None,
            "count": None,
            "to_number": "+999",
            "time": now.time(),
            "timezone": "UTC",
            "their_timezone": "",
            "paused_at": now,
        },
        # A draft: nobody is called.
        Campaign: {"redials": None, "default_country": ""},
        # Not due before the run is over.
        ScheduledCall: {
            "lease_token": None,
            "status": ScheduledCall.Status.PENDING,
            "timezone": "",
            "to_number": "+999",
            "scheduled_for": now + NEVER_SILENT,
            "due_at": now + NEVER_SILENT,
            "next_attempt_at": now + NEVER_SILENT,
        },
        Contact: {
            "number": f"+999{secrets.randbelow(10**10):010}",
            "timezone": "",
            "call_consent": Contact.Consent.UNKNOWN,
            "text_consent": Contact.Consent.UNKNOWN,
        },
        DoNotContact: {"number": f"+999{secrets.randbelow(10**10):010}"},
        # Open, and sent lately until the run is over: no background job mails it.
        Invitation: {"expires_at": now + LONGEST_RUN, "sent_at": now + LONGEST_RUN},
        PromptVersion: {"number": 1},
        VoiceAgent: {"is_active": True, "model": ""},
        Tool: {
            # Refused before anything is sent: no check reaches out.
            "url": f"https://{DOMAIN}:1/",
            "sealed_headers": json.dumps({"Authorization": secrets.token_hex(16)}),
        },
        MessageAgent: {"is_active": True, "model": ""},
        # Refused before anything is sent, as above.
        LanguageModel: {
            "base_url": f"https://{DOMAIN}:1/v1",
            "api_key": secrets.token_hex(16),
        },
        TestLine: {
            "account_sid": f"AC{hexadecimal}",
            "auth_token": secrets.token_hex(16),
        },
        Call: {
            "sid": f"CA{hexadecimal}",
            "direction": Call.Direction.INCOMING,
            "status": Call.Status.IN_PROGRESS,
            "transport": VoiceAgent.Transport.GATHER,
            "answered_at": now,
            "end_reason": "",
            "from_number": "+999",
            "last_event_at": now + NEVER_SILENT,
            "test_line": None,
            "cost": None,
        },
        CallCost: {"amount": 1},
        TextCost: {"amount": 1},
        # A person's: no background job answers it.
        Conversation: {
            "address": f"+999{secrets.randbelow(10**10):010}",
            "mode": Conversation.Mode.HUMAN,
            "status": Conversation.Status.OPEN,
            "last_message": None,
            "snoozed_until": None,
        },
        # Come in: no background job sends it.
        Message: {
            "sid": f"SM{hexadecimal}",
            "direction": Message.Direction.INCOMING,
            "status": Message.Status.RECEIVED,
            "sent_by": Message.SentBy.OTHER_PARTY,
            "media": 2 * [{"sid": f"ME{hexadecimal}", "content_type": "image/png"}],
            "error_code": None,
            "cost": None,
            "answers": None,
            "repeats": None,
        },
        Turn: {"speaker": Turn.Speaker.CALLER, "tool": None},
        # Disabled: nothing is sent, whoever asks for a test.
        Endpoint: {"is_enabled": False, "url": f"https://{hexadecimal}.{DOMAIN}/"},
        Delivery: {"payload": "{}", "event": "call.ended"},
        Recording: {"status": Recording.Status.COMPLETED},
        # Judged: no worker looks after it.
        Rehearsal: {"status": Rehearsal.Status.PASSED},
        Budget: {"amount": 1_000_000},
        # Kept for ever: no background job removes anything.
        Retention: dict.fromkeys(FIELDS),
        # Done: no background job looks for anything.
        Erasure: {"status": Erasure.Status.DONE, "sealed_number": "", "after": None},
        Export: {"status": Export.Status.DONE, "expires_at": now},
        ExportPiece: {"number": 0, "data": b""},
        # Likewise; nobody asks the carrier.
        CarrierRemoval: {"status": CarrierRemoval.Status.DONE, "batch": None},
        # Told already: no background job mails it.
        BudgetNotice: {
            **{"threshold": 1, "amount": 1, "spent": 1},
            "stops_outgoing": False,
            "notice_due": False,
        },
        Bucket: {
            "first_day": now.date(),
            "is_total": True,
            "agent": None,
            "phone": None,
        },
        # Switched off, over, sent: no background job looks at them.
        Alert: {
            "is_active": False,
            "metric": Metric.ANSWER_RATE,
            "threshold": 80,
            "currency": "",
            "window_minutes": 60,
            "value": None,
        },
        Episode: {
            "ended_at": now,
            "threshold": 80,
            "value": 50,
            "worst": 50,
            "end_value": 90,
            "window_minutes": 60,
        },
        Mail: {"sent_at": now},
        # Done: no background job analyzes the throw-away call.
        AfterCall: {"step": AfterCall.Step.DONE, "analysis": AfterCall.Analysis.DONE},
    }.get(model, {})


# -- Their lives -----------------------------------------------------------------------


@contextlib.contextmanager
def two_tenants() -> Iterator[tuple[Tenant, Tenant]]:
    """An owner and a stranger, for the time of the `with`; then nothing is left.

    Removes first what a killed run has left behind.
    """
    remove_leftovers()
    made: list[User] = []
    try:
        yield _make_tenant("owner", made), _make_tenant("stranger", made)
    finally:
        for user in made:
            _remove(user)


def _make_tenant(name: str, made: list[User]) -> Tenant:
    with transaction.atomic():
        user = User.objects.create_user(
            f"{name}.{uuid.uuid4().hex}@{DOMAIN}", name=f"{name} {_process_name()}"
        )
        EmailAddress.objects.create(
            user=user, email=user.email, verified=True, primary=True
        )
        workspace = services.open_personal_workspace(user)
        token = services.issue_login_token(user)
        # In the future: else every request would note the token's use.
        AccessToken.unscoped.filter(user=user).update(
            last_used_at=timezone.now() + LONGEST_RUN
        )
        made.append(user)
        tenant = Tenant(user, workspace, token)
        # No background job counts their rows while they are compared.
        Change.objects.filter(owner_id=workspace.pk).delete()
        return tenant


def remove_leftovers() -> int:
    """Remove the throw-away people of runs that are dead; how many there were."""
    found = User.objects.filter(email__endswith=f"@{DOMAIN}")
    dead = [user for user in found if _is_left_over(user)]
    for user in dead:
        _remove(user)
    return len(dead)


def _process_name() -> str:
    return f"{os.getpid()} {_host()}"


def _host() -> str:
    return socket.gethostname()[:40]


def _is_left_over(user: User) -> bool:
    """Whether the run that made `user` is over: another one may be at work now."""
    if user.date_joined < timezone.now() - LONGEST_RUN:
        return True
    _, pid, host = user.name.split(" ", 2)
    return host == _host() and not _is_running(int(pid))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # signal 0 asks only
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, but running
        return True
    return True


@transaction.atomic
def _remove(user: User) -> None:
    """Remove the person, their workspaces and all that is in them, in no time."""
    for membership in Membership.objects.filter(user=user):
        workspace, owner_id = membership.workspace, membership.workspace_id
        _empty(workspace)
        workspace.delete()
        Change.objects.filter(owner_id=owner_id).delete()  # notes of just that
    with contextlib.suppress(ObjectDoesNotExist):
        User.objects.get(pk=user.pk).delete()


def _empty(workspace: Workspace) -> None:
    """Delete the owned rows: those that others protect after the others.

    The audit log can only go with its workspace.
    """
    left = [model for model in owned_models() if model is not AuditEntry]
    while left:
        stuck = [model for model in left if not _delete_all(model, workspace)]
        if len(stuck) == len(left):
            raise RuntimeError(f"cannot be deleted: {stuck}")
        left = stuck


def _delete_all(model, workspace: Workspace) -> bool:
    try:
        model.unscoped.filter(owner=workspace).delete()
    except models.ProtectedError:
        return False
    return True


# -- What is theirs --------------------------------------------------------------------


def snapshot(tenant, tables: Collection[str] | None = None) -> dict[str, list]:
    """Every column of every row that is the workspace's or the person's; of some
    `tables`, where these alone are looked at.
    """
    found = {
        model: model.unscoped.filter(owner=tenant.workspace) for model in owned_models()
    }
    found[Workspace] = Workspace.objects.filter(pk=tenant.workspace.pk)
    found[User] = User.objects.filter(pk=tenant.user.pk)
    for model in _models_of_people():
        found[model] = model._base_manager.filter(user=tenant.user)
    return {
        model.__name__: sorted(map(repr, rows.values()))
        for model, rows in found.items()
        if tables is None or model._meta.db_table in tables
    }


def _models_of_people() -> list[type[models.Model]]:
    """Rows of a person that no workspace owns: memberships, addresses, factors."""
    return [
        relation.related_model
        for relation in User._meta.related_objects
        if relation.field.name == "user"
        and not issubclass(relation.related_model, OwnedModel)
    ]
