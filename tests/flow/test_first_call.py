"""From signing up to reading transcripts, through real processes and a real browser."""

import pytest
from playwright.sync_api import expect

from agents.demo import DISCLOSURE
from tests.browser.recording import picture
from tests.browser.soundness import problems, said, watch
from tests.flow.carrier import Carrier
from tests.flow.steps import (
    activate,
    be_patient,
    choose_transport,
    connect_account,
    create_agent,
    log_in,
    open_test_account,
    read_transcript,
    register_number,
    sign_up,
    words_of,
    write_prompt,
)
from tests.flow.tenant import GREETING, Business

pytestmark = [pytest.mark.flow, pytest.mark.browser]

SHOWN_WITHIN_MS = 30_000
CALLER_AS_SHOWN = "+1 628-555-0142"
QUESTIONS = [
    "Hello, do you have anything on Thursday?",
    "What does a check-up cost?",
    "Where are you exactly?",
    "Stop, I know the place.",
    "Yes please, my name is Ada.",
    "Thank you, that is all.",
]
REPLIES = [
    "Yes, on Thursday there is two o'clock and half past four.",
    "A check-up is sixty euros, and most insurers pay for it.",
    "We are at the harbour, next to the old lighthouse, and you can park behind it.",
    "Good. Shall I book half past four for you?",
    "Booked, Ada. Thursday at half past four.",
    "You are welcome. See you on Thursday!",
]
LINES = 1 + 2 * len(QUESTIONS)  # of either call's transcript
STREAMED = [
    {"say": QUESTIONS[0]},
    {"say": QUESTIONS[1]},
    {"wait_for": "agent_done"},
    {"silence_s": 40},  # long enough for somebody to look at the live page
    {"say": QUESTIONS[2]},
    {"interrupt": QUESTIONS[3], "after_chars": 24},
    {"say": QUESTIONS[4]},
    {"say": QUESTIONS[5]},
    {"wait_for": "agent_done"},
    {"hang_up": True},
]
TURN_BY_TURN = [
    *({"say": question} for question in QUESTIONS),
    {"wait_for": "agent_done"},
    {"hang_up": True},
]


def test_first_calls_from_signing_up_to_transcripts(
    visit, talking_stack, carrier, model
):
    page = watch(visit(talking_stack))
    number = set_up_by_hand(page)
    agent_page = page.url

    model.plan(mode="script", replies=REPLIES, tokens_per_second=40)
    page.goto("/live")  # before it rings: the call is not listed for long
    sid = carrier.ring(number, STREAMED)
    see_it_live(page)
    told = carrier.wait_for_end(sid)
    see_the_streamed_call(page, heard_before_the_interruption(told))

    page.goto(agent_page)
    choose_transport(page, "Turn by turn: works on every account")
    model.plan(mode="script", replies=REPLIES)
    sid = carrier.ring(number, TURN_BY_TURN)
    carrier.wait_for_end(sid)
    see_the_call_by_turns(page)

    see_the_complete_dashboard(page)
    assert said(page) == []


def set_up_by_hand(page):
    """Everything before the first call; ends on the page of the active agent."""
    sign_up(page, "ada@example.com")
    expect(page.get_by_text("0 of 5 done")).to_be_visible()
    picture(page, "flow-1-signed-up")
    account = open_test_account(page)
    picture(page, "flow-2-test-account")
    connect_account(page, account)
    register_number(page, account.numbers[0])
    picture(page, "flow-3-number")
    write_prompt(page, "Receptionist", "You are the receptionist of Harbour Dental.")
    create_agent(page, "Front desk", prompt="Receptionist", greeting=GREETING)
    activate(page)
    be_patient(page)
    picture(page, "flow-4-active-agent")
    return account.numbers[0]


def see_it_live(page):
    """The list of live calls, then the call itself, both without a reload."""
    row = page.get_by_role("row").filter(has_text=CALLER_AS_SHOWN)
    expect(row).to_contain_text("In progress", timeout=SHOWN_WITHIN_MS)
    expect(row).to_contain_text("Front desk")
    picture(page, "flow-5-live")
    row.get_by_role("link", name=CALLER_AS_SHOWN).click()
    transcript = page.get_by_label("Transcript", exact=True)
    expect(transcript).to_contain_text(QUESTIONS[0], timeout=SHOWN_WITHIN_MS)
    expect(transcript).to_contain_text(QUESTIONS[2], timeout=SHOWN_WITHIN_MS)
    picture(page, "flow-6-call-live")


def heard_before_the_interruption(told):
    cleared = [e["heard"] for e in told["events"] if e["type"] == "agent_cleared"]
    assert len(cleared) == 1
    assert REPLIES[2].startswith(cleared[0]) and cleared[0] != REPLIES[2]
    return cleared[0]


def see_the_streamed_call(page, heard):
    """On the call's page, which has followed the call to its end by itself."""
    main = page.get_by_role("main")
    expect(main).to_contain_text("The other party hung up", timeout=SHOWN_WITHIN_MS)
    transcript = read_transcript(page, LINES)
    picture(page, "flow-7-call-ended")

    replies = [*REPLIES[:2], heard.strip(), *REPLIES[3:]]
    assert words_of(transcript) == conversation(replies)
    assert [line.text for line in transcript if line.is_interrupted] == [heard.strip()]
    assert_reply_times(transcript)
    expect(main).to_contain_text("Completed")
    expect(main).to_contain_text("Streaming")
    assert problems(page) == []


def see_the_call_by_turns(page):
    """Found in the list of calls: the newest one."""
    page.goto("/calls")
    page.get_by_role("link", name=CALLER_AS_SHOWN).first.click()
    main = page.get_by_role("main")
    expect(main).to_contain_text("The other party hung up", timeout=SHOWN_WITHIN_MS)
    transcript = read_transcript(page, LINES)
    picture(page, "flow-8-call-by-turns")

    assert words_of(transcript) == conversation(REPLIES)
    assert [line for line in transcript if line.is_interrupted] == []
    assert_reply_times(transcript)
    expect(main).to_contain_text("Turn by turn")


def conversation(replies):
    turns = [("Agent", GREETING)]
    for question, reply in zip(QUESTIONS, replies, strict=True):
        turns += [("Caller", question), ("Agent", reply)]
    return turns


def assert_reply_times(transcript):
    """Shown beside every reply: not at the greeting, not at the caller's words."""
    timed = [line.reply_ms is not None for line in transcript]
    assert timed == [False, *[False, True] * len(QUESTIONS)]


def see_the_complete_dashboard(page):
    """Only talking in the browser is left to do; then the checklist is gone."""
    page.goto("/")
    expect(page.get_by_text("4 of 5 done")).to_be_visible()
    page.get_by_role("link", name="Talk to it in the browser").click()
    page.get_by_role("button", name="Start a test call").click()
    expect(page.get_by_role("log")).to_contain_text(GREETING)
    page.get_by_role("button", name="Hang up").click()
    expect(page.get_by_role("link", name="See the call")).to_be_visible()
    page.goto("/")
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    expect(page.get_by_text("Get your first agent live")).to_have_count(0)
    expect(page.get_by_role("main")).to_contain_text("2 calls")
    picture(page, "flow-9-dashboard")


def test_agent_is_tested_in_the_browser(visit, talking_stack, carrier, model):
    long_reply = "We have two rooms, four chairs, and a very long story. " * 20
    model.plan(
        mode="script",
        replies=[REPLIES[0], long_reply.strip(), REPLIES[3], REPLIES[4]],
        tokens_per_second=40,
    )
    business = Business(talking_stack, carrier)
    agent_id = business.put_agent()
    page = watch(visit(talking_stack))
    log_in(page, business.email)
    page.goto(f"/voice-agents/{agent_id}")
    page.get_by_role("link", name="Test", exact=True).click()
    page.get_by_role("button", name="Start a test call").click()
    log, words = page.get_by_role("log"), page.get_by_label("Say as the caller")
    expect(log).to_contain_text(GREETING)
    assert problems(page) == []

    words.fill(QUESTIONS[0])
    words.press("Enter")
    expect(log).to_contain_text(REPLIES[0])
    words.fill("Tell me about the rooms.")
    words.press("Enter")
    expect(log).to_contain_text("We have two rooms")
    words.fill(QUESTIONS[3])
    page.get_by_role("button", name="Interrupt").click()
    expect(log).to_contain_text("interrupted here")
    expect(log).to_contain_text(REPLIES[3])
    page.get_by_text("Keypad").click()
    page.get_by_role("button", name="5", exact=True).click()
    expect(log).to_contain_text(REPLIES[4])
    picture(page, "test-call")
    page.get_by_role("button", name="Hang up").click()
    page.get_by_role("link", name="See the call").click()

    expect(page.get_by_role("main")).to_contain_text(
        "The other party hung up", timeout=SHOWN_WITHIN_MS
    )
    expect(page.get_by_role("main")).to_contain_text("Test call")
    transcript = read_transcript(page, 9)
    picture(page, "test-call-ended")
    assert [line.speaker for line in transcript] == ["Agent", *["Caller", "Agent"] * 4]
    assert transcript[2].text == REPLIES[0]
    assert transcript[4].is_interrupted
    assert long_reply.startswith(transcript[4].text)
    assert transcript[5].text == QUESTIONS[3]
    assert "5" in transcript[7].text
    assert said(page) == []


def test_demo_responder_says_what_it_is(visit, stack):
    carrier = Carrier(stack)
    business = Business(stack, carrier)
    business.put_agent(
        instructions="You are a receptionist.\nWe are open from nine to five.",
        greeting="Harbour Dental.",
    )
    script = [
        {"say": "When are you open?"},
        {"wait_for": "agent_done"},
        {"hang_up": True},
    ]

    sid = carrier.ring(business.number, script)

    carrier.wait_for_end(sid)
    business.settled(sid)
    page = watch(visit(stack))
    log_in(page, business.email)
    page.goto(f"/calls/by-sid/{sid}")
    expect(page.get_by_role("main")).to_contain_text("Demo responder")
    words = words_of(read_transcript(page, 3))
    assert words[:2] == [("Agent", "Harbour Dental."), ("Caller", "When are you open?")]
    assert DISCLOSURE in words[2][1]
    assert "from nine to five" in words[2][1]
    assert said(page) == []
