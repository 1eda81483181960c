"""The weekly e-mail: a week against the one before, on Mondays at eight.

Its row is written before the mail is sent, so a worker that is killed sends none rather
than two. A person who is in several workspaces gets one for each.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from smtplib import SMTPRecipientsRefused
from time import monotonic
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core import signing
from django.core.mail import EmailMessage, get_connection
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.timezone import now

from accounts.models import Membership
from accounts.notices import MAIL_TIMEOUT_S
from alerts import addresses
from alerts.mails import one_line, zone_of
from alerts.models import Digest, Episode
from analytics import dashboard as pictures
from analytics.figures import Question
from analytics.models import Bucket, Series
from analytics.periods import Period
from telephony.models import Call

HOUR = 8
DAY = timedelta(days=1)
LIMIT_S = 60  # of a run; the next one goes on
SALT = "alerts.digest"
MOST_LINES = 5
Reason = Call.EndReason
FAILURES = {
    *(Reason.NO_ACTIVE_AGENT, Reason.NUMBER_REMOVED, Reason.WRONG_NUMBER),
    *(Reason.MODEL_FAILED, Reason.CONNECTION_FAILED, Reason.CONNECTION_LOST),
    *(Reason.NOT_REACHED, Reason.REJECTED, Reason.NOT_PLACED),
    *(Reason.OUR_ERROR, Reason.NEVER_REPORTED),
}

logger = logging.getLogger(__name__)


def send_due(at: datetime, *, limit_s: float = LIMIT_S) -> int:
    """Send what is due, for so long at most; how many went out."""
    until, sent = monotonic() + limit_s, 0
    for member, monday, zone in _due(at):
        if monotonic() > until:
            break
        row = _take(member, monday)
        if row is None:
            continue
        try:
            sent += _send(row, member, zone)
        except SMTPRecipientsRefused:  # it would be refused again
            logger.warning("digest %s: its address was refused", row.pk)
        except OSError as error:  # what smtplib raises, too: no mail goes out now
            logger.warning("digest %s was not sent: %s", row.pk, type(error).__name__)
            row.delete()
            break
    return sent


def _due(at: datetime) -> Iterator[tuple[Membership, date, str]]:
    """Whose Monday has come to eight o'clock, without those who were sent theirs."""
    wanted = Membership.objects.filter(gets_digest=True, user__is_active=True)
    clocks = wanted.values_list("user__timezone", "workspace__timezone").distinct()
    for persons, workspaces in list(clocks.order_by()):
        zone = zone_of(persons, workspaces)
        local = at.astimezone(ZoneInfo(zone))
        if local.weekday() or local.hour < HOUR:
            continue
        monday = local.date()
        theirs = wanted.filter(
            user__timezone=persons, workspace__timezone=workspaces
        ).select_related("user", "workspace")
        for member in theirs.filter(~_was_sent(monday), _has_figures(monday)):
            yield member, monday, zone


def _was_sent(monday: date) -> Exists:
    return Exists(
        Digest.unscoped.filter(
            owner=OuterRef("workspace"), user=OuterRef("user"), monday=monday
        )
    )


def _has_figures(monday: date) -> Exists:
    """Anything in about these two weeks."""
    return Exists(
        Bucket.unscoped.filter(
            owner=OuterRef("workspace"),
            span=Bucket.Span.DAY,
            is_total=True,
            first_day__gte=monday - 15 * DAY,
            first_day__lte=monday,
        )
    )


def _take(member: Membership, monday: date) -> Digest | None:
    """The row that says it is being sent; None if another worker sends it."""
    try:
        with transaction.atomic():
            return Digest.unscoped.create(
                owner_id=member.workspace_id, user_id=member.user_id, monday=monday
            )
    except IntegrityError:
        return None


def _send(row: Digest, member: Membership, zone: str) -> bool:
    report = Report.of(member, row.monday, zone)
    if report.is_empty:
        return False
    message = _message(row, member, report)
    get_connection(timeout=MAIL_TIMEOUT_S).send_messages([message])
    row.sent_at = now()
    row.save(update_fields=["sent_at"])
    return True


# -- What it says ----------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """The figures of a week, and what they were in the week before."""

    question: Question
    now: pictures.Headline
    before: pictures.Headline
    failures: list[pictures.Kind]
    episodes: list[Episode]

    @classmethod
    def of(cls, member: Membership, monday: date, zone: str) -> "Report":
        week = Period(monday - 7 * DAY, monday - DAY, zone)
        question = Question(member.workspace, week)
        calls = pictures.sums(question, Series.CALLS)
        before = pictures.sums(question.before, Series.CALLS)
        reasons = pictures.reasons(question, calls)
        return cls(
            question,
            pictures.headline(question, calls),
            pictures.headline(question.before, before),
            [kind for kind in reasons if kind.key in FAILURES],
            _episodes(question),
        )

    @property
    def is_empty(self) -> bool:
        return not any(
            (self.now.calls, self.now.texts, self.before.calls, self.before.texts)
        )

    @property
    def changes(self) -> dict[str, pictures.Change]:
        return pictures.changes(self.now, self.before)


def _episodes(question: Question) -> list[Episode]:
    """Those that began in the week, in order."""
    zone = ZoneInfo(question.period.zone)
    start, end = (
        datetime.fromtimestamp(quarter * 900, zone)
        for quarter in (question.period.start, question.period.end)
    )
    rows = Episode.objects.for_owner(question.owner).select_related("alert")
    return list(
        rows.filter(started_at__gte=start, started_at__lt=end).order_by("started_at")
    )


def _message(row: Digest, member: Membership, report: Report) -> EmailMessage:
    period = report.question.period
    off = addresses.absolute(reverse("alerts:digest_off", args=[token_of(member)]))
    days = {"from": period.first, "to": period.last, "timezone": period.zone}
    with timezone.override(ZoneInfo(period.zone)):
        context = {
            "workspace": one_line(member.workspace.name),
            "report": report,
            "changes": report.changes,
            "first": period.first,
            "last": period.last,
            "zone": period.zone,
            "failures": report.failures[:MOST_LINES],
            "episodes": report.episodes[:MOST_LINES],
            "more_episodes": len(report.episodes[MOST_LINES:]),
            "dashboard_url": addresses.absolute(addresses.dashboard_of(**days)),
            "alerts_url": addresses.absolute(reverse("alerts:alert_list")),
            "off_url": off,
        }
        text = render_to_string("alerts/digest_mail.txt", context)
    subject, _blank, body = text.partition("\n\n")
    headers = {
        "Message-ID": f"<digest-{row.pk.hex}@{addresses.host()}>",
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": f"<{off}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    return EmailMessage(subject, body, to=[member.user.email], headers=headers)


# -- The way out -----------------------------------------------------------------------


def token_of(member: Membership) -> str:
    """For the link in the mail: whoever has it can end these mails, nothing else."""
    return signing.dumps(member.pk.hex, salt=SALT)


def member_of(token: str) -> Membership | None:
    """None for who has left the workspace. Raises BadSignature."""
    pk = UUID(signing.loads(token, salt=SALT))
    return Membership.objects.filter(pk=pk).select_related("user", "workspace").first()


def switch_off(member: Membership) -> None:
    member.gets_digest = False
    member.save(update_fields=["gets_digest"])
