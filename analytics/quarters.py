"""A day's numbers by quarter of an hour, in few bytes: read for a year at once.

Every zone's days and hours are made of whole quarters (`analytics.periods`), so one
form serves all of them.
"""

import struct
from collections.abc import Container, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

QUARTER_S = 900
OF_A_DAY = 96
DIRECTIONS = ("incoming", "outgoing")
# By the numbers of what is charted; other facts are wanted of whole days alone.
CHARTED = frozenset(
    ("total", "answered", "delivered", "failed", "talk_s", "segments")
    + ("cost", "outcomes")
)
CODES = {code: struct.Struct(f"<{OF_A_DAY}{code}") for code in "BHIQ"}

Tallies = Mapping[str, Mapping[str, Any]]
"""A tally by direction for every quarter of the day that has one, by its number."""
Column = tuple[int, ...]


def pack(tallies: Tallies) -> tuple[list[str], bytes]:
    """The names of the columns, each with the size of its numbers, and the numbers."""
    columns: dict[str, list[int]] = {}
    for quarter, tally in tallies.items():
        for name, value in _numbers(tally):
            column = columns.setdefault(name, [0] * OF_A_DAY)
            column[int(quarter)] = value
    names, packed = [], []
    for name in sorted(columns):
        code = _code_for(max(columns[name]))
        names.append(f"{code}{name}")
        packed.append(CODES[code].pack(*columns[name]))
    return names, b"".join(packed)


def _numbers(tally: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    """`incoming.total`, `outgoing.cost.EUR` and so on."""
    for direction, counted in tally.items():
        for name in counted.keys() & CHARTED:
            value = counted[name]
            if isinstance(value, dict):
                for kind in value:
                    yield f"{direction}.{name}.{kind}", value[kind]
            else:
                yield f"{direction}.{name}", value


def _code_for(most: int) -> str:
    return next(code for code, kind in CODES.items() if most < 256 ** (kind.size // 96))


class Name(NamedTuple):
    """What a column counts: `incoming`, `cost`, `EUR`; of most there is one kind."""

    direction: str
    what: str
    kind: str | None


@cache
def named(name: str) -> Name:
    direction, what, *kind = name.split(".", 2)
    return Name(direction, what, *(kind or [None]))


def unpack(
    names: list[str],
    packed: bytes,
    *,
    what: Container[str],
    directions: Container[str] = DIRECTIONS,
) -> Iterator[tuple[Name, Column]]:
    """The columns that are wanted, each with its 96 numbers."""
    offset = 0
    for coded in names:
        kind, name = CODES[coded[0]], named(coded[1:])
        if name.what in what and name.direction in directions:
            yield name, kind.unpack_from(packed, offset)
        offset += kind.size
