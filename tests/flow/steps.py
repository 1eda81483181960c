"""What a person does in the browser, step by step."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from playwright.sync_api import Locator, Page, expect

from tests.flow.carrier import Account
from tests.password import PASSWORD


def sign_up(page: Page, email: str) -> None:
    page.goto("/account/signup/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def log_in(page: Page, email: str) -> None:
    page.goto("/account/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def open_test_account(page: Page) -> Account:
    """Get an account at the pocket carrier and read what its page shows."""
    page.goto("/simulator")
    page.get_by_role("button", name="Create a test account").click()
    credentials = page.get_by_role("region", name="Credentials").locator("code")
    numbers = page.get_by_role("region", name="Numbers").locator("strong")
    return Account(
        sid=credentials.nth(0).inner_text(),
        auth_token=credentials.nth(1).inner_text(),
        numbers=numbers.all_inner_texts(),
    )


def connect_account(page: Page, account: Account) -> None:
    page.goto("/carrier-accounts")
    page.get_by_role("link", name="Connect an account").click()
    page.get_by_label("Label").fill("Main account")
    page.get_by_label("Account SID").fill(account.sid)
    page.get_by_label("Auth token").fill(account.auth_token)
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("heading", name="Main account")).to_be_visible()


def register_number(page: Page, number: str) -> None:
    """From the account's page on: choose the number and add it."""
    page.get_by_role("link", name="Add a number").first.click()
    page.get_by_label("Number", exact=True).select_option(number)
    page.get_by_label("Label").fill("Front desk")
    page.get_by_role("button", name="Add the number").click()
    expect(page.get_by_text("Calls to this number now come here.")).to_be_visible()


def write_prompt(page: Page, name: str, text: str) -> None:
    page.goto("/prompts/new")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Text").fill(text)
    page.get_by_role("main").locator("button[type=submit]").first.click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def create_agent(
    page: Page, name: str, *, prompt: str, greeting: str, direction: str = ""
) -> None:
    page.goto("/voice-agents/new")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Phone").select_option(index=1)
    if direction:
        page.get_by_label("Direction").select_option(direction)
    page.get_by_label("Greeting", exact=False).first.fill(greeting)
    page.get_by_label("Prompt").select_option(label=prompt)
    page.get_by_role("button", name="Create voice agent").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def create_message_agent(page: Page, name: str, *, prompt: str) -> None:
    page.goto("/message-agents/new")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Phone").select_option(index=1)
    page.get_by_label("Prompt").select_option(label=prompt)
    page.get_by_role("button", name="Create message agent").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def schedule_call(page: Page, number: str) -> None:
    """In half a minute or later: by the only agent that calls."""
    page.goto("/scheduled-calls/new")
    zone = re.search(
        r"Your times are in (\S+)\.", page.get_by_role("main").inner_text()
    )
    at = datetime.now(ZoneInfo(zone[1])) + timedelta(seconds=90)
    page.get_by_label("Number to call").fill(number)
    page.get_by_label("Time", exact=True).fill(f"{at:%Y-%m-%dT%H:%M}")
    page.get_by_role("button", name="Schedule the call").click()
    expect(page.get_by_role("link", name="Change")).to_be_visible()


def start_campaign(page: Page, name: str, file: Path) -> None:
    """A list whose columns are suggested as they are meant."""
    page.goto("/campaigns/new")
    page.get_by_label("Name").fill(name)
    page.get_by_label("List").set_input_files(file)
    page.get_by_label("Most attempts").fill("1")
    page.get_by_role("button", name="Upload the list").click()
    page.get_by_role("button", name="Check the list").click()
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Start").click()
    expect(page.get_by_role("main")).to_contain_text("started it, with")


def activate(page: Page) -> None:
    """On the agent's page."""
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_role("button", name="Deactivate")).to_be_visible()


def be_patient(page: Page) -> None:
    """On the agent's page, which tells of no other save: let no pause of the machine's
    put words into a call.
    """
    page.get_by_text("Reminders, words for a pause").click()
    page.get_by_label("Reminders in silence").fill("0")
    page.get_by_label("Words for a pause after, in milliseconds").fill("0")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("is saved.")).to_be_visible()


def choose_transport(page: Page, words: str) -> None:
    """On the agent's page: turn by turn, or streaming."""
    page.get_by_label("Transport").select_option(label=words)
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("is saved.")).to_be_visible()


@dataclass(frozen=True)
class Line:
    """One line of a transcript, as it can be read on the page."""

    speaker: str
    text: str
    reply_ms: int | None = None
    is_interrupted: bool = False


def read_transcript(page: Page, lines: int) -> list[Line]:
    """So many lines of the transcript on a call's page, in their order.

    The page may tell that a call is over before its last words are written.
    """
    shown = page.get_by_label("Transcript", exact=True).locator("li")
    expect(shown).to_have_count(lines)
    return [_read_line(line) for line in shown.all()]


def _read_line(line: Locator) -> Line:
    head = line.locator("p").inner_text()
    replied = re.search(r"replied in (\d+) ms", head)
    return Line(
        speaker=head.split()[0],
        text=line.locator(".turn-marked").inner_text(),
        reply_ms=int(replied[1]) if replied else None,
        is_interrupted="interrupted" in head,
    )


def words_of(transcript: list[Line]) -> list[tuple[str, str]]:
    return [(line.speaker, line.text) for line in transcript]
