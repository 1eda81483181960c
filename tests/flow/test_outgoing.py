"""Calls that go out, through every process: placed once, also when one is killed."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.flow.carrier import Carrier
from tests.flow.conftest import BRISK
from tests.flow.tenant import Business
from tests.processes import running_stack, wait_until

pytestmark = pytest.mark.flow

SOON_S = 120  # on a machine that does much besides
# So far ahead that it is not over before a web process that stalls has read it.
AHEAD = timedelta(seconds=10)
CALLEE, BUSY = "+16285550142", "+16285550486"
# On the callee's clock, whatever it shows: all day.
ALWAYS = {"window_start": "00:00", "window_end": "00:00"}


@pytest.fixture(scope="module")
def stack(model, tmp_path_factory):
    """One whose worker is killed, and comes back."""
    environment = {**BRISK, **model.environment}
    var_dir = tmp_path_factory.mktemp("outgoing") / "var"
    with running_stack(var_dir, environment) as stack:
        yield stack


@pytest.fixture
def carrier(stack):
    return Carrier(stack)


@pytest.fixture
def business(stack, carrier, model):
    model.plan(mode="script", replies=["Good, see you on Thursday."])
    return Business(stack, carrier)


def schedule(business, to, **more):
    agent_id = business.put_agent(direction="outgoing", **ALWAYS)
    soon = datetime.now(UTC) + AHEAD
    body = {"agent_id": agent_id, "to": to, "scheduled_for": soon.isoformat(), **more}
    return business.ask("POST", "/api/scheduled-calls", body)["id"]


def state(business, row_id):
    return business.ask("GET", f"/api/scheduled-calls/{row_id}")


def wait_for(business, row_id, status):
    def has_come():
        return state(business, row_id)["status"] == status

    wait_until(has_come, SOON_S, f"the scheduled call is {status}")
    return state(business, row_id)


def test_scheduled_call_is_dialled_talked_through_and_told(business, carrier):
    row_id = schedule(business, CALLEE)

    told = wait_for(business, row_id, "completed")

    (attempt,) = told["attempts"]
    assert attempt["placement"] == "placed"
    assert len(carrier.calls_to(business.account, CALLEE)) == 1
    assert business.words(attempt["sid"])[0][0] == "agent"


def test_busy_line_is_tried_again_later(business, carrier):
    row_id = schedule(business, BUSY, retry_delay_s=3600)

    wait_until(
        lambda: state(business, row_id)["attempts_made"] == 1, SOON_S, "it was dialled"
    )
    told = wait_for(business, row_id, "pending")

    due = datetime.fromisoformat(told["next_attempt_at"])
    assert due > datetime.now(UTC) + timedelta(minutes=50)
    assert len(carrier.calls_to(business.account, BUSY)) == 1


def test_worker_killed_while_the_carrier_answers_rings_once(stack, business, carrier):
    carrier.fail(business.account, kind="answer-late", delay_s=8, method="POST")
    row_id = schedule(business, CALLEE)
    wait_until(
        lambda: carrier.calls_to(business.account, CALLEE), SOON_S, "the carrier dials"
    )

    old = stack.kill("worker")

    wait_until(
        lambda: stack.pid("worker") not in {None, old}, SOON_S, "another worker runs"
    )
    told = wait_for(business, row_id, "completed")
    assert [attempt["placement"] for attempt in told["attempts"]] == ["placed"]
    assert len(carrier.calls_to(business.account, CALLEE)) == 1
