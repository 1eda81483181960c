"""What of the earlier system is here, by what was written down and what is made now."""

from collections import defaultdict
from collections.abc import Iterable

from django.contrib.auth import get_user_model
from django.db import models

from accounts.models import Workspace
from agents.models import MessageAgent, Prompt, VoiceAgent
from importing.models import Origin
from importing.values import Refused
from telephony.models import Call, Campaign, Message, Phone, ScheduledCall

KINDS: dict[str, type[models.Model]] = {
    "workspaces": Workspace,
    "users": get_user_model(),
    "prompts": Prompt,
    "phones": Phone,
    "agents": VoiceAgent,
    "message_agents": MessageAgent,
    "calls": Call,
    "messages": Message,
    "campaigns": Campaign,
    "scheduled_calls": ScheduledCall,
}
# Few, and others refer to them: they are kept in memory for the whole run.
REMEMBERED = {"users", "prompts", "phones", "agents", "message_agents"}


class Ledger:
    """The rows here by their ids there; a dry run's are never saved."""

    def __init__(self, source: str):
        self.source = source
        self._rows: dict[str, dict[str, models.Model | None]] = defaultdict(dict)
        self._by_number: dict[str, list[Phone]] = {}

    def known(self, collection: str, ids: Iterable[str]) -> set[str]:
        """Those of these documents that came in before."""
        there = self._origins(collection).filter(source_id__in=list(ids))
        return set(there.values_list("source_id", flat=True))

    def remember(self, collection: str, source_id: str, row: models.Model) -> None:
        if collection in REMEMBERED:
            self._rows[collection][source_id] = row

    def find(self, collection: str, source_id: str) -> models.Model | None:
        """The row that came of that document, None if there is none (any more)."""
        rows = self._rows[collection]
        if source_id in rows:
            return rows[source_id]
        found = self._stored(collection, source_id)
        if collection in REMEMBERED:
            rows[source_id] = found
        return found

    def need(self, collection: str, source_id: str, field: str) -> models.Model:
        """As `find`; raises Refused where there is none."""
        row = self.find(collection, source_id)
        if row is None:
            raise Refused(f"{field} is of nothing that came in from {collection}")
        return row

    def origin(
        self, collection: str, source_id: str, row: models.Model, owner: Workspace
    ) -> Origin:
        """What is written down of a row, not saved yet."""
        return Origin(
            owner=owner,
            source=self.source,
            collection=collection,
            source_id=source_id,
            object_id=row.pk,
        )

    def has_made(self, collection: str, row: models.Model) -> bool:
        """Whether the row came of a document, or stands for one."""
        return self._origins(collection).filter(object_id=row.pk).exists()

    def phones_of(self, number: str) -> list[Phone]:
        """Every registration of a number that came in, those removed included.

        One that somebody else has here is none of the earlier system's calls.
        """
        if number not in self._by_number:
            came = self._origins("phones").values("object_id")
            stored = Phone.unscoped.filter(number=number, pk__in=came)
            found = {
                row.pk: row for row in stored.select_related("carrier_account", "owner")
            }
            for row in self._rows["phones"].values():
                if row is not None and row.number == number:
                    found.setdefault(row.pk, row)
            self._by_number[number] = list(found.values())
        return self._by_number[number]

    def _origins(self, collection: str):
        return Origin.unscoped.filter(source=self.source, collection=collection)

    def _stored(self, collection: str, source_id: str) -> models.Model | None:
        origin = self._origins(collection).filter(source_id=source_id).first()
        if origin is None:
            return None
        return KINDS[collection]._base_manager.filter(pk=origin.object_id).first()
