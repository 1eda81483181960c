"""The judge of the chaos test sees each thing that it is there for."""

import pytest

from tests.chaos.verdict import broken_promises

TO = "+12025550142"
ROW = {
    "pk": "row",
    "to_number": TO,
    "status": "completed",
    "detail": "The other party hung up",
    "attempts_made": 1,
    "lease_token": None,
}
CALL = {
    "pk": "call",
    "scheduled_call": "row",
    "to_number": TO,
    "attempt": 1,
    "placement": "placed",
    "sid": "CA1",
    "status": "completed",
    "ended_at": "2026-11-26",
    "end_reason": "caller_hung_up",
    "asked_at": "2026-11-26",
}
RUNG = {"sid": "CA1", "to": TO, "status": "completed", "place": 0}
SECOND = {**CALL, "pk": "second", "attempt": 2, "sid": "CA2"}
RUNG_AGAIN = {**RUNG, "sid": "CA2", "place": 1}
LOST = {**CALL, "placement": "unknown", "sid": None, "ended_at": None, "end_reason": ""}


def test_call_that_rang_and_ended_keeps_every_promise():
    assert broken_promises([ROW], [CALL], [RUNG]) == []


def test_busy_line_may_ring_again():
    busy = {**RUNG, "status": "busy"}

    assert broken_promises([ROW], [CALL, SECOND], [busy, RUNG_AGAIN]) == []


def test_call_that_never_rang_may_be_unknown():
    assert broken_promises([{**ROW, "status": "unknown"}], [LOST], []) == []


@pytest.mark.parametrize(
    "row, calls, book, words",
    [
        ({}, [CALL], [RUNG, RUNG_AGAIN], "it rang 2 times in 1 attempts"),
        ({}, [CALL], [RUNG, RUNG_AGAIN], "call CA2 to +12025550142 is nobody's"),
        ({}, [CALL, SECOND], [RUNG, RUNG_AGAIN], "after a call that was completed"),
        ({"status": "unknown"}, [LOST], [RUNG, RUNG_AGAIN], "2 times in 1 attempts"),
        ({"status": "failed"}, [], [], "nobody tried"),
        ({"status": "failed"}, [{**CALL, "sid": None}], [], "it never rang"),
        ({"status": "dialing"}, [CALL], [RUNG], "it has not ended"),
        ({"lease_token": "x"}, [CALL], [RUNG], "somebody still holds it"),
        ({"detail": ""}, [CALL], [RUNG], "it does not say why it ended"),
        ({}, [{**CALL, "end_reason": ""}], [RUNG], "no end or no reason"),
        ({}, [CALL], [{**RUNG, "status": "ringing"}], "it is still ringing"),
        ({}, [CALL, {**SECOND, "sid": "CA1"}], [RUNG], "two attempts are one call"),
    ],
)
def test_broken_promise_is_seen(row, calls, book, words):
    found = broken_promises([ROW | row], calls, book)

    assert any(words in sentence for sentence in found), found
