"""A day's numbers by quarter of an hour, in few bytes: read for a year at once.

Every zone's days and hours are made of whole quarters (`analytics.periods`), so one
form serves all of them.
"""

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from operator import itemgetter
from typing import Any, NamedTuple

QUARTER_S = 900
OF_A_DAY = 96
OF_AN_HOUR = 4
DIRECTIONS = ("incoming", "outgoing")
# By the numbers of what is charted; other facts are wanted of whole days alone.
CHARTED = frozenset(
    ("total", "answered", "delivered", "failed", "talk_s", "segments")
    + ("cost", "outcomes")
)
SPENT = frozenset(("spend",))  # charted too, but for pages of costs alone
# Where the columns of a bucket stand, by what they are of.
PACKED = ((CHARTED, "names", "quarters"), (SPENT, "spend_names", "spend_quarters"))
CODES = {code: struct.Struct(f"<{OF_A_DAY}{code}") for code in "BHIQ"}

Tallies = Mapping[str, Mapping[str, Any]]
"""A tally by direction for every quarter of the day that has one, by its number."""
Column = Sequence[int]
Reader = Callable[[bytes], Column]
"""Finds one column among the numbers of all."""


def repack(
    names: list[str],
    packed: bytes,
    tallies: Tallies,
    gone: Iterable[str] = (),
    wanted: frozenset[str] = CHARTED,
) -> tuple[list[str], bytes]:
    """The names of the columns, each with the size of its numbers, and the numbers:
    with these in place of what was there, and nothing where it is gone.
    """
    columns = {coded[1:]: [*column] for coded, column in _coded(names, packed)}
    for quarter in {*gone, *tallies}:
        for column in columns.values():
            column[int(quarter)] = 0
    for quarter, tally in tallies.items():
        for name, value in _numbers(tally, wanted):
            column = columns.setdefault(name, [0] * OF_A_DAY)
            column[int(quarter)] = value
    filled = {name: column for name, column in columns.items() if any(column)}
    names, parts = [], []
    for name in sorted(filled):
        code = _code_for(max(filled[name]))
        names.append(f"{code}{name}")
        parts.append(CODES[code].pack(*filled[name]))
    return names, b"".join(parts)


def _coded(names: list[str], packed: bytes) -> Iterator[tuple[str, Column]]:
    offset = 0
    for coded in names:
        kind = CODES[coded[0]]
        yield coded, kind.unpack_from(packed, offset)
        offset += kind.size


def _numbers(
    tally: Mapping[str, Mapping[str, Any]], wanted: frozenset[str]
) -> Iterator[tuple[str, int]]:
    """`incoming.total`, `outgoing.cost.EUR`, `outgoing.spend.model.EUR` and so on."""
    for direction, counted in tally.items():
        for name in counted.keys() & wanted:
            yield from _kinds(f"{direction}.{name}", counted[name])


def _kinds(name: str, value: Any) -> Iterator[tuple[str, int]]:
    if not isinstance(value, dict):
        yield name, value
        return
    for kind in value:
        yield from _kinds(f"{name}.{kind}", value[kind])


def _code_for(most: int) -> str:
    return next(code for code, kind in CODES.items() if most < 256 ** (kind.size // 96))


class Name(NamedTuple):
    """What a column counts: `incoming`, `cost`, `EUR`; of most there is one kind.

    The kind of `spend` is a part and its currency, `model.EUR`.
    """

    direction: str
    what: str
    kind: str | None


@cache
def named(name: str) -> Name:
    direction, what, *kind = name.split(".", 2)
    return Name(direction, what, *(kind or [None]))


def unpack(
    names: str,
    packed: bytes,
    *,
    what: tuple[str, ...],
    directions: tuple[str, ...] = DIRECTIONS,
) -> list[tuple[Name, Column]]:
    """The columns that are wanted, each with its 96 numbers; names as the JSON that
    they are stored as.
    """
    numbers = bytes(packed)
    return [(name, read(numbers)) for name, read in readers(names, what, directions)]


@lru_cache(maxsize=4096)  # most days have the columns of other days
def readers(
    names: str, what: tuple[str, ...], directions: tuple[str, ...]
) -> list[tuple[Name, Reader]]:
    """How each of the columns that are wanted is read."""
    found: list[tuple[Name, Reader]] = []
    offset = 0
    for coded in json.loads(names):
        kind, name = CODES[coded[0]], named(coded[1:])
        if name.what in what and name.direction in directions:
            found.append((name, _reader(kind, offset)))
        offset += kind.size
    return found


def _reader(kind: struct.Struct, offset: int) -> Reader:
    """A byte a number is read as it is, and most columns are such."""
    if kind.size == OF_A_DAY:
        return itemgetter(slice(offset, offset + kind.size))
    return partial(kind.unpack_from, offset=offset)
