"""Logging in by the page, second factor included."""

import time

from playwright.sync_api import Page

from tests.browser.world import World
from tests.people import PASSWORD, TOTP_PERIOD_S, code_now

ENTERED_WITHIN_S = 8


def log_in(page: Page, world: World, who: str) -> None:
    """Log in as that person of the world; ends on the dashboard."""
    give_password(page, getattr(world, who).user.email)
    if who in ("careful", "operator"):
        page.locator("input[name=code]").fill(code_of(world.totp_secret))
        page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")


def confirm_access(page: Page) -> None:
    """Give the password again, which the pages of second factors ask for."""
    page.goto("/account/reauthenticate/?next=/")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/")


def give_password(page: Page, email: str) -> None:
    page.goto("/account/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def code_of(secret: str) -> str:
    """What an authenticator shows now, and still does when it has been entered."""
    left_s = TOTP_PERIOD_S - time.time() % TOTP_PERIOD_S
    if left_s < ENTERED_WITHIN_S:
        time.sleep(left_s)
    return code_now(secret)
