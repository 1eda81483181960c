"""What stands in documents, read: by tables, and by whatever hypothesis thinks of."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from bson import Decimal128, ObjectId
from bson.datetime_ms import DatetimeMS
from hypothesis import given, settings
from hypothesis import strategies as st

from importing import values
from importing.values import Refused

NINE = datetime(2025, 3, 1, 9, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "told",
    [
        NINE,
        "2025-03-01T09:00:00Z",
        "2025-03-01T10:00:00+01:00",
        "2025-03-01 10:00",
        1_740_819_600,
        1_740_819_600_000,
        1_740_819_600.0,
    ],
)
def test_moment_is_in_utc_however_it_is_told(told):
    assert values.moment(told, BERLIN) == NINE


@pytest.mark.parametrize(
    "told",
    [
        *("", "soon", "2025-13-01", True, None, [], {}, -1, 10**30, float("nan")),
        *(float("inf"), DatetimeMS(2**60), datetime(1, 1, 1), datetime(9999, 1, 1)),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_moment_that_cannot_be_is_refused(told):
    with pytest.raises(Refused):
        values.moment(told, BERLIN)


@pytest.mark.parametrize(
    ("read", "told", "expected"),
    [
        (values.amount, "-0.0085", Decimal("0.008500")),
        (values.amount, Decimal128("1.5"), Decimal("1.500000")),
        (values.seconds, "61.9", 61),
        (values.word, " No_Answer ", "no-answer"),
        (values.word, True, "true"),
        (values.boolean, "False", False),
        (values.boolean, 1, True),
        (values.texts, "bye, ciao,", ["bye", "ciao"]),
        (values.source_id, ObjectId(b"123456789012"), "313233343536373839303132"),
        (values.source_id, 0, "0"),
        (values.variables, {"age": 7}, {"age": "7"}),
        (
            values.plain,
            {"at": NINE, "nan": float("nan")},
            {"at": str(NINE), "nan": None},
        ),
    ],
)
def test_value_is_read(read, told, expected):
    assert read(told) == expected


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (values.text, "a\0b"),
        (values.text, "broken \udcff bytes"),
        (values.text, ["list"]),
        (values.boolean, "perhaps"),
        (values.whole, -1),
        (values.whole, 1.5),
        (values.whole, True),
        (values.decimal, "NaN"),
        (values.decimal, "1e400"),
        (values.decimal, Decimal128("Infinity")),
        (values.source_id, ""),
        (values.source_id, {"$oid": "x"}),
        (values.source_id, "x" * 201),
        (values.variables, {"a": {"b": 1}}),
        (values.texts, 7),
    ],
)
def test_value_that_cannot_be_is_refused(read, told):
    with pytest.raises(Refused):
        read(told)


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.builds(ObjectId),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
READERS = (
    *(values.text, values.line, values.word, values.boolean, values.whole),
    *(values.seconds, values.real, values.amount, values.texts, values.variables),
    *(values.plain, values.source_id, values.listed, values.mapping),
    *(lambda told: values.moment(told, BERLIN), lambda told: values.number(told, "")),
    lambda told: values.party(told, "US"),
)


@settings(max_examples=50, deadline=None)
@given(ANYTHING)
def test_nothing_but_a_refusal_ever_comes_of_a_bad_value(told):
    for read in READERS:
        try:
            read(told)
        except Refused as refused:
            assert str(refused)
