"""The demo workspace while it is furnished: who is there, and when was what."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import models
from django.http import HttpRequest

from accounts import audit
from accounts.models import User, Workspace
from agents.models import VoiceAgent
from telephony.models import Phone

ADDRESS = "192.0.2.17"  # for documentation (RFC 5737)


@dataclass
class Stage:
    """`phones` by city, `people` by first name, `agents` by name."""

    owner: Workspace
    by: User
    at: datetime
    phones: dict[str, Phone]
    people: dict[str, User] = field(default_factory=dict)
    agents: dict[str, VoiceAgent] = field(default_factory=dict)

    @contextmanager
    def acting(self, name: str) -> Iterator[None]:
        """What is done meanwhile is done by that person, as the audit log tells."""
        request = HttpRequest()
        request.user, request.META["REMOTE_ADDR"] = self.people[name], ADDRESS
        with audit.asked_by(request):
            yield

    def on(self, zone: str, days: int, clock: str) -> datetime:
        """That time so many days after today, on the clocks of the zone."""
        there = ZoneInfo(zone)
        day = self.at.astimezone(there).date() + timedelta(days=days)
        return datetime.combine(day, time.fromisoformat(clock), there)

    def latest(self, zone: str, clock: str) -> datetime:
        """When it was that time there last, two hours ago at least."""
        today = self.on(zone, 0, clock)
        return today if today <= self.at - timedelta(hours=2) else today - DAY


DAY = timedelta(days=1)


def store(rows: Iterable[models.Model]) -> None:
    """Insert rows of several kinds, the kinds in the order in which they come first."""
    kinds: dict[type[models.Model], list[models.Model]] = {}
    for row in rows:
        kinds.setdefault(type(row), []).append(row)
    for kind, group in kinds.items():
        kind._base_manager.bulk_create(group)
