"""The figures of the dashboard, from the rows themselves."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, Q, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Workspace
from agents.models import VoiceAgent
from telephony.models import Call, CarrierAccount, Phone, Turn
from telephony.transcripts import typical_ms
from voiceops.ids import earliest_uuid7

WEEK = timedelta(days=7)
# A call's id is as old as its row; its start is the carrier's word, give or take.
ID_MARGIN = timedelta(days=1)
# Enough to tell what is typical; all of a busy week's turns would take seconds to read.
TYPICAL_OF_CALLS = 200


@dataclass(frozen=True)
class Step:
    """One thing to do on the way to the first answered call."""

    title: str
    url: str
    state: str  # "done", "current" or "todo"


def onboarding_steps(owner: Workspace) -> list[Step]:
    """What a new workspace does first, as its rows tell it, in one statement."""
    calls = Call.objects.for_owner(owner)
    rows_of_step = [
        VoiceAgent.objects.for_owner(owner),
        calls.filter(is_test=True),
        CarrierAccount.objects.for_owner(owner),
        Phone.objects.for_owner(owner),
        calls.filter(is_test=False, direction=Call.Direction.INCOMING),
    ]
    answers = Workspace.objects.filter(pk=owner.pk).values_list(
        *(Exists(rows) for rows in rows_of_step)
    )
    return _steps(list(answers.get()))


def _steps(done: list[bool]) -> list[Step]:
    steps = [
        (_("Create a voice agent"), "agents:agent_create"),
        (_("Talk to it in the browser"), "telephony:agent_test_choose"),
        (_("Connect a carrier account"), "telephony:carrier_account_create"),
        (_("Add a phone number"), "telephony:phone_create"),
        (_("Receive a first call"), "telephony:phone_list"),
    ]
    current = done.index(False) if False in done else None
    return [
        Step(
            title,
            reverse(url_name),
            "done" if done[place] else "current" if place == current else "todo",
        )
        for place, (title, url_name) in enumerate(steps)
    ]


@dataclass(frozen=True)
class Figures:
    """Real calls that started in a stretch of time."""

    calls: int
    answered: int
    talk_s: int
    typical_reply_ms: int | None

    @property
    def answered_percent(self) -> float | None:
        return 100 * self.answered / self.calls if self.calls else None


def figures(owner: Workspace, *, since: datetime) -> Figures:
    """Real calls since then; a call counts at its `started_at`."""
    calls = Call.objects.for_owner(owner).filter(
        pk__gte=earliest_uuid7(since - ID_MARGIN), is_test=False, started_at__gte=since
    )
    totals = calls.aggregate(
        calls=Count("pk"),
        answered=Count("answered_at"),
        talk_s=Sum("duration_s", filter=Q(answered_at__isnull=False), default=0),
    )
    newest = calls.order_by("-pk").values("pk")[:TYPICAL_OF_CALLS]
    replies = Turn.objects.for_owner(owner).filter(
        call__in=newest, reply_ms__isnull=False
    )
    times = replies.values_list("reply_ms", flat=True)
    return Figures(typical_reply_ms=typical_ms(times), **totals)
