"""The pages are HTML: with JavaScript switched off they do the same, page by page."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.logins import log_in

pytestmark = pytest.mark.browser


@pytest.fixture
def plain(visitor):
    """Opens a page without scripts: `plain("alice")`."""
    return lambda who="": visitor(who, java_script_enabled=False)


def test_log_in_without_scripts(plain, world):
    page = plain()

    log_in(page, world, "newcomer")

    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def test_second_factor_is_asked_for_without_scripts(plain, world):
    page = plain()

    log_in(page, world, "careful")

    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def test_filter_without_scripts(plain):
    page = plain("alice")
    page.goto("/calls")

    page.get_by_label("Real or test").select_option("test")
    page.get_by_role("button", name="Filter").click()

    expect(page).to_have_url(re.compile("kind=test"))
    expect(page.get_by_label("Real or test")).to_have_value("test")
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(2)


def test_prompt_and_agent_are_made_without_scripts(plain):
    page = plain("builder")
    page.goto("/prompts/new")
    page.get_by_label("Name").fill("Without scripts")
    page.get_by_label("Text").fill("You are {{ role }}.")
    page.get_by_role("main").locator("button[type=submit]").first.click()
    expect(page.get_by_role("heading", name="Without scripts")).to_be_visible()

    page.goto("/voice-agents/new")
    page.get_by_label("Name", exact=True).fill("Plain agent")
    page.get_by_label("Prompt").select_option(label="Without scripts")
    page.get_by_role("button", name="Create voice agent").click()

    expect(page.get_by_role("heading", name="Plain agent")).to_be_visible()
    expect(page.get_by_label("role")).to_be_visible()


def test_refused_form_comes_back_without_scripts(plain):
    page = plain("builder")
    page.goto("/voice-agents/new")
    page.get_by_label("Name", exact=True).fill("Nameless")

    page.get_by_role("button", name="Create voice agent").click()

    instructions = page.get_by_label("Instructions")
    expect(instructions).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Nameless")


def test_numbers_of_the_carrier_are_shown_without_scripts(plain, carrier_process):
    account = carrier_process.open_account()
    page = plain("builder")
    page.goto("/carrier-accounts/new")
    page.get_by_label("Label").fill("Main")
    page.get_by_label("Account SID").fill(account.sid)
    page.get_by_label("Auth token").fill(account.auth_token)
    page.get_by_role("button", name="Connect").click()
    page.get_by_role("link", name="Add a number").first.click()
    page.get_by_role("link", name="Ask the carrier for its numbers").click()

    page.get_by_label("Number", exact=True).select_option(account.numbers[0])
    page.get_by_role("button", name="Add the number").click()

    expect(page.get_by_text("Calls to this number now come here.")).to_be_visible()
