"""What the columns of a list mean, and which of its rows can be called. Pure.

A mapping says in which column stands what: `to`, `timezone` and `scheduled_for` are
positions or None, `variables` are positions by the placeholder's name.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext as _

from agents.limits import MAX_NAME_CHARACTERS, MAX_VALUE_CHARACTERS, MAX_VARIABLES
from telephony.dialling import numbers
from telephony.dialling.rules import UNWANTED, Facts, decide_number, zones_for
from telephony.periods import LAST_YEAR

# What the columns are called, as `plain` writes it.
HEADINGS = {
    "to": (
        *("to", "number", "phone", "phone_number", "telephone", "tel", "mobile"),
        *("mobile_number", "cell", "cell_phone", "telephone_number", "to_number"),
    ),
    "timezone": ("timezone", "time_zone", "zone"),
    "scheduled_for": ("scheduled_for", "call_at", "not_before"),
}
EXCERPT_CHARACTERS = 100


def plain(heading: str) -> str:
    """A heading as the name of a placeholder: "First name" is first_name."""
    return re.sub(r"[^a-z0-9_.]+", "_", heading.strip().lower()).strip("_")


def suggested(headings: Sequence[str], wanted: Iterable[str]) -> dict:
    """The mapping that the headings tell; `to` is None where none is known."""
    names = [plain(heading) for heading in headings]
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        places.setdefault(name, place)
    found = {
        meaning: next((places[name] for name in known if name in places), None)
        for meaning, known in HEADINGS.items()
    }
    chosen = {name: places.get(plain(name)) for name in wanted}
    return found | {"variables": with_the_others(headings, found, chosen)}


def with_the_others(
    headings: Sequence[str],
    found: Mapping[str, int | None],
    chosen: Mapping[str, int | None],
) -> dict[str, int]:
    """The columns of the placeholders, and all others under their own names."""
    variables = {name: at for name, at in chosen.items() if at is not None}
    taken = {*found.values(), *variables.values()}
    for place, heading in enumerate(headings):
        name = plain(heading)[:MAX_NAME_CHARACTERS]
        if place in taken or not name or name in variables or name in chosen:
            continue
        if len(variables) < MAX_VARIABLES:
            variables[name] = place
    return variables


def zone_named(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, too
        return None


@dataclass(frozen=True)
class Row:
    """A row of a list, as somebody wrote it."""

    line: int
    number: str
    timezone: str = ""
    scheduled_for: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, line: int, cells: Sequence[str], mapping: Mapping) -> "Row":
        def cell(place: int | None) -> str:
            is_there = place is not None and place < len(cells)
            return cells[place] if is_there else ""

        named = {name: cell(place) for name, place in mapping["variables"].items()}
        return cls(
            line,
            cell(mapping["to"]),
            cell(mapping.get("timezone")),
            cell(mapping.get("scheduled_for")),
            {name: value for name, value in named.items() if value},
        )


@dataclass(frozen=True)
class Callee:
    """Somebody who can be called."""

    row: Row
    number: str
    due_at: datetime


@dataclass(frozen=True)
class Refusal:
    """Why a row of a list is not called; `kind` is one of `RefusedRow.Kind`."""

    line: int
    kind: str
    text: str
    reason: str


@dataclass
class Judge:
    """Decides row by row; remembers in which line it has seen a number."""

    facts: Facts  # all but the number
    required: frozenset[str]  # placeholders without a usual value that have a column
    zone: ZoneInfo  # of times that name none
    at: datetime
    lines: dict[str, int] = field(default_factory=dict)

    def judge(
        self, row: Row, number: str | None, known: Mapping[str, Any]
    ) -> Callee | Refusal:
        """`number` is the row's in E.164, None where that is none; `known` are facts
        about it."""
        if number is None:
            words = _("This is no telephone number.") if row.number else ""
            return self._refusal(
                row, "number", words or _("There is no number."), row.number
            )
        if number in self.lines:
            told = {"line": self.lines[number]}
            words = _("The same number as in line %(line)d.") % told
            return self._refusal(row, "duplicate", words, row.number)
        facts = replace(self.facts, number=number, **known)
        decision = decide_number(facts)
        if not decision.is_allowed:
            kind = "do_not_contact" if decision.rule in UNWANTED else "number"
            return self._refusal(row, kind, decision.reason, row.number)
        found = self._due_at(row, facts) or self._bad_value(row)
        if isinstance(found, Refusal):
            return found
        self.lines[number] = row.line
        return Callee(row, number, found or self.at)

    def _due_at(self, row: Row, facts: Facts) -> datetime | Refusal | None:
        """When it is meant at the earliest; None: whenever its turn comes."""
        zone = zone_named(row.timezone) if row.timezone else None
        if row.timezone and zone is None:
            words = _("There is no time zone of this name.")
            return self._refusal(row, "time", words, row.timezone)
        parsed = numbers.parse(facts.number)
        if parsed is None or not zones_for(
            replace(facts, zone=zone or facts.zone), parsed
        ):
            words = _("Nobody can tell which time it is there: name the time zone.")
            return self._refusal(row, "time", words, row.number)
        if not row.scheduled_for:
            return None
        return self._moment(row, zone or self.zone)

    def _moment(self, row: Row, zone: ZoneInfo) -> datetime | Refusal:
        try:
            moment = datetime.fromisoformat(row.scheduled_for)
        except ValueError:
            words = _("Write times as 2026-03-01 14:30.")
            return self._refusal(row, "time", words, row.scheduled_for)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        if moment.year > LAST_YEAR:
            words = _("No calendar reaches that far.")
            return self._refusal(row, "time", words, row.scheduled_for)
        if moment <= self.at:
            return self._refusal(
                row, "time", _("This time is over."), row.scheduled_for
            )
        return moment

    def _bad_value(self, row: Row) -> Refusal | None:
        for name in sorted(self.required):
            if not row.variables.get(name):
                words = _("“%(name)s” is empty.") % {"name": name}
                return self._refusal(row, "value", words, "")
        for name, value in row.variables.items():
            if len(value) > MAX_VALUE_CHARACTERS:
                told = {"name": name, "count": MAX_VALUE_CHARACTERS}
                words = _("“%(name)s” has more than %(count)d characters.") % told
                return self._refusal(row, "value", words, value)
        return None

    def _refusal(self, row: Row, kind: str, reason: str, text: str) -> Refusal:
        return Refusal(row.line, kind, text[:EXCERPT_CHARACTERS], reason[:300])
