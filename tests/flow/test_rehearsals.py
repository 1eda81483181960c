"""Tests of an agent, played on the simulator's line by real processes."""

import pytest

from tests.flow.tenant import GREETING, Business
from tests.processes import wait_until

pytestmark = pytest.mark.flow

JUDGED_WITHIN_S = 120
QUESTION, MORE = "Where is my order forty-seven eleven?", "And on which day exactly?"
REPLY = "It was sent on Tuesday, and it arrives on Monday morning before nine o'clock."


def judged(business, run):
    """The run once it is over."""
    path = f"/api/rehearsals/{run['id']}"

    def is_over():
        return business.ask("GET", path)["status"] not in {"waiting", "running"}

    wait_until(is_over, JUDGED_WITHIN_S, "the rehearsal is judged")
    return business.ask("GET", path)


def test_tests_of_an_agent_are_run_and_judged(talking_stack, carrier, model):
    business = Business(talking_stack, carrier)
    agent_id = business.put_agent()
    model.plan(mode="script", replies=[REPLY])
    written = {
        "agent_id": agent_id,
        "turns": [{"say": QUESTION}, {"say": MORE}],
        "expectations": [
            {"kind": "contains", "text": "Monday morning", "turn": 3},
            {"kind": "replies_within_ms", "ms": 60_000},
            {"kind": "ended_by", "reason": "caller_hung_up"},
        ],
    }
    callers = ("interrupter", "hangs_up_mid_word")
    for caller in callers:
        body = {**written, "name": caller, "caller": caller}
        business.ask("POST", "/api/test-scripts", body)

    started = business.ask("POST", f"/api/agents/{agent_id}/rehearse")["results"]
    broken_off, interrupted = (
        judged(business, run)
        for run in sorted(started, key=lambda run: run["script_id"], reverse=True)
    )

    assert (interrupted["status"], interrupted["way"]) == ("passed", "line")
    call = business.call(interrupted["call_id"])
    assert [turn["text"] for turn in call["turns"] if turn["speaker"] == "caller"] == [
        QUESTION,
        "Wait, wait.",
        MORE,
    ]
    assert [turn["interrupted"] for turn in call["turns"]].count(True) == 1
    assert call["is_test"] is True
    assert broken_off["status"] == "failed"
    assert [result["passed"] for result in broken_off["results"]] == [False, True, True]
    assert business.transcript(broken_off["call_id"], 3) == [
        ("agent", GREETING),
        ("caller", QUESTION),
        ("agent", REPLY),
    ]
    assert broken_off["version"] == interrupted["version"] != ""
