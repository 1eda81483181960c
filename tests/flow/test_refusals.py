"""Calls that cannot be answered as planned: words, an end, and the reason."""

import pytest
from playwright.sync_api import expect

from tests.flow.carrier import Carrier
from tests.flow.conftest import BRISK
from tests.flow.steps import log_in
from tests.flow.tenant import GREETING, Business
from tests.processes import running_stack
from voiceops.run.installation import free_port

pytestmark = pytest.mark.flow

APOLOGY = "We are sorry, something went wrong here. Please call again later."
QUESTION = [{"say": "Are you open on Thursday?"}]


@pytest.fixture
def business(talking_stack, carrier):
    return Business(talking_stack, carrier)


@pytest.fixture(scope="module")
def stack_without_model(tmp_path_factory):
    """Its model is at a port where nobody listens."""
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    environment = {**BRISK, "LLM_BASE_URL": nowhere, "LLM_API_KEY": "any"}
    var_dir = tmp_path_factory.mktemp("speechless") / "var"
    with running_stack(var_dir, environment) as stack:
        yield stack


def test_number_without_an_active_agent_says_so(business, carrier):
    sid = carrier.ring(business.number, QUESTION)

    told = carrier.wait_for_end(sid)

    assert told["status"] == "completed"
    assert carrier.heard(sid) == (
        "I am sorry, nobody can take your call at the moment. Goodbye."
    )
    assert business.settled(sid)["end_reason"] == "no_active_agent"


def test_removed_number_says_so(business, carrier):
    business.put_agent()
    pointed_here = carrier.number(business.account, business.number)
    business.ask("DELETE", f"/api/phones/{business.phone_id}")
    carrier.point(business.account, pointed_here)

    sid = carrier.ring(business.number, QUESTION)

    told = carrier.wait_for_end(sid)
    assert told["status"] == "completed"
    assert carrier.heard(sid) == "I am sorry, this number is not in service. Goodbye."
    assert business.settled(sid)["end_reason"] == "number_removed"


@pytest.mark.parametrize("transport", ["stream", "gather"])
def test_model_that_is_down_is_apologised_for(stack_without_model, transport):
    carrier = Carrier(stack_without_model)
    business = Business(stack_without_model, carrier)
    business.put_agent(transport=transport)

    sid = carrier.ring(business.number, QUESTION)

    told = carrier.wait_for_end(sid)
    call = business.settled(sid)
    assert told["status"] == "completed"
    assert carrier.heard(sid).split(GREETING)[1].strip() == APOLOGY
    assert call["end_reason"] == "model_failed"
    assert business.transcript(sid, 2)[:2] == [
        ("agent", GREETING),
        ("caller", "Are you open on Thursday?"),
    ]


@pytest.mark.parametrize("transport", ["stream", "gather"])
def test_model_that_says_nothing_is_apologised_for(business, carrier, model, transport):
    business.put_agent(transport=transport)
    model.plan(faults=["slow"] * 5, stall_s=60)

    sid = carrier.ring(business.number, QUESTION)

    carrier.wait_for_end(sid)
    model.plan()
    assert carrier.heard(sid).endswith(APOLOGY)
    assert business.settled(sid)["end_reason"] == "model_failed"


@pytest.mark.browser
def test_reason_of_a_refused_call_is_on_its_page(
    visit, business, carrier, talking_stack
):
    sid = carrier.ring(business.number, QUESTION)
    carrier.wait_for_end(sid)
    call = business.settled(sid)

    page = visit(talking_stack)
    log_in(page, business.email)
    page.goto(f"/calls/{call['id']}")

    main = page.get_by_role("main")
    expect(main).to_contain_text("No agent was active on this number")
    expect(main).to_contain_text("Activate a voice agent that answers calls")


@pytest.mark.browser
def test_reason_of_a_call_without_a_model_is_on_its_page(visit, stack_without_model):
    carrier = Carrier(stack_without_model)
    business = Business(stack_without_model, carrier)
    business.put_agent()
    sid = carrier.ring(business.number, QUESTION)
    carrier.wait_for_end(sid)
    call = business.settled(sid)

    page = visit(stack_without_model)
    log_in(page, business.email)
    page.goto(f"/calls/{call['id']}")

    main = page.get_by_role("main")
    expect(main).to_contain_text("The language model did not answer")
    expect(main).to_contain_text("Check the model's address, key and name")
