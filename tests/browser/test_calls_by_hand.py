"""The pages on which a person telephones: the simulator's own, and the agent's test."""

import httpx
import pytest
from playwright.sync_api import expect

from agents.models import VoiceAgent
from tests.browser.conftest import THEMES, WIDTHS
from tests.browser.recording import picture
from tests.browser.soundness import problems

pytestmark = pytest.mark.browser

LOOKS = [(width, theme) for width in WIDTHS for theme in THEMES]


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_pages_of_a_simulated_account_and_its_call_are_sound(visitor, width, theme):
    page = visitor(width=width, theme=theme)
    page.goto("/simulator")
    page.get_by_role("button", name="Create a test account").click()
    expect(page.get_by_role("heading", name="Test account")).to_be_visible()
    of_the_account = problems(page)
    picture(page, f"simulator-account-{width}-{theme}")

    page.get_by_role("button", name="Call this number").first.click()

    # The number has no webhook: the call fails at once, and its page says so.
    expect(page.get_by_role("log")).to_contain_text("The call has ended")
    picture(page, f"simulator-call-{width}-{theme}")
    assert of_the_account == []
    assert problems(page) == []


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_page_of_a_test_call_is_sound(visitor, world, width, theme):
    agent, _ = VoiceAgent.unscoped.get_or_create(
        owner=world.builder.workspace,
        name="Called by hand",
        defaults={
            "greeting": "Hello, this is Harbour Dental.",
            "instructions": "Help.",
            # It does not hang up on a page that is looked at for long.
            "silence_reminder_s": 300,
            "silence_timeout_s": 600,
        },
    )
    page = visitor("builder", width=width, theme=theme)
    page.goto(f"/voice-agents/{agent.pk}/test")
    page.get_by_role("button", name="Start a test call").click()
    expect(page.get_by_role("log")).to_contain_text("this is Harbour Dental")
    during_the_call = problems(page)
    picture(page, f"test-call-{width}-{theme}")

    page.get_by_role("button", name="Hang up").click()

    expect(page.get_by_role("link", name="See the call")).to_be_visible()
    assert during_the_call == []
    assert problems(page) == []


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_telephone_in_a_page_rings_and_is_picked_up(
    visitor, carrier_process, width, theme
):
    page = visitor(width=width, theme=theme)
    page.goto("/simulator")
    page.get_by_role("button", name="Get a telephone").click()
    expect(page.get_by_role("heading", name="Waiting for a call")).to_be_visible()
    while_waiting = problems(page)
    picture(page, f"simulator-phone-{width}-{theme}")
    number = page.locator("strong").inner_text()

    login = carrier_process.open_account(count=1)
    asked = httpx.post(
        f"{carrier_process.url}/2010-04-01/Accounts/{login.sid}/Calls.json",
        auth=(login.sid, login.auth_token),
        data={
            "To": number,
            "From": login.numbers[0],
            "Twiml": "<Response><Say>Hello, your dentist.</Say><Pause/></Response>",
        },
        timeout=30,
    )
    assert asked.status_code == 201, asked.text
    pick_up = page.get_by_role("button", name="Pick up")
    expect(pick_up).to_be_focused()
    while_ringing = problems(page)
    picture(page, f"simulator-phone-rings-{width}-{theme}")
    page.keyboard.press("Enter")

    expect(page.get_by_role("log")).to_contain_text("Hello, your dentist.")
    expect(pick_up).to_be_hidden()
    assert while_waiting == []
    assert while_ringing == []
