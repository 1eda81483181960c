"""What changed between two texts, by lines and, inside a changed line, by words."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

CONTEXT_LINES = 2
# difflib's time grows faster than the square of the length, a page may not: beyond
# this, what lies between the first and the last difference is replaced as a whole.
MOST_COMPARED = 1_200
# Two lines with less in common are told apart line by line: a patchwork of words is
# harder to read than both.
LEAST_ALIKE = 0.4

WORDS = re.compile(r"\s+|\w+|[^\w\s]")

Opcode = tuple[str, int, int, int, int]


@dataclass(frozen=True)
class Words:
    """A stretch of a line; whether the other text has it not."""

    text: str
    is_changed: bool = False


@dataclass(frozen=True)
class Line:
    """`kind` is "same", "removed" or "added"; numbers count from 1, None if absent."""

    kind: str
    old_number: int | None
    new_number: int | None
    words: tuple[Words, ...]


@dataclass(frozen=True)
class Skipped:
    """`count` equal lines that are not shown."""

    count: int
    kind: str = "skipped"


@dataclass(frozen=True)
class Diff:
    rows: tuple[Line | Skipped, ...]

    @property
    def added(self) -> int:
        return sum(row.kind == "added" for row in self.rows)

    @property
    def removed(self) -> int:
        return sum(row.kind == "removed" for row in self.rows)


def compare(old: str, new: str) -> Diff:
    """The lines of both texts in one column, the removed before the added."""
    before, after = old.splitlines(), new.splitlines()
    lines: list[Line] = []
    for tag, i, i_end, j, j_end in _opcodes(before, after):
        if tag == "equal":
            lines += [
                Line("same", i + k + 1, j + k + 1, (Words(text),))
                for k, text in enumerate(before[i:i_end])
            ]
        else:
            lines += _replaced(before[i:i_end], after[j:j_end], i + 1, j + 1)
    return Diff(tuple(_with_gaps(lines)))


def _opcodes(before: Sequence[str], after: Sequence[str]) -> list[Opcode]:
    """As of SequenceMatcher, in bounded time."""
    shorter = min(len(before), len(after))
    head = 0
    while head < shorter and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < shorter - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    old_end, new_end = len(before) - tail, len(after) - tail
    middle = _middle_opcodes(before[head:old_end], after[head:new_end])
    found = [
        ("equal", 0, head, 0, head),
        *(
            (tag, i + head, ie + head, j + head, je + head)
            for tag, i, ie, j, je in middle
        ),
        ("equal", old_end, len(before), new_end, len(after)),
    ]
    return [
        opcode for opcode in found if opcode[1] < opcode[2] or opcode[3] < opcode[4]
    ]


def _middle_opcodes(before: Sequence[str], after: Sequence[str]) -> Sequence[Opcode]:
    if not (before or after):
        return []
    if not before or not after or len(before) + len(after) > MOST_COMPARED:
        return [("replace", 0, len(before), 0, len(after))]
    return SequenceMatcher(None, before, after, autojunk=False).get_opcodes()


def _replaced(
    before: list[str], after: list[str], old_number: int, new_number: int
) -> list[Line]:
    """The removed lines, then the added ones; the n-th of both are compared."""
    removed, added = [], []
    for place, (old, new) in enumerate(zip_longest(before, after)):
        old_words, new_words = _by_words(old, new)
        if old is not None:
            removed.append(Line("removed", old_number + place, None, old_words))
        if new is not None:
            added.append(Line("added", None, new_number + place, new_words))
    return removed + added


def _by_words(
    old: str | None, new: str | None
) -> tuple[tuple[Words, ...], tuple[Words, ...]]:
    if old is None or new is None:
        return (Words(old or ""),), (Words(new or ""),)
    before, after = WORDS.findall(old), WORDS.findall(new)
    opcodes = _opcodes(before, after)
    equal = sum(
        len("".join(before[i:i_end]).strip())
        for tag, i, i_end, _, _ in opcodes
        if tag == "equal"
    )
    if equal < LEAST_ALIKE * max(len(old), len(new)):
        return (Words(old),), (Words(new),)
    old_words = [(tag, "".join(before[i:end])) for tag, i, end, _, _ in opcodes]
    new_words = [(tag, "".join(after[j:end])) for tag, _, _, j, end in opcodes]
    return _marked(old_words), _marked(new_words)


def _marked(stretches: list[tuple[str, str]]) -> tuple[Words, ...]:
    return tuple(Words(text, tag != "equal") for tag, text in stretches if text)


def _with_gaps(lines: list[Line]) -> Iterator[Line | Skipped]:
    """The changed lines with their neighbours; the rest is counted."""
    changed = [place for place, line in enumerate(lines) if line.kind != "same"]
    near = {
        place + step
        for place in changed
        for step in range(-CONTEXT_LINES, CONTEXT_LINES + 1)
    }
    hidden = 0
    for place, line in enumerate(lines):
        if place not in near:
            hidden += 1
            continue
        if hidden:
            yield Skipped(hidden)
            hidden = 0
        yield line
    if hidden:
        yield Skipped(hidden)
