"""An import from its first document to its last: in batches, safe to kill and repeat.

A batch is read, made into rows, and stored with its origins in one transaction. So
whatever ends a run, each document has come in once or not at all.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TextIO

from django.db import DataError, IntegrityError, models, transaction

from accounts import audit
from accounts.audit import Action
from accounts.models import Membership, Workspace
from accounts.tenancy import OwnedModel
from agents.models import Agent, Prompt
from analytics.history import count_by_days
from importing.history import finish_messages, make_call, make_message
from importing.ledger import REMEMBERED
from importing.making import Made, Run
from importing.mapping import Document
from importing.models import Origin
from importing.reading import Source
from importing.scheduled import finish_scheduled_calls, make_scheduled_call
from importing.setting_up import (
    make_agent,
    make_message_agent,
    make_phone,
    make_prompt,
    make_user,
)
from importing.values import Refused
from telephony.models import Campaign, CarrierAccount, Phone

# What somebody decided; calls and texts are traffic.
AUDITED = (Membership, CarrierAccount, Phone, Prompt, Agent, Campaign)


@dataclass(frozen=True)
class Step:
    """A collection, and what comes of each of its documents."""

    collection: str
    make: Callable[[Document, Run], Made]
    finish: Callable[[list[Made], Run], None] = lambda made, run: None


# Each refers to those before it alone.
STEPS = (
    Step("users", make_user),
    Step("prompts", make_prompt),
    Step("phones", make_phone),
    Step("agents", make_agent),
    Step("message_agents", make_message_agent),
    Step("calls", make_call),
    Step("messages", make_message, finish_messages),
    Step("scheduled_calls", make_scheduled_call, finish_scheduled_calls),
)


@dataclass
class Report:
    """What became of the documents: in counts, and the exceptions line by line."""

    lines: TextIO
    counts: dict[str, Counter] = field(default_factory=dict)

    def count(self, collection: str, outcome: str, number: int = 1) -> None:
        self.counts.setdefault(collection, Counter())[outcome] += number

    def refuse(self, collection: str, source_id: str, reason: str) -> None:
        self.count(collection, "refused")
        self._write(collection, source_id, "refused", [reason])

    def note(self, collection: str, source_id: str, notes: list[str]) -> None:
        self.count(collection, "altered")
        self._write(collection, source_id, "altered", notes)

    def _write(self, collection: str, source_id: str, outcome: str, reasons) -> None:
        told = {"collection": collection, "id": source_id, "outcome": outcome}
        self.lines.write(json.dumps(told | {"reasons": reasons}) + "\n")


@dataclass
class Importer:
    """Brings one database in. `bar` makes a progress bar of a name and a total."""

    source: Source
    run: Run
    report: Report
    bar: Callable[[str, int], Any]
    batch_size: int = 500

    def bring_in(self, steps: Iterable[Step] = STEPS) -> None:
        touched: set[Workspace] = set()
        for step in steps:
            name = self.run.names.collections[step.collection].name
            self.report.count(step.collection, "created", 0)
            with self.bar(step.collection, self.source.count(name)) as bar:
                for batch in self.source.batches(name, self.batch_size):
                    touched |= self._take(step, batch)
                    bar.update(len(batch))
        if not self.run.is_dry:
            for workspace in touched:
                count_by_days(workspace)

    def _take(self, step: Step, batch: list[Mapping[str, Any]]) -> set[Workspace]:
        """Bring a batch in; whose rows have come of it."""
        documents = dict(self._readable(step, batch))
        known = self.run.ledger.known(step.collection, documents)
        self.report.count(step.collection, "known", len(known))
        new = {pk: told for pk, told in documents.items() if pk not in known}
        mark = self.run.mark()
        became = {pk: self._made(step, told) for pk, told in new.items()}
        try:
            self._store(step, became)
        except (IntegrityError, DataError):
            # One of them cannot be stored, or somebody stored the like meanwhile.
            self.run.back_to(mark)
            became = {pk: self._alone(step, pk, told) for pk, told in new.items()}
        if step.collection not in REMEMBERED:
            self.run.back_to(mark)  # from now on the database knows it
        return self._tell(step, became)

    def _readable(
        self, step: Step, batch: list[Mapping[str, Any]]
    ) -> Iterator[tuple[str, Document]]:
        names = self.run.names
        for told in batch:
            document = Document(
                told, names.collections[step.collection], names.defaults
            )
            try:
                yield document.id, document
            except Refused as refused:
                shown = repr(told.get("_id"))[:200]
                self.report.refuse(step.collection, shown, str(refused))

    def _made(self, step: Step, document: Document) -> Made | Refused:
        try:
            return step.make(document, self.run)
        except Refused as refused:
            return refused

    def _alone(self, step: Step, pk: str, document: Document) -> Made | Refused:
        """One document, in a transaction of its own."""
        mark = self.run.mark()
        made = self._made(step, document)
        try:
            self._store(step, {pk: made})
        except (IntegrityError, DataError):
            self.run.back_to(mark)
            return Refused("the database does not take it beside what is here")
        return made

    def _store(self, step: Step, became: Mapping[str, Made | Refused]) -> None:
        made = {pk: each for pk, each in became.items() if isinstance(each, Made)}
        if self.run.is_dry or not made:
            return
        rows = list(made.values())
        with transaction.atomic():
            _insert(chain.from_iterable(each.before for each in rows))
            _insert(each.row for each in rows if each.is_new)
            _insert(chain.from_iterable(each.after for each in rows))
            _insert(self._origin(step, pk, each) for pk, each in made.items())
            step.finish(rows, self.run)

    def _origin(self, step: Step, pk: str, made: Made) -> Origin:
        return self.run.ledger.origin(step.collection, pk, made.row, made.owner)

    def _tell(self, step: Step, became: Mapping[str, Made | Refused]) -> set[Workspace]:
        owners = set()
        for pk, each in became.items():
            if isinstance(each, Refused):
                self.report.refuse(step.collection, pk, str(each))
                continue
            self.run.ledger.remember(step.collection, pk, each.row)
            self.report.count(step.collection, "created" if each.is_new else "known")
            if each.notes:
                self.report.note(step.collection, pk, each.notes)
            owners.add(each.owner)
        return owners


def _insert(rows: Iterable[models.Model]) -> None:
    """Store rows of one or several kinds, each after those it was named after."""
    kinds: dict[type[models.Model], list[models.Model]] = {}
    for row in rows:
        kinds.setdefault(type(row), []).append(row)
    for kind, group in kinds.items():
        for row in group:
            if isinstance(row, OwnedModel):
                row.refuse_foreign_rows()
        kind._base_manager.bulk_create(group)
        if issubclass(kind, AUDITED):
            for row in group:
                audit.record(Action.CREATED, row)
