import time

from hypothesis import given
from hypothesis import strategies as st

from agents.diff import Line, Skipped, Words, compare

TEXTS = st.lists(
    st.sampled_from(["We open at nine.", "We open at ten.", "", "Bye.", "a b c"]),
    max_size=12,
).map("\n".join)


def shown(diff):
    """The rows as a reader has them: sign, numbers, text with [changed] words."""
    signs = {"same": " ", "removed": "-", "added": "+"}
    return [
        f"… {row.count}"
        if isinstance(row, Skipped)
        else signs[row.kind]
        + "".join(f"[{w.text}]" if w.is_changed else w.text for w in row.words)
        for row in diff.rows
    ]


def test_compare_marks_the_words_that_differ():
    diff = compare("Be kind.\nWe open at nine.", "Be kind.\nWe open at half past ten.")

    assert diff.rows == (
        Line("same", 1, 1, (Words("Be kind."),)),
        Line(
            "removed", 2, None, (Words("We open at "), Words("nine", True), Words("."))
        ),
        Line(
            "added",
            None,
            2,
            (Words("We open at "), Words("half past ten", True), Words(".")),
        ),
    )
    assert (diff.removed, diff.added) == (1, 1)


def test_compare_of_lines_with_little_in_common_marks_no_words():
    assert shown(compare("We open at nine.", "Call the doctor!")) == [
        "-We open at nine.",
        "+Call the doctor!",
    ]


def test_compare_shows_the_neighbours_and_counts_the_rest():
    lines = [f"Line {number}." for number in range(1, 10)]
    changed = [*lines[:4], "Line five.", *lines[5:]]

    assert shown(compare("\n".join(lines), "\n".join(changed))) == [
        "… 2",
        " Line 3.",
        " Line 4.",
        "-Line [5].",
        "+Line [five].",
        " Line 6.",
        " Line 7.",
        "… 2",
    ]


def test_compare_tells_added_and_removed_lines():
    assert shown(compare("One.\nTwo.", "One.\nNew.\nTwo.")) == [
        " One.",
        "+New.",
        " Two.",
    ]
    assert shown(compare("One.\nTwo.", "Two.")) == ["-One.", " Two."]


def test_compare_of_equal_texts_shows_no_change():
    assert shown(compare("One.\nTwo.", "One.\nTwo.")) == ["… 2"]
    assert shown(compare("", "")) == []


@given(TEXTS, TEXTS)
def test_compare_loses_no_line_of_either_text(old, new):
    lines = [row for row in compare(old, new).rows if isinstance(row, Line)]
    whole = {
        kind: {
            (row.old_number or row.new_number): "".join(w.text for w in row.words)
            for row in lines
            if row.kind == kind
        }
        for kind in ("removed", "added")
    }

    before, after = old.splitlines(), new.splitlines()
    assert all(before[number - 1] == text for number, text in whole["removed"].items())
    assert all(after[number - 1] == text for number, text in whole["added"].items())
    kept_old = [t for n, t in enumerate(before, 1) if n not in whole["removed"]]
    kept_new = [t for n, t in enumerate(after, 1) if n not in whole["added"]]
    assert kept_old == kept_new


def test_compare_of_the_longest_prompts_is_bounded():
    lines = [f"w{number % 97} " * 8 for number in range(1600)]
    started = time.monotonic()

    diff = compare("\n".join(lines), "\n".join(reversed(lines)))

    assert diff.removed > 1000
    assert time.monotonic() - started < 10
