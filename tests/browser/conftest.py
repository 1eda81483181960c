"""A browser on the application: the real middleware on the test database."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from django.test import override_settings
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import recording
from tests.browser.logins import confirm_access, log_in
from tests.browser.site import served
from tests.browser.soundness import watch
from tests.browser.visits import NOBODY
from tests.browser.world import World, make_world
from tests.tables import empty_again

ANSWER_WITHIN_MS = 30_000
WIDTHS = {1440: 900, 320: 640}  # and the height
THEMES = ("light", "dark")
# Django's admin has some, also for those who want no motion.
END_TRANSITIONS = """document.getAnimations().forEach((animation) => {
  if (animation instanceof CSSTransition) animation.finish();
})"""


@pytest.fixture(scope="session")
def world(django_db_setup, django_db_blocker) -> Iterator[World]:
    """Rows that stay for all tests of these pages, removed at the end."""
    # Playwright keeps an event loop in this thread, which Django takes for async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with django_db_blocker.unblock():
        yield make_world()
        empty_again()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(autouse=True)
def db(world):
    """Tells pytest-django to make a test database; its rows stay for all tests."""


@pytest.fixture(scope="session")
def site(world, carrier_process) -> Iterator[str]:
    """The address of the application, its carrier the simulator."""
    from voiceops.asgi import application

    with (
        served(application) as url,
        override_settings(
            PUBLIC_BASE_URL=url,
            CSRF_TRUSTED_ORIGINS=[url],
            SIMULATOR_URL=carrier_process.url,
            TWILIO_API_BASE_URL=carrier_process.url,
            # A log-in serves all tests, however long they take.
            ACCOUNT_REAUTHENTICATION_TIMEOUT=24 * 3600,
        ),
    ):
        yield url


def look(page: Page, width: int, theme: str) -> None:
    """The loaded page in another window and theme."""
    page.set_viewport_size({"width": width, "height": WIDTHS[width]})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    # Where our script chooses the theme, it does so a little later.
    dark = "html.dark-mode, html:not([data-theme^=vo])"
    follows = page.locator(dark if theme == "dark" else "html:not(.dark-mode)")
    expect(follows).to_have_count(1)
    page.evaluate(END_TRANSITIONS)


@dataclass
class Desk:
    """One browser; a profile for each person, width and theme, opened once."""

    browser: Browser
    world: World
    url: str
    logins: dict[str, dict] = field(default_factory=dict)
    pages: dict[tuple, Page] = field(default_factory=dict)

    def page(self, who: str = NOBODY, width: int = 1440, theme: str = "light") -> Page:
        """The watched page of this person at that width and theme."""
        key = (who, width, theme)
        if key not in self.pages:
            self.pages[key] = self.open(who, width, theme).new_page()
            watch(self.pages[key])
        return self.pages[key]

    def open(
        self, who: str = NOBODY, width: int = 1440, theme: str = "light", **options
    ) -> BrowserContext:
        """A profile of its own; the caller closes it."""
        context = self.browser.new_context(
            base_url=self.url,
            viewport={"width": width, "height": WIDTHS[width]},
            color_scheme=theme,
            reduced_motion="reduce",
            storage_state=self.login_of(who) if who else None,
            **options,
        )
        context.set_default_timeout(ANSWER_WITHIN_MS)
        return context

    def login_of(self, who: str) -> dict:
        """The cookies of somebody who has logged in by the page, as people do."""
        if who not in self.logins:
            context = self.browser.new_context(base_url=self.url)
            context.set_default_timeout(ANSWER_WITHIN_MS)
            page = context.new_page()
            log_in(page, self.world, who)
            confirm_access(page)
            self.logins[who] = context.storage_state()
            context.close()
        return self.logins[who]


@pytest.fixture(scope="session")
def desk(browser, world, site) -> Desk:
    return Desk(browser, world, site)


@pytest.fixture
def visitor(desk) -> Iterator[Callable[..., Page]]:
    """Opens a fresh profile: `visitor("alice", width=320)`; closed afterwards."""
    contexts = []

    def open_page(*args, **options) -> Page:
        contexts.append(desk.open(*args, **options))
        return watch(contexts[-1].new_page())

    yield open_page
    for context in contexts:
        context.close()


def pytest_terminal_summary(terminalreporter):
    recording.tell_where(terminalreporter)
