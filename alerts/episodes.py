"""How episodes begin, go on and end, and who is told of it.

The row is committed before anybody is told, and what is to be told is committed with
it: e-mails and deliveries of webhooks are rows that others send. The database allows
one open episode an alert, so of two looks at once one begins it.
"""

from datetime import datetime
from functools import partial

from django.db import IntegrityError, transaction

from accounts.models import Membership
from alerts import addresses, tasks
from alerts.metrics import Reading, plain, unit_of, worse
from alerts.models import ADMINS, Alert, Episode, Mail
from alerts.rules import Phase, calm_of, moved
from hooks import services as hooks
from hooks.models import Event

EndReason, Occasion = Episode.EndReason, Mail.Occasion
EVENTS = {
    Occasion.STARTED: Event.ALERT_STARTED,
    Occasion.ENDED: Event.ALERT_ENDED,
    Occasion.TEST: Event.ALERT_STARTED,
}


def take_note(
    alert: Alert, episode: Episode | None, reading: Reading, at: datetime
) -> bool:
    """Let a look at an alert have its consequences; whether the alert fires now."""
    before = Phase(episode is not None, episode.well_since if episode else None)
    after = moved(before, reading.is_bad, at=at, calm=calm_of(alert.metric))
    if episode is None:
        return after.is_firing and _start(alert, reading, at)
    if not after.is_firing:
        end(episode, EndReason.RECOVERED, at=at, reading=reading)
        return False
    _go_on(alert, episode, reading, after)
    if episode.told_at is None and not alert.is_muted(at):
        _tell_late(alert, episode, at)
    return True


def _start(alert: Alert, reading: Reading, at: datetime) -> bool:
    episode = Episode(
        owner_id=alert.owner_id,
        alert=alert,
        threshold=alert.threshold,
        window_minutes=alert.window_minutes,
        started_at=at,
        value=reading.value,
        worst=reading.value,
        calls=reading.calls,
        told_at=None if alert.is_muted(at) else at,
    )
    try:
        with transaction.atomic():
            # Held, so that nobody switches it off meanwhile.
            watched = Alert.unscoped.select_for_update(no_key=True).watched()
            if not watched.filter(pk=alert.pk).values_list("pk"):
                return False
            episode.save(force_insert=True)
            if episode.told_at:
                tell(alert, episode, Occasion.STARTED, at=at)
    except IntegrityError:  # another look was faster
        return True
    return True


def _go_on(alert: Alert, episode: Episode, reading: Reading, phase: Phase) -> None:
    worst = episode.worst
    if reading.is_bad:
        worst = worse(alert.metric, worst, reading.value)
    if (worst, phase.well_since) != (episode.worst, episode.well_since):
        mine = Episode.unscoped.filter(pk=episode.pk, ended_at=None)
        mine.update(worst=worst, well_since=phase.well_since)


def _tell_late(alert: Alert, episode: Episode, at: datetime) -> None:
    """What began while the alert was muted and still goes on."""
    with transaction.atomic():
        mine = Episode.unscoped.filter(pk=episode.pk, ended_at=None, told_at=None)
        if mine.update(told_at=at):
            tell(alert, episode, Occasion.STARTED, at=at)


def end(
    episode: Episode,
    reason: str,
    *,
    at: datetime,
    reading: Reading | None = None,
) -> bool:
    """End it once, and tell whoever was told of its start; False if it had ended.

    Who switches an alert off knows: that is not mailed, but programs are told.
    """
    with transaction.atomic():
        mine = Episode.unscoped.filter(pk=episode.pk, ended_at=None)
        won = mine.update(
            ended_at=at,
            end_reason=reason,
            end_value=reading.value if reading else None,
            end_calls=reading.calls if reading else None,
            updated_at=at,
        )
        if won:
            episode.refresh_from_db()
            if episode.told_at:
                tell(episode.alert, episode, Occasion.ENDED, at=at)
    return bool(won)


def end_all(alert: Alert, *, at: datetime) -> None:
    """Of an alert that is not watched any more."""
    for episode in Episode.unscoped.filter(alert=alert, ended_at=None):
        end(episode, EndReason.SWITCHED_OFF, at=at)


# -- Telling ---------------------------------------------------------------------------


def tell(alert: Alert, episode: Episode | None, occasion: str, *, at: datetime) -> int:
    """Write down what is to be told, in the transaction of what happened; how many
    people get an e-mail. Without an episode it is a test.
    """
    is_ours = episode is not None and episode.end_reason == EndReason.SWITCHED_OFF
    people = [] if is_ours else recipients(alert)
    Mail.unscoped.bulk_create(
        [
            Mail(
                owner_id=alert.owner_id,
                alert=alert,
                episode=episode,
                user_id=member.user_id,
                occasion=occasion,
                next_try_at=at,
            )
            for member in people
        ]
    )
    if alert.tells_webhooks:
        hooks.announce(
            owner_id=alert.owner_id,
            event=EVENTS[occasion],
            data=partial(told_of, alert, episode or _sample(alert, at)),
            at=at,
        )
    if people:
        ring_the_bell()
    return len(people)


def _sample(alert: Alert, at: datetime) -> Episode:
    """What a test tells: nothing of it is stored."""
    return Episode(
        alert=alert,
        threshold=alert.threshold,
        window_minutes=alert.window_minutes,
        started_at=at,
        value=alert.value,
        worst=alert.value,
        calls=alert.calls,
    )


def ring_the_bell() -> None:
    """Start mailing after the commit; without a broker, beat does it later."""
    ring = partial(tasks.send_mails.apply_async, retry=False)
    transaction.on_commit(ring, robust=True)


def recipients(alert: Alert) -> list[Membership]:
    """Those who get its e-mails now. If everybody who was chosen has left, the owner
    and the admins: an alert that nobody hears of is none.
    """
    people = Membership.objects.for_owner(alert.owner_id).filter(user__is_active=True)
    members = list(people.select_related("user").order_by("pk"))
    admins = [member for member in members if member.role in ADMIN_ROLES]
    chosen = [member for member in members if str(member.pk) in alert.mail_to]
    if ADMINS in alert.mail_to:
        return list(dict.fromkeys([*admins, *chosen]))
    return chosen or (admins if alert.mail_to else [])


ADMIN_ROLES = {Membership.Role.OWNER, Membership.Role.ADMIN}


def told_of(alert: Alert, episode: Episode) -> dict:
    """An episode as programs are told of it: also what the API shows."""
    until = episode.ended_at or episode.started_at
    return {
        "id": str(episode.pk),
        "is_test": episode._state.adding,
        "alert_id": str(alert.pk),
        "name": alert.name,
        "metric": alert.metric,
        "agent_id": alert.agent_id and str(alert.agent_id),
        "direction": alert.direction,
        "threshold": plain(episode.threshold),
        "unit": unit_of(alert.metric, alert.currency),
        "window_minutes": episode.window_minutes,
        "window_from": moment(addresses.window_of(alert, episode, until)),
        "window_to": moment(until),
        "value": plain(episode.value),
        "worst_value": plain(episode.worst),
        "calls": episode.calls,
        "started_at": moment(episode.started_at),
        "ended_at": episode.ended_at and moment(episode.ended_at),
        "end_reason": episode.end_reason,
        "end_value": plain(episode.end_value),
        "end_calls": episode.end_calls,
        "url": addresses.absolute(alert.get_absolute_url()),
    }


def moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
