"""Tables as people export them: whatever encoding, separator and heading. Pure.

A line number is that of the file, as an editor counts: cells may hold line breaks.
"""

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO

from django.utils.translation import gettext as _

SEPARATORS = ",;\t|"
LOOKED_AT = 50  # lines, to find the separator
MOST_COLUMNS = 100
MOST_LINES_OF_A_CELL = 20  # more is a quotation mark that nobody closed
EXCEL_HINT = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
# Bytes that no text has, once it was decoded rightly.
CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


class Unreadable(Exception):
    """The file is no table of text: `str()` says why, and what to do."""


@dataclass(frozen=True)
class Table:
    """A text as rows of cells; its first row names the columns if `has_headings`."""

    text: str
    separator: str
    headings: tuple[str, ...]
    has_headings: bool

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row that is not blank, its cells stripped, with its line's number."""
        rows = _read(self.text, self.separator)
        if self.has_headings:
            next(rows, None)
        yield from rows


def decode(data: bytes) -> str:
    """The file as text. Raises Unreadable for what is none."""
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise Unreadable(
            _("This is a workbook, not a CSV file. Save it as CSV and upload that.")
        )
    try:
        text = data.decode(_encoding_of(data))
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if CONTROLS.search(text):
        raise Unreadable(_("This is no text. Save the table as CSV and upload that."))
    return text


def _encoding_of(data: bytes) -> str:
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return encoding
    start = data[:2_000]
    # Western text in UTF-16: every other byte is nought.
    if start[1::2].count(0) > len(start) / 4:
        return "utf-16-le"
    if start[0::2].count(0) > len(start) / 4:
        return "utf-16-be"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"  # what Excel writes in the West
    return "utf-8"


def table_of(text: str) -> Table:
    """Find out how the text is laid out. Raises Unreadable if there are no rows."""
    hint = EXCEL_HINT.match(text)
    if hint:
        # A blank line in its place keeps the numbers of the others.
        text = "\n" + text[hint.end() :]
    separator = hint[1] if hint else _separator_of(text)
    first = next(_read(text, separator), None)
    if first is None:
        raise Unreadable(_("There is nothing in this file."))
    _line, cells = first
    if len(cells) > MOST_COLUMNS:
        told = {"count": MOST_COLUMNS}
        raise Unreadable(_("The table has more than %(count)d columns.") % told)
    has_headings = not any(looks_like_a_number(cell) for cell in cells)
    if has_headings:
        headings = tuple(cell[:100] for cell in cells)
    else:
        headings = tuple(
            _("Column %(number)d") % {"number": number + 1}
            for number in range(len(cells))
        )
    return Table(text, separator, headings, has_headings)


def looks_like_a_number(cell: str) -> bool:
    """Whether it could be somebody's telephone number, however it is written."""
    digits = sum(character.isdigit() for character in cell)
    return digits >= 7 and re.fullmatch(r"[-+()/.\s0-9]+", cell) is not None


def _separator_of(text: str) -> str:
    """The one that divides most of the first lines into equally many cells."""
    head = "".join(text[:100_000].splitlines(keepends=True)[:LOOKED_AT])

    def fitness(separator: str) -> tuple[int, int]:
        widths: list[int] = []
        with suppress(Unreadable):  # what was read before tells enough
            for _line, cells in _read(head, separator):
                widths.append(len(cells))
        usual = max(widths, key=widths.count, default=1)
        return (widths.count(usual) if usual > 1 else 0, usual)

    return max(SEPARATORS, key=fitness)


def _read(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:  # a cell of more than 128 kB
            raise Unreadable(unclosed(line)) from None
        if any(cell.count("\n") > MOST_LINES_OF_A_CELL for cell in cells):
            raise Unreadable(unclosed(line))
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield line, cells
        line = reader.line_num + 1


def unclosed(line: int) -> str:
    return _("In line %(line)d a quotation mark is opened and never closed.") % {
        "line": line
    }
