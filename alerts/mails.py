"""Sending the e-mails of alerts: what is due, each claimed while it is being sent.

A worker that is killed lets its claim run out, and the mail is sent again: with the
Message-ID that it had, so that many mailboxes show it once. Nothing is forgotten.
"""

import logging
from datetime import datetime, timedelta
from time import monotonic
from zoneinfo import ZoneInfo

from django.core.mail import EmailMessage, get_connection
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.timezone import now

from accounts.models import Membership, User, Workspace
from accounts.notices import MAIL_TIMEOUT_S
from alerts import addresses, words
from alerts.models import Mail
from voiceops import claims

LEASE_S = 60  # more than sending one takes
LIMIT_S = 25  # of a run; the next bell goes on
TRIED_FOR = timedelta(days=1)
MOST_MINUTES = 60  # between two tries

logger = logging.getLogger(__name__)


def send_due(*, limit_s: float = LIMIT_S) -> int:
    """Send what is due, for so long at most; how many went out."""
    until, sent = monotonic() + limit_s, 0
    while monotonic() < until and (mail := _claim(now())):
        sent += _send(mail)
    return sent


def _claim(at: datetime) -> Mail | None:
    """One mail; in turn between workspaces."""
    due = Mail.unscoped.filter(sent_at=None)
    claimed = claims.claim(
        due, at=at, room=1, lease_s=LEASE_S, group="owner_id", most_of_a_group=1
    )
    return claimed[0] if claimed else None


def _send(mail: Mail) -> bool:
    member = Membership.objects.filter(
        workspace=mail.owner_id, user=mail.user_id, user__is_active=True
    ).select_related("user", "workspace")
    to = member.first()
    if to is None:
        claims.finish(mail, next_try_at=None, error="They have left the workspace.")
        return False
    try:
        message = _message(mail, to.user, to.workspace)
        get_connection(timeout=MAIL_TIMEOUT_S).send_messages([message])
    except OSError as error:  # what smtplib raises, too
        logger.warning("alert mail %s was not sent: %s", mail.pk, type(error).__name__)
        _try_later(mail, error)
        return False
    return claims.finish(mail, sent_at=now(), next_try_at=None, error="")


def _try_later(mail: Mail, error: OSError) -> None:
    at = now()
    wait = timedelta(minutes=min(2**mail.tries, MOST_MINUTES))
    is_over = at - mail.created_at > TRIED_FOR
    claims.finish(
        mail,
        tries=mail.tries + 1,
        next_try_at=None if is_over else at + wait,
        error=type(error).__name__,
    )


def _message(mail: Mail, user: User, owner: Workspace) -> EmailMessage:
    """The mail in plain words, its times on the clock of whoever reads it."""
    zone = zone_of(user.timezone, owner.timezone)
    with timezone.override(ZoneInfo(zone)):
        context = {
            "workspace": one_line(owner.name),
            "name": one_line(mail.alert.name),
            "condition": words.condition(mail.alert, mail.episode),
            "of_calls": words.of_calls(mail.alert),
            "zone": zone,
            "alert_url": addresses.absolute(mail.alert.get_absolute_url()),
            **(_of_episode(mail, zone) if mail.episode else {}),
        }
        text = render_to_string(f"alerts/{mail.occasion}_mail.txt", context)
    subject, _blank, body = text.partition("\n\n")
    headers = {
        "Message-ID": f"<alert-{mail.pk.hex}@{addresses.host()}>",
        "Auto-Submitted": "auto-generated",
    }
    return EmailMessage(subject, body, to=[user.email], headers=headers)


def _of_episode(mail: Mail, zone: str) -> dict:
    alert, episode = mail.alert, mail.episode
    is_over = mail.occasion == Mail.Occasion.ENDED
    until = episode.ended_at if is_over else episode.started_at
    value = episode.end_value if is_over else episode.value
    calls = episode.end_calls if is_over else episode.calls
    since = addresses.window_of(alert, episode, until)
    return {
        "started_at": timezone.localtime(episode.started_at),
        "ended_at": episode.ended_at and timezone.localtime(episode.ended_at),
        "lasted": episode.ended_at and words.lasted(episode),
        "finding": words.finding(alert, value, calls),
        "worst": words.amount(alert, episode.worst),
        "since": timezone.localtime(since),
        "until": timezone.localtime(until),
        "dashboard_url": addresses.absolute(
            addresses.dashboard(alert, since, until, zone)
        ),
        "calls_url": addresses.absolute(addresses.calls(alert, since, until)),
    }


def zone_of(persons: str, workspaces: str) -> str:
    """The person's; the workspace's for who has none but the one everybody gets."""
    return workspaces if persons == "UTC" else persons


def one_line(text: str) -> str:
    return " ".join(text.split())
