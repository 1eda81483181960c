"""What was promised, held against the carrier's book; pure, so that it can be tested.

`rows` and `calls` are ours (`tests.chaos.world`), `book` is the carrier's list.
"""

from collections import defaultdict
from collections.abc import Iterator

# A scheduled call that has come to its end; all of them say how.
OVER = {
    *("completed", "no-answer", "busy", "failed"),
    *("canceled", "blocked", "expired", "unknown"),
}
# After these nobody was talked to, and another attempt may be made.
NOBODY_REACHED = {"busy", "no-answer", "failed", "canceled"}
CARRIERS_OVER = {"completed", *NOBODY_REACHED}


def broken_promises(rows: list[dict], calls: list[dict], book: list[dict]) -> list[str]:
    """Each broken promise as a sentence; none: everything is as it should be."""
    of_row, rung = defaultdict(list), defaultdict(list)
    for call in sorted(calls, key=lambda call: call["attempt"]):
        of_row[call["scheduled_call"]].append(call)
    for entry in book:
        rung[entry["to"]].append(entry)
    found = list(_strangers(calls, book))
    for row in rows:
        about = f"row {row['pk']} to {row['to_number']} ({row['status']})"
        attempts, entries = of_row[row["pk"]], rung[row["to_number"]]
        for words in (
            *_unfinished(row, attempts),
            *_rung_twice(attempts, entries),
            *_forgotten(row, attempts, entries),
        ):
            found.append(f"{about}: {words}")
    return found


def _unfinished(row: dict, attempts: list[dict]) -> Iterator[str]:
    if row["status"] not in OVER:
        yield f"it has not ended: {row['detail']}"
    if row["lease_token"]:
        yield "somebody still holds it"
    if not row["detail"]:
        yield "it does not say why it ended"
    for call in attempts:
        if call["placement"] == "unknown":
            continue
        if not (call["ended_at"] and call["end_reason"]):
            yield f"attempt {call['attempt']} has no end or no reason for it"


def _rung_twice(attempts: list[dict], entries: list[dict]) -> Iterator[str]:
    asked = [call for call in attempts if call["asked_at"]]
    if len(entries) > len(asked):
        yield f"it rang {len(entries)} times in {len(asked)} attempts"
    in_order = sorted(entries, key=lambda entry: entry["place"])
    for entry in in_order[:-1]:
        if entry["status"] not in NOBODY_REACHED:
            yield f"it rang again after a call that was {entry['status']}"


def _forgotten(row: dict, attempts: list, entries: list) -> Iterator[str]:
    if not attempts:
        yield "nobody tried"
    # Our own dead end is no excuse: it rang, or nobody can know whether it did.
    if not entries and row["status"] != "unknown":
        yield "it never rang"
    for entry in entries:
        if entry["status"] not in CARRIERS_OVER:
            yield f"at the carrier it is still {entry['status']}"


def _strangers(calls: list[dict], book: list[dict]) -> Iterator[str]:
    """Calls of the carrier that are no attempt of ours, or of two."""
    ours = [call["sid"] for call in calls if call["sid"]]
    if len(set(ours)) < len(ours):
        yield "two attempts are one call at the carrier"
    unknown = {call["to_number"] for call in calls if call["placement"] == "unknown"}
    for entry in book:
        if entry["sid"] not in ours and entry["to"] not in unknown:
            yield f"call {entry['sid']} to {entry['to']} is nobody's"
