from datetime import datetime

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from accounts.tenancy import OwnedModel, OwnedQuerySet, closed_manager
from telephony.models.calls import Call


class InterventionQuerySet(OwnedQuerySet):
    def under_way(self, at: datetime | None = None):
        """Not settled yet; with `at`, without those whose time was over then."""
        states = [Intervention.Status.WAITING, Intervention.Status.TAKEN]
        rows = self.filter(status__in=states)
        lapsed = Q(status=Intervention.Status.WAITING, lapses_at__lte=at)
        return rows.exclude(lapsed) if at else rows


class Intervention(OwnedModel):
    """What a person does to a call that is going on, and what came of it.

    Written before anybody is told. The process that has the call takes it in one step
    that only one can make, so it is carried out at most once; a wish that was not taken
    in time is never carried out late.
    """

    class Kind(models.TextChoices):
        SAY = "say", _("Say")
        WHISPER = "whisper", _("Tell the agent")
        TRANSFER = "transfer", _("Hand over")
        END = "end", _("End with a goodbye")

    class Status(models.TextChoices):
        WAITING = "waiting", _("On its way")
        TAKEN = "taken", _("Next")
        DONE = "done", _("Done")
        TOO_LATE = "too_late", _("Not done: the call had ended")
        NOT_REACHED = "not_reached", _("Not done: the call could not be reached")
        LOST = "lost", _("Nobody knows: the connection broke off")

    call = models.ForeignKey(Call, models.CASCADE, related_name="interventions")
    kind = models.CharField(max_length=10, choices=Kind)
    text = models.CharField(max_length=500, blank=True)  # or the number
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    status = models.CharField(max_length=12, choices=Status, default=Status.WAITING)
    lapses_at = models.DateTimeField()  # if nobody has taken it by then
    session = models.PositiveSmallIntegerField(null=True)  # of the call, that took it

    objects = closed_manager(InterventionQuerySet)
    unscoped = models.Manager.from_queryset(InterventionQuerySet)()

    class Meta(OwnedModel.Meta):
        indexes = [
            models.Index(
                fields=["call"],
                condition=Q(status__in=["waiting", "taken"]),
                name="interventions_under_way",
            )
        ]
        ordering = ["id"]

    def __str__(self):
        return f"{self.call_id} {self.kind}"

    @property
    def by_name(self) -> str:
        return self.by.get_short_name() if self.by else ""

    @property
    def standing(self) -> "Intervention.Status":
        """The status as it is now: nobody is there to write that the time is over."""
        status = self.Status(self.status)
        has_lapsed = status == self.Status.WAITING and self.lapses_at <= now()
        return self.Status.NOT_REACHED if has_lapsed else status

    @property
    def is_settled(self) -> bool:
        return self.standing not in (self.Status.WAITING, self.Status.TAKEN)

    def take(self, session: int, at: datetime) -> bool:
        """The one step after which it may be carried out; False: too late, or taken.

        A number to hand over to is the call's from then on.
        """
        waiting = Intervention.unscoped.filter(
            pk=self.pk, status=self.Status.WAITING, lapses_at__gt=at
        )
        with transaction.atomic():
            won = waiting.update(
                status=self.Status.TAKEN, session=session, updated_at=at
            )
            if won and self.kind == self.Kind.TRANSFER:
                Call.unscoped.filter(pk=self.call_id).update(transfer_to=self.text)
        return bool(won)
