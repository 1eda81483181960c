"""Lists as people export them: encodings, separators, headings, line numbers."""

import pytest

from telephony.tables import Unreadable, decode, table_of

TEXT = "Phone;Name\r\n+493012345678;Jürgen Müller\r\n"


def read(data):
    table = table_of(decode(data))
    return table.headings, list(table.rows())


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "latin-1", "utf-16", "utf-16-le"]
)
def test_table_is_read_in_every_usual_encoding(encoding):
    assert read(TEXT.encode(encoding)) == (
        ("Phone", "Name"),
        [(2, ["+493012345678", "Jürgen Müller"])],
    )


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_table_finds_its_separator(separator):
    lines = [["to", "note"], ["+12025550100", "a, b; c"], ["+12025550101", "d"]]
    quoted = "\n".join(separator.join(f'"{cell}"' for cell in row) for row in lines)

    assert read(quoted.encode())[1] == [(2, lines[1]), (3, lines[2])]


def test_lines_are_counted_as_an_editor_does():
    text = 'to,note\n\n+12025550100,"two\nlines"\n,\n+12025550101,x\n'

    assert [line for line, _cells in read(text.encode())[1]] == [3, 6]


def test_first_row_with_a_number_is_no_heading():
    headings, rows = read(b"+1 (202) 555-0100,Ada\n+12025550101,Bob\n")

    assert headings == ("Column 1", "Column 2")
    assert [line for line, _cells in rows] == [1, 2]


def test_hint_for_excel_is_followed():
    assert read(b"sep=;\nto;name\n+12025550100;Ada\n")[1] == [
        (3, ["+12025550100", "Ada"])
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04 a workbook", "workbook"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "no text"),
        (b"", "nothing"),
        (b" \n\n , \n", "nothing"),
        (b",".join([b"a"] * 101), "more than 100 columns"),
    ],
)
def test_what_is_no_table_is_refused_with_its_reason(data, words):
    with pytest.raises(Unreadable, match=words):
        table_of(decode(data))


def test_quotation_mark_that_is_never_closed_is_told_with_its_line():
    text = "to,name\n+12025550100,Ada\n" + '+12025550101,"Bob\n' + "x,y\n" * 100

    with pytest.raises(Unreadable, match="line 3"):
        list(table_of(text).rows())
