import json
from collections.abc import Mapping
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import SoftDeleteModel, SoftDeleteQuerySet, closed_manager
from agents.models.agents import Agent
from agents.tools.built_in import DESCRIPTIONS
from agents.tools.guard import MAX_URL_CHARACTERS
from agents.tools.http import Endpoint, check_endpoint, check_headers
from agents.tools.schema import check_parameters, check_tool_name, no_parameters
from voiceops.encryption import EncryptedTextField


def is_id(name: str) -> bool:
    """Whether an agent's tool is one of the workspace's own; else it is built in."""
    try:
        UUID(name)
    except ValueError:
        return False
    return True


class ToolQuerySet(SoftDeleteQuerySet):
    def of_agent(self, agent: Agent):
        """Those that the agent has, by name; what is gone or foreign it has not."""
        ids = [name for name in agent.tools if is_id(name)]
        return self.for_owner(agent.owner_id).filter(pk__in=ids).order_by("name")


class Tool(SoftDeleteModel):
    """An HTTP request that agents can make while they talk or text."""

    audited_as = "tool", _("tool")

    class Method(models.TextChoices):
        GET = "GET", "GET"
        POST = "POST", "POST"
        PUT = "PUT", "PUT"
        PATCH = "PATCH", "PATCH"
        DELETE = "DELETE", "DELETE"

    class Status(models.TextChoices):
        OK = "ok", _("Worked")
        FAILED = "failed", _("Failed")
        TIMED_OUT = "timed_out", _("Took too long")
        REFUSED = "refused", _("Refused")

    name = models.CharField(
        _("name"),
        max_length=64,
        validators=[check_tool_name],
        help_text=_("What the model calls it by: letters, digits, underscores."),
    )
    description = models.CharField(
        _("description"),
        max_length=1000,
        help_text=_("Tells the model what it does and when to use it."),
    )
    parameters = models.JSONField(
        _("parameters"), default=no_parameters, validators=[check_parameters]
    )
    method = models.CharField(
        _("method"), max_length=6, choices=Method, default=Method.GET
    )
    url = models.CharField(
        _("address"),
        max_length=MAX_URL_CHARACTERS,
        help_text=_(
            "A {parameter} in it is filled in. Other arguments go into the query (GET, "
            "DELETE) or are sent as JSON."
        ),
    )
    headers = models.JSONField(
        _("headers"), default=dict, blank=True, validators=[check_headers]
    )
    sealed_headers = EncryptedTextField(_("secret headers"), default="", blank=True)
    timeout_s = models.PositiveSmallIntegerField(
        _("longest wait, in seconds"),
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
    )
    meanwhile = models.CharField(
        _("what to say meanwhile"),
        max_length=200,
        blank=True,
        help_text=_(
            "Said to the caller while the tool works; empty for nothing. By text it is "
            "not sent."
        ),
    )
    last_used_at = models.DateTimeField(null=True, editable=False)
    last_status = models.CharField(
        max_length=10, choices=Status, blank=True, editable=False
    )

    objects = closed_manager(ToolQuerySet)
    unscoped = models.Manager.from_queryset(ToolQuerySet)()

    class Meta(SoftDeleteModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=Q(deleted_at=None),
                name="one_tool_a_name",
                violation_error_message=_("You already have a tool of this name."),
            )
        ]
        indexes = [models.Index(fields=["owner", "-id"])]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("agents:tool_detail", args=[self.pk])

    @property
    def secret_headers(self) -> dict[str, str]:
        """Headers whose values nobody is shown again."""
        return json.loads(self.sealed_headers) if self.sealed_headers else {}

    @secret_headers.setter
    def secret_headers(self, headers: Mapping[str, str]) -> None:
        self.sealed_headers = json.dumps(headers) if headers else ""

    def enter_secrets(self, given: Mapping[str, str | None]) -> None:
        """Set secret headers, remove those whose value is None; the others stay."""
        names = {name.lower() for name in given}
        kept = {n: v for n, v in self.secret_headers.items() if n.lower() not in names}
        self.secret_headers = kept | {n: v for n, v in given.items() if v is not None}

    @property
    def endpoint(self) -> Endpoint:
        """Where its calls go, secrets included."""
        return Endpoint(
            method=self.method,
            url=self.url,
            parameters=self.parameters,
            headers=self.headers | self.secret_headers,
            timeout_s=self.timeout_s,
        )

    def clean(self):
        """Rules about several fields; raises ValidationError by field."""
        if self.name in DESCRIPTIONS:
            raise ValidationError({"name": _("A built-in tool has this name.")})
        try:
            check_endpoint(self.endpoint)
        except ValidationError as error:
            raise ValidationError({"url": error}) from None
        try:
            check_headers(self.secret_headers)
        except ValidationError as error:
            raise ValidationError({"secret_headers": error}) from None
        plain = {name.lower() for name in self.headers}
        if twice := [n for n in self.secret_headers if n.lower() in plain]:
            told = _("“%(name)s” is among the other headers.") % {"name": twice[0]}
            raise ValidationError({"secret_headers": told})

    def note_use(self, status: str) -> None:
        """Remember how its latest use went."""
        used = Tool.unscoped.filter(pk=self.pk)
        used.update(last_used_at=timezone.now(), last_status=status)
