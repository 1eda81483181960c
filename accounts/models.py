import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import (
    AbstractBaseUser,
    BaseUserManager,
    PermissionsMixin,
)
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts import permissions
from accounts.tenancy import OwnedModel, OwnedQuerySet, closed_manager
from accounts.zones import zone_names
from voiceops.encryption import EncryptedTextField
from voiceops.ids import earliest_uuid7, uuid7

TOKEN_PREFIX_CHARACTERS = 10
INVITATION_LASTS = timedelta(days=7)


def validate_time_zone(name: str) -> None:
    """Refuse what the IANA time zone database does not know."""
    if name not in zone_names():
        raise ValidationError(_("Unknown time zone: %(name)s"), params={"name": name})


class UserManager(BaseUserManager):
    def create_user(self, email, password=None, **fields):
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email, password=None, **fields):
        return self.create_user(
            email, password, **{**fields, "is_staff": True, "is_superuser": True}
        )


ALONE_CHARACTERS = 15  # of a password that is the only factor


class User(AbstractBaseUser, PermissionsMixin):
    """A person; the e-mail address is the user name."""

    audited_as = "person", _("person")
    audited_secrets = ("password",)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)
    timezone = models.CharField(
        _("time zone"), max_length=64, default="UTC", validators=[validate_time_zone]
    )
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(_("operator"), default=False)
    date_joined = models.DateTimeField(default=now)
    # Good enough beside a second factor alone: that one cannot be switched off.
    has_short_password = models.BooleanField(default=False, editable=False)

    objects = UserManager()
    USERNAME_FIELD = EMAIL_FIELD = "email"

    def __str__(self):
        return self.email

    def set_password(self, raw_password):
        super().set_password(raw_password)
        self.has_short_password = 0 < len(raw_password or "") < ALONE_CHARACTERS

    def get_short_name(self) -> str:
        return self.name or self.email.split("@")[0]


class Workspace(models.Model):
    """The tenant: the `owner` of every row."""

    audited_as = "workspace", _("workspace")

    class BudgetState(models.TextChoices):
        WARNING = "warning", _("Much of the budget is spent")
        REACHED = "reached", _("The budget is used up")
        STOPPED = "stopped", _("The budget is used up, and stops what goes out")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=150)
    timezone = models.CharField(
        max_length=64, default="UTC", validators=[validate_time_zone]
    )
    # What every page of it says on top, until then, to those who may change it.
    budget_state = models.CharField(
        max_length=10, choices=BudgetState, blank=True, editable=False
    )
    budget_state_until = models.DateTimeField(null=True, editable=False)
    # By operators (`accounts.halts`), and why, in words for its people.
    suspended_at = models.DateTimeField(null=True, editable=False)
    suspended_reason = models.CharField(max_length=200, blank=True, editable=False)
    # What operators allow it at most; None: as much as anybody.
    most_calls_at_once = models.PositiveIntegerField(null=True, blank=True)
    most_numbers = models.PositiveIntegerField(null=True, blank=True)
    most_members = models.PositiveIntegerField(null=True, blank=True)
    most_requests_a_minute = models.PositiveIntegerField(
        _("most API requests a minute"), null=True, blank=True
    )
    # When all of it begins to be deleted, if somebody has asked for that.
    deleted_from = models.DateTimeField(null=True, editable=False)
    # With which numbers are hashed that are known by nothing else any more; made once.
    number_key = EncryptedTextField(blank=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self):
        return self.name

    @property
    def is_suspended(self) -> bool:
        return self.suspended_at is not None

    @property
    def budget_state_now(self) -> str:
        until = self.budget_state_until
        return self.budget_state if until is not None and now() < until else ""

    @property
    def owner_id(self):
        """Whose row it is, asked as of owned rows: its own."""
        return self.pk


class MembershipQuerySet(models.QuerySet):
    def for_owner(self, owner):
        """The memberships of one workspace, named as among owned rows."""
        return self.filter(workspace=owner)


class Membership(models.Model):
    """What a person may do in a workspace."""

    audited_as = "member", _("member")

    Role = permissions.Role
    # Somebody else looks through its eyes (`accounts.looking`).
    is_only_read = False

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)
    gets_digest = models.BooleanField(_("gets the weekly e-mail"), default=True)
    created_at = models.DateTimeField(default=now, editable=False)

    objects = models.Manager.from_queryset(MembershipQuerySet)()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "user"], name="one_membership_a_workspace"
            ),
            models.UniqueConstraint(
                fields=["workspace"],
                condition=Q(role=permissions.Role.OWNER),
                name="one_owner_a_workspace",
            ),
        ]

    def __str__(self):
        return self.user.email

    @property
    def owner_id(self):
        """Whose row it is, asked as of owned rows."""
        return self.workspace_id

    @property
    def may(self) -> dict[str, bool]:
        """What the role allows, by the names of `permissions.Action`; less of it while
        the workspace is suspended.
        """
        rights = permissions.rights_of(self.role)
        if self.is_only_read:
            return permissions.only(permissions.TO_LOOK, rights)
        if self.workspace.is_suspended:
            return permissions.only(permissions.WHILE_SUSPENDED, rights)
        return rights

    @property
    def may_write(self) -> bool:
        """Change what belongs to the workspace: everybody but viewers."""
        return self.may[permissions.Action.WRITE]


class InvitationQuerySet(OwnedQuerySet):
    def open(self):
        """Neither accepted nor revoked; some may have expired."""
        return self.filter(accepted_at=None, revoked_at=None)

    def usable(self):
        return self.open().filter(expires_at__gt=now())


class Invitation(OwnedModel):
    """An e-mail address is asked into the workspace; whoever has the link may come.

    Only a hash of the link's secret is stored. The secret is made when the mail is
    sent, so it exists nowhere but in that mail; sending again ends the older link.
    """

    audited_as = "invitation", _("invitation")

    email = models.EmailField(_("e-mail address"))
    role = models.CharField(_("role"), max_length=10, choices=permissions.Role)
    digest = models.CharField(max_length=64, unique=True, null=True, editable=False)
    invited_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="invitations_sent"
    )
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, editable=False)
    accepted_at = models.DateTimeField(null=True, editable=False)
    accepted_by = models.ForeignKey(
        User, models.SET_NULL, null=True, related_name="invitations_accepted"
    )
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects = closed_manager(InvitationQuerySet)
    unscoped = models.Manager.from_queryset(InvitationQuerySet)()

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "email"],
                condition=Q(accepted_at=None, revoked_at=None),
                name="one_open_invitation_an_address",
            ),
            models.CheckConstraint(
                condition=~Q(role=permissions.Role.OWNER),
                name="nobody_is_invited_as_owner",
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-id"], name="invitations_of_a_workspace"),
            models.Index(
                fields=["invited_by", "created_at"], name="invitations_of_a_person"
            ),
        ]

    def __str__(self):
        return self.email

    @property
    def has_expired(self) -> bool:
        return self.expires_at <= now()

    @staticmethod
    def digest_of(secret: str) -> str:
        return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()

    def renew(self) -> None:
        """Make it as new: a full life, a mail to be sent, the older link ended."""
        self.digest = self.sent_at = None
        self.expires_at = now() + INVITATION_LASTS

    def revoke(self) -> bool:
        """End the link; False if somebody has come by it or it was ended before."""
        mine = Invitation.unscoped.open().filter(pk=self.pk)
        return bool(mine.update(revoked_at=now(), updated_at=now()))


class AccessTokenQuerySet(OwnedQuerySet):
    def usable(self):
        """Neither revoked nor expired."""
        not_expired = Q(expires_at=None) | Q(expires_at__gt=now())
        return self.filter(not_expired, revoked_at=None)

    def api_keys(self):
        return self.filter(kind=AccessToken.Kind.API_KEY, revoked_at=None)

    def logins_of(self, user):
        """The person's log-ins that can still be used."""
        return self.usable().filter(kind=AccessToken.Kind.LOGIN, user=user)


class AccessToken(OwnedModel):
    """A bearer token: an API key of a workspace or a log-in. Only a hash is stored.

    The secrets have 256 random bits, so a plain SHA-256 is enough: there is nothing
    to guess that a slow hash would protect.
    """

    audited_as = "api_key", _("API key")

    class Kind(models.TextChoices):
        API_KEY = "api_key", _("API key")
        LOGIN = "login", _("Log-in")

    class Scope(models.TextChoices):
        READ = "read", _("Read")
        WRITE = "write", _("Write")
        PLACE_CALLS = "calls:place", _("Place calls")
        SEND_MESSAGES = "messages:send", _("Send texts")

    kind = models.CharField(max_length=10, choices=Kind)
    user = models.ForeignKey(User, models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=100, blank=True)
    prefix = models.CharField(max_length=TOKEN_PREFIX_CHARACTERS, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_from = models.GenericIPAddressField(null=True, editable=False)

    objects = closed_manager(AccessTokenQuerySet)
    unscoped = models.Manager.from_queryset(AccessTokenQuerySet)()

    class Meta(OwnedModel.Meta):
        indexes = [models.Index(fields=["owner", "kind", "-id"])]

    def __str__(self):
        return f"{self.name or self.get_kind_display()} ({self.prefix}…)"

    @property
    def scope_labels(self) -> list[str]:
        return [str(self.Scope(scope).label) for scope in self.scopes]

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= now()

    @staticmethod
    def digest_of(secret: str) -> str:
        return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()

    def set_new_secret(self) -> str:
        """Give the token a secret and return it: the only time that it can be seen."""
        secret = "vo_" + secrets.token_urlsafe(32)
        self.prefix = secret[:TOKEN_PREFIX_CHARACTERS]
        self.digest = self.digest_of(secret)
        return secret

    def revoke(self) -> None:
        self.revoked_at = now()
        self.save(update_fields=["revoked_at"])


class KeptAnswer(OwnedModel):
    """What a request with an `Idempotency-Key` was answered, or that it is under way.

    `status` is null while somebody works on it; `claimed_at` says who: only the worker
    who wrote it may fill the answer in.
    """

    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    claimed_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    # An answer may hold a secret that is shown once: it is not kept in clear.
    body = EncryptedTextField(blank=True)
    media_type = models.CharField(max_length=100, blank=True)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "key"], name="one_answer_an_idempotency_key"
            )
        ]
        indexes = [models.Index(fields=["claimed_at"], name="kept_answers_by_claim")]

    def __str__(self):
        return f"{self.pk}: {self.status or 'in progress'}"

    @property
    def is_in_progress(self) -> bool:
        return self.status is None


class AppendOnly(Exception):
    """Somebody tried to change or delete an entry of the audit log."""


class AuditEntryQuerySet(OwnedQuerySet):
    def called(self, text: str):
        """Entries about what had `text` in its name, in any case."""
        return self.filter(label__icontains=text)

    def made_from(self, at: datetime):
        """Entries of `at` or later; an id is as old as its row."""
        return self.filter(pk__gte=earliest_uuid7(at))

    def made_before(self, at: datetime):
        return self.filter(pk__lt=earliest_uuid7(at))

    def update(self, **values):
        """Let go of a person or token that is deleted: nothing else ever changes."""
        if set(values) <= {"user", "token"} and not any(values.values()):
            return super().update(**values)
        raise AppendOnly("entries of the audit log are not changed")

    def mask(self, **texts):
        """Take a person's number out of what an entry says: an erasure, by right."""
        return super().update(**texts)

    def bulk_update(self, *args, **kwargs):
        raise AppendOnly("entries of the audit log are not changed")

    def delete(self):
        raise AppendOnly("entries of the audit log are not deleted")


class AuditEntry(OwnedModel):
    """What somebody did to something. Written once, by `accounts.audit`.

    Who it was and what it was done to stand here as text, as they were then: the entry
    outlives both. It goes only with its workspace.
    """

    class Source(models.TextChoices):
        PAGE = "page", _("Page")
        API_KEY = "api_key", _("API key")
        API_LOGIN = "api_login", _("API log-in")
        OPERATOR = "operator", _("Operator")
        SYSTEM = "system", _("VoiceOps itself")

    class Action(models.TextChoices):
        CREATED = "created", _("made")
        CHANGED = "changed", _("changed")
        DELETED = "deleted", _("deleted")
        RESTORED = "restored", _("restored")
        PURGED = "purged", _("deleted for ever")
        ACTIVATED = "activated", _("activated")
        DEACTIVATED = "deactivated", _("deactivated")
        REVOKED = "revoked", _("revoked")
        POINTED = "pointed", _("pointed here again")
        TESTED = "tested", _("tested")
        PLACED = "placed", _("placed")
        CANCELED = "canceled", _("canceled")
        PAUSED = "paused", _("paused")
        RESUMED = "resumed", _("resumed")
        TAKEN_OVER = "taken_over", _("taken over from the agent")
        SUSPENDED = "suspended", _("suspended")
        LOOKED = "looked", _("looked at by an operator")
        RELEASED = "released", _("handed back to the agent")
        CLOSED = "closed", _("closed")
        INVITED = "invited", _("invited")
        RESENT = "resent", _("sent again")
        JOINED = "joined", _("joined")
        LEFT = "left", _("left")
        REMOVED = "removed", _("removed")
        MADE_OWNER = "made_owner", _("made the owner")
        SIGNED_IN = "signed_in", _("signed in")
        LOGIN_REVOKED = "login_revoked", _("log-in ended")
        PASSWORD_CHANGED = "password_changed", _("password changed")
        TWO_FACTOR_ON = "two_factor_on", _("two-factor switched on")
        TWO_FACTOR_OFF = "two_factor_off", _("two-factor switched off")

    source = models.CharField(max_length=10, choices=Source)
    user = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    actor_name = models.CharField(max_length=150, blank=True)
    actor_email = models.EmailField(blank=True)
    token = models.ForeignKey(AccessToken, models.SET_NULL, null=True, related_name="+")
    token_name = models.CharField(max_length=100, blank=True)
    token_prefix = models.CharField(max_length=TOKEN_PREFIX_CHARACTERS, blank=True)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=20, choices=Action)
    # Names and ids, not relations: kinds are models of apps above this one.
    kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=40)
    label = models.CharField(max_length=200)
    changes = models.JSONField(default=dict)

    objects = closed_manager(AuditEntryQuerySet)
    unscoped = models.Manager.from_queryset(AuditEntryQuerySet)()

    class Meta(OwnedModel.Meta):
        verbose_name = _("audit log entry")
        verbose_name_plural = _("audit log")
        indexes = [
            models.Index(fields=["owner", "-id"], name="audit_of_a_workspace"),
            models.Index(fields=["owner", "user", "-id"], name="audit_of_a_person"),
            models.Index(fields=["owner", "kind", "-id"], name="audit_of_a_kind"),
            models.Index(fields=["owner", "action", "-id"], name="audit_of_an_action"),
        ]

    def __str__(self):
        return f"{self.action} {self.kind} {self.object_id}"

    def save(self, *args, **kwargs):
        """Write it; once written it stays as it is."""
        if not self._state.adding:
            raise AppendOnly("an entry of the audit log is not changed")
        super().save(*args, **kwargs)

    def delete(self, *args, **kwargs):
        raise AppendOnly("an entry of the audit log is not deleted")


class SwitchedOff(models.Model):
    """A feature that operators have switched off, for all or for one workspace.

    There is no row of what is on (`accounts.switches`).
    """

    class Feature(models.TextChoices):
        CALLS = "outgoing_calls", _("Outgoing calls")
        TEXTS = "outgoing_texts", _("Outgoing texts")
        CAMPAIGNS = "campaigns", _("Campaigns")
        SIGN_UP = "sign_up", _("Sign-up")

    feature = models.CharField(max_length=20, choices=Feature)
    workspace = models.ForeignKey(Workspace, models.CASCADE, null=True)  # None: all
    reason = models.CharField(max_length=200)
    at = models.DateTimeField(default=now)

    class Meta:
        verbose_name_plural = _("switched off")
        constraints = [
            models.UniqueConstraint(
                fields=["feature", "workspace"], name="one_switch_a_workspace"
            ),
            models.UniqueConstraint(
                fields=["feature"],
                condition=Q(workspace=None),
                name="one_switch_for_all",
            ),
        ]

    def __str__(self):
        return f"{self.get_feature_display()}: {self.workspace or _('for all')}"


class FailedTask(models.Model):
    """Work of a kind that raised an error, in whichever worker and however often.

    Errors are kept by their kind alone: their words may tell what callers said.
    """

    name = models.CharField(max_length=100)
    # What it was about, with spaces between them; arguments that are no ids are left
    # out, and such work cannot be sent again.
    ids = models.CharField(max_length=200, blank=True)
    is_repeatable = models.BooleanField()
    error = models.CharField(max_length=100)
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name", "ids", "error"], name="one_row_a_kind_of_failure"
            )
        ]

    def __str__(self):
        return f"{self.name}: {self.error}"
