"""CSV that a spreadsheet opens as text: no cell of it is a formula."""

import csv
from collections.abc import Iterable, Iterator

from django.http import StreamingHttpResponse

# OWASP, CSV injection: what a spreadsheet begins a formula with.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Echo:
    """A file that hands each row back instead of keeping it."""

    def write(self, row: str) -> str:
        return row


def defused(cell: object) -> str:
    """The cell as text; what would be a formula gets an apostrophe before it."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL)
    for row in rows:
        yield writer.writerow([defused(cell) for cell in row])


def as_csv(rows: Iterable[Iterable[object]], name: str) -> StreamingHttpResponse:
    """Send the rows, as they are found, as the file `name`."""
    response = StreamingHttpResponse(
        lines(rows), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
