"""How alerts stand now, and what they have found: for pages."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from accounts.models import Workspace
from alerts import addresses, words
from alerts.metrics import KINDS, Metric
from alerts.models import Alert, Episode

MOST_SHOWN = 3  # on the dashboard
State = Alert.State
BADGES = {
    State.NEW: "pending",
    State.OK: "success",
    State.FIRING: "error",
    State.UNKNOWN: "neutral",
}


@dataclass(frozen=True)
class Standing:
    """An alert, and the episode that goes on."""

    alert: Alert
    episode: Episode | None
    at: datetime

    @property
    def badge(self) -> str:
        if self.episode:
            return BADGES[State.FIRING]
        return BADGES[State(self.alert.state)] if self.is_watched else "inactive"

    @property
    def words(self) -> str:
        if self.episode:
            return str(State.FIRING.label)
        if not self.alert.is_active:
            return _("Switched off")
        if not self.is_watched:
            return _("Its agent was deleted")
        if self.alert.state == State.UNKNOWN:
            return self._why_unknown
        return str(State(self.alert.state).label)

    @property
    def is_watched(self) -> bool:
        agent = self.alert.agent
        return self.alert.is_active and not (agent and agent.is_deleted)

    @property
    def _why_unknown(self) -> str:
        if self.alert.metric == Metric.NO_CALLS:
            return _("Closed now")
        return _("Too few calls")

    @property
    def is_muted(self) -> bool:
        return self.alert.is_muted(self.at)

    @property
    def kind(self):
        return KINDS[self.alert.metric]

    @property
    def condition(self) -> str:
        return words.condition(self.alert)

    @property
    def value(self) -> str:
        return words.amount(self.alert, self.alert.value)

    @property
    def of_calls(self) -> str:
        """Which calls it looks at."""
        return words.of_calls(self.alert)


def of_workspace(owner: Workspace, at: datetime) -> list[Standing]:
    """All of its alerts: those that fire first, then the newest."""
    alerts = Alert.objects.for_owner(owner).select_related("agent").order_by("-pk")
    going_on = Episode.objects.for_owner(owner).filter(ended_at=None)
    episodes = {episode.alert_id: episode for episode in going_on}
    found = [Standing(alert, episodes.get(alert.pk), at) for alert in alerts]
    return sorted(found, key=lambda one: one.episode is None)


def firing(owner: Workspace) -> list[tuple[Episode, str]]:
    """What goes on, the latest first, each with what was found last."""
    going_on = Episode.objects.for_owner(owner).filter(ended_at=None)
    found = going_on.select_related("alert").order_by("-pk")[:MOST_SHOWN]
    return [
        (one, words.finding(one.alert, one.alert.value, one.alert.calls))
        for one in found
    ]


def of(alert: Alert, at: datetime) -> Standing:
    going_on = Episode.objects.for_owner(alert.owner_id).filter(alert=alert)
    return Standing(alert, going_on.filter(ended_at=None).first(), at)


# -- History ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Past:
    """An episode in words."""

    episode: Episode
    value: str
    worst: str
    end_value: str
    lasted: str
    condition: str
    calls_url: str


def told(alert: Alert, episodes: Iterable[Episode]) -> list[Past]:
    return [_past(alert, episode) for episode in episodes]


def _past(alert: Alert, episode: Episode) -> Past:
    since = addresses.window_of(alert, episode, episode.started_at)
    until = episode.ended_at or episode.started_at
    return Past(
        episode=episode,
        value=words.amount(alert, episode.value),
        worst=words.amount(alert, episode.worst),
        end_value=words.amount(alert, episode.end_value),
        lasted=words.lasted(episode) if episode.ended_at else "",
        condition=words.condition(alert, episode),
        calls_url=addresses.calls(alert, since, until),
    )
