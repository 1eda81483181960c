"""Somebody watches a call and takes part in it, while Redis is away for a time."""

import signal

import pytest
from playwright.sync_api import expect

from tests.browser.recording import picture
from tests.browser.soundness import said, watch
from tests.flow.steps import log_in
from tests.flow.tenant import GREETING, Business

pytestmark = pytest.mark.flow

SOON_S = 60
SOON_MS = SOON_S * 1000
CALLER_AS_SHOWN = "+1 628-555-0142"
QUESTION = "Where is my order?"
REPLY = "Let me have a look."
GOODBYE = "Thank you for calling."
SCRIPT = [{"say": QUESTION}, {"wait_for": "agent_done"}, {"silence_s": 1000}]
WORDS = "Your words"


def test_somebody_takes_part_in_a_call_while_redis_is_away(
    visit, talking_stack, carrier, model
):
    business = Business(talking_stack, carrier)
    business.put_agent(end_call_message=GOODBYE, silence_timeout_s=300)
    model.plan(mode="script", replies=(REPLY,))
    page = watch(visit(talking_stack))
    log_in(page, business.email)
    streams = note_streams(page)

    page.goto("/live")
    sid = carrier.ring(business.number, SCRIPT)
    page.get_by_role("link", name=CALLER_AS_SHOWN).click(timeout=SOON_MS)
    transcript = page.get_by_label("Transcript", exact=True)
    expect(transcript).to_contain_text(REPLY, timeout=SOON_MS)

    take_part(page, "Say", "I have found it.")
    expect(transcript).to_contain_text("words of Ada", timeout=SOON_MS)
    expect(page.locator("#outcomes")).to_contain_text("Done", timeout=SOON_MS)
    take_part(page, "Tell only the agent", "Offer to send it again.")
    expect(transcript).to_contain_text("unheard by the caller", timeout=SOON_MS)
    picture(page, "live-1-takes-part")

    talking_stack.kill("broker", signal.SIGSTOP)
    try:
        take_part(page, "Say", "It is on its way.")
        expect(transcript).to_contain_text("It is on its way.", timeout=SOON_MS)
        expect(page.locator("#outcomes")).not_to_contain_text("Not done")
    finally:
        talking_stack.kill("broker", signal.SIGCONT)

    page.get_by_text("Hand over or end").click()
    page.get_by_role("button", name="Say goodbye and end").click()
    main = page.get_by_role("main")
    expect(main).to_contain_text("It was ended here", timeout=SOON_MS)
    expect(page.locator("#take-part")).to_have_count(0, timeout=SOON_MS)
    picture(page, "live-2-ended")

    heard = carrier.heard(sid)
    assert carrier.wait_for_end(sid)["status"] == "completed"
    assert "Offer to send it again." not in heard
    assert heard.endswith(f"I have found it.It is on its way.{GOODBYE}")
    assert business.transcript(sid, 7) == [
        ("agent", GREETING),
        ("caller", QUESTION),
        ("agent", REPLY),
        ("agent", "I have found it."),
        ("instruction", "Offer to send it again."),
        ("agent", "It is on its way."),
        ("agent", GOODBYE),
    ]
    assert business.settled(sid)["end_reason"] == "hung_up_here"
    statuses = {wish["status"] for wish in business.call(sid)["interventions"]}
    assert statuses == {"done"}
    assert "/live/stream" in streams
    assert said(page) == []


def note_streams(page):
    found = []
    page.on("response", lambda r: found.append(r.url) if r.status == 200 else None)

    class Paths:
        def __contains__(self, path):
            return any(url.endswith(path) for url in found)

    return Paths()


def take_part(page, button, words):
    page.get_by_label(WORDS).fill(words)
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_label(WORDS)).to_have_value("", timeout=SOON_MS)


def test_page_polls_where_no_stream_can_be_had(visit, talking_stack, carrier, model):
    business = Business(talking_stack, carrier)
    business.put_agent(silence_timeout_s=300)
    model.plan(mode="script", replies=(REPLY,))
    page = visit(talking_stack)
    page.route("**/live/stream", lambda route: route.abort())
    log_in(page, business.email)

    page.goto("/live")
    sid = carrier.ring(business.number, SCRIPT)

    expect(page.get_by_role("link", name=CALLER_AS_SHOWN)).to_be_visible(
        timeout=SOON_MS
    )
    business.ask("POST", f"/api/calls/{sid}/hangup")
    expect(page.get_by_text("No calls in progress")).to_be_visible(timeout=SOON_MS)
