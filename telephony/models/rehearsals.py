from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import OwnedModel, SoftDeleteModel
from telephony.models.calls import Call
from telephony.rehearsing.callers import MANNERS, Caller
from telephony.rehearsing.scripts import check_answers, check_expectations, check_turns


class TestScript(SoftDeleteModel):
    """What a test caller does in a call with an agent, and what is expected of it."""

    __test__ = False  # pytest: not a test class
    audited_as = "test_script", _("test")

    agent = models.ForeignKey(
        "agents.VoiceAgent",
        models.PROTECT,
        related_name="test_scripts",
        verbose_name=_("voice agent"),
    )
    name = models.CharField(_("name"), max_length=100)
    caller = models.CharField(
        _("caller"), max_length=30, choices=Caller, default=Caller.PATIENT
    )
    turns = models.JSONField(
        _("what the caller does"), default=list, blank=True, validators=[check_turns]
    )
    expectations = models.JSONField(
        _("what is expected"),
        default=list,
        blank=True,
        validators=[check_expectations],
    )
    tool_answers = models.JSONField(
        _("answers instead of tools"),
        default=dict,
        blank=True,
        validators=[check_answers],
    )
    # The call that it was made of.
    made_from = models.ForeignKey(
        Call, models.SET_NULL, null=True, related_name="+", editable=False
    )

    class Meta(SoftDeleteModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "name"],
                condition=Q(deleted_at=None),
                name="one_test_script_a_name",
                violation_error_message=_("This agent has a test of this name."),
            )
        ]
        indexes = [models.Index(fields=["owner", "-id"])]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("telephony:test_script_detail", args=[self.pk])

    @property
    def caller_help(self):
        return MANNERS[self.caller].help


class Rehearsal(OwnedModel):
    """One run of a test script: a call with the agent as it was then, and the verdict.

    `next_try_at` says when somebody should look after it, None that nothing is left to
    do; `claimed_until` that somebody does (`voiceops.claims`).
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        PASSED = "passed", _("Passed")
        FAILED = "failed", _("Failed")
        INTERRUPTED = "interrupted", _("Could not be finished")

    class Way(models.TextChoices):
        LINE = "line", _("On the simulator’s line")
        TEXT = "text", _("Turn by turn, without a line")

    OPEN = (Status.WAITING, Status.RUNNING)
    JUDGED = (Status.PASSED, Status.FAILED)

    script = models.ForeignKey(
        TestScript, models.PROTECT, related_name="rehearsals", verbose_name=_("test")
    )
    agent = models.ForeignKey(
        "agents.VoiceAgent", models.PROTECT, related_name="rehearsals"
    )
    call = models.OneToOneField(
        Call, models.SET_NULL, null=True, related_name="rehearsal"
    )
    status = models.CharField(max_length=12, choices=Status, default=Status.WAITING)
    way = models.CharField(max_length=5, choices=Way, blank=True)
    # The script as it was played: caller, turns, expectations, tool_answers.
    played = models.JSONField(default=dict)
    results = models.JSONField(default=list)  # each expectation, `passed` and `seen`
    error = models.CharField(max_length=300, blank=True)
    # The agent as it was then (telephony.rehearsing.versions).
    version = models.CharField(max_length=12, blank=True)
    parts = models.JSONField(default=dict)
    prompt_version = models.PositiveIntegerField(null=True)
    model_label = models.CharField(max_length=200, blank=True)

    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)

    class Meta(OwnedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["script"],
                condition=Q(status__in=["waiting", "running"]),
                name="one_open_rehearsal_a_script",
            )
        ]
        indexes = [
            models.Index(fields=["owner", "-id"]),
            models.Index(fields=["agent", "-id"]),
            models.Index(fields=["script", "-id"]),
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="rehearsals_due",
            ),
        ]

    def __str__(self):
        return f"rehearsal {self.pk}"

    def get_absolute_url(self):
        return reverse("telephony:rehearsal_detail", args=[self.pk])

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def passed_count(self) -> int:
        return sum(result["passed"] for result in self.results)
