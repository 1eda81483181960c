"""What a person does in the browser, step by step."""

from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.recording import film_options
from tests.people import PASSWORD
from tests.processes import Stack

ANSWER_WITHIN_MS = 15_000


def open_browser(browser: Browser, stack: Stack) -> BrowserContext:
    """A fresh profile on the stack, filmed when records are wanted."""
    context = browser.new_context(
        base_url=stack.url, reduced_motion="reduce", **film_options()
    )
    context.set_default_timeout(ANSWER_WITHIN_MS)
    return context


def log_in(browser: Browser, stack: Stack, email: str) -> Page:
    """A fresh profile in which that person is on the dashboard."""
    page = open_browser(browser, stack).new_page()
    page.goto("/account/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")
    return page
