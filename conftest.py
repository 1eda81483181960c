"""What every test may ask for: a real broker, the whole stack, a real browser."""

import gc
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest
import time_machine
from django.core.cache import cache
from django.test import TransactionTestCase
from django.utils.timezone import now

from accounts import switches
from tests.people import alice, mallory  # noqa: F401
from tests.processes import WITHIN_S, running_stack, wait_until
from tests.tables import empty_again, empty_tables
from voiceops.run.broker import broker_command, socket_path_in
from voiceops.run.guard import die_with_parent

pytest_plugins = ["telephony.tests.carriers"]

GARBAGE_OBJECTS = 50_000  # made since the last look for garbage; Python's own: 700
DATABASE_FIXTURES = {"db", "transactional_db"}
INSTALL_CHROMIUM_WITHIN_S = 120
FLOW_WITHIN_S = 600  # whichever test is the first starts the whole stack
SHOWN_WITHIN_MS = 30_000  # what is expected of a page: it may wait for a worker
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
# These are about people, pages, the API and conversations. What they store and look
# for, others do on PostgreSQL too, where walks open every page and fill every field.
ON_SQLITE_ALONE = {
    *("api", "api_auth", "api_calling_rules", "api_calls", "api_campaigns"),
    *("api_carrier", "api_contacts", "api_message_agents", "api_messages"),
    *("api_rehearsals", "api_teams", "api_tools", "audit_page", "audit_people"),
    *("audit_routes", "bodies", "calendar", "carrier", "changing_tokens"),
    *("deleted_rows", "demo", "gather", "generated_client", "headers", "invitations"),
    *("isolation", "language_models", "looking", "members", "middleware", "passwords"),
    *("pictures", "rehearsals", "rehearse_command", "relay", "relay_tools", "resume"),
    *("roles", "stream", "suspension", "taking_part", "testing", "text_tools"),
    *("sqlite_turns", "toolbox", "transfers", "voicemail", "walls"),
}
# An example that a stalled machine takes long for tells nothing.
UNHURRIED = {
    "deadline": None,
    "suppress_health_check": [hypothesis.HealthCheck.too_slow],
}
NO_CHROMIUM = "no Chromium: install one or set CHROMIUM to its path"
_without_chromium = pytest.StashKey[bool]()

hypothesis.settings.register_profile("unhurried", **UNHURRIED)
hypothesis.settings.load_profile("unhurried")
TransactionTestCase._fixture_teardown = lambda self: empty_again()


def pytest_addoption(parser):
    parser.addoption(
        "--database-only",
        action="store_true",
        help="leave out the tests that open no database, or need no second one",
    )


def pytest_collection_modifyitems(config, items):
    items.sort(key=_is_short)  # the longest first: nobody waits for it at the end
    for item in items:
        if item.get_closest_marker("flow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(FLOW_WITHIN_S))
    if config.getoption("--database-only"):
        config.hook.pytest_deselected(items=[i for i in items if not _opens(i)])
        items[:] = filter(_opens, items)


def pytest_collection_finish(session):
    """What is loaded by now stays: searching it anew was a seventh of a run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 20, 50)


def _is_short(item):
    return item.get_closest_marker("walk") is None


def _opens(item):
    """Whether the test may open the database; pytest-django lets no other do it.

    And whether that tells more than the same test on SQLite.
    """
    if not _is_short(item):
        return True
    name = item.path.stem.removeprefix("test_")
    if "pages" in name or name in ON_SQLITE_ALONE:
        return False
    is_marked = item.get_closest_marker("django_db") is not None
    return is_marked or not DATABASE_FIXTURES.isdisjoint(item.fixturenames)


@pytest.fixture(autouse=True)
def _nothing_is_switched_off():
    """As an empty database says, and kept until a test switches something."""
    switches._known = switches._Known(frozenset(), until=math.inf)


@pytest.fixture
def limited(settings):
    """Requests are counted, from none, in a minute that has just begun: it must not
    turn.
    """
    settings.RATE_LIMITS = True
    cache.clear()
    with time_machine.travel(now().replace(second=0)):
        yield
    cache.clear()


@pytest.fixture(scope="session")
def django_db_keepdb():
    """What `django_db_modify_db_settings` has put there is not to be made anew."""
    return True


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix):
    """SQLite begins with a copy of tables that are made."""
    from django.db import connection

    if connection.vendor == "sqlite":
        shutil.copy(empty_tables(), connection.settings_dict["TEST"]["NAME"])


@pytest.fixture(scope="session")
def broker_url(tmp_path_factory):
    """A real broker of this test process's own, as a redis-py address."""
    import redis

    socket_path = socket_path_in(tmp_path_factory.mktemp("broker"))
    server = subprocess.Popen(
        broker_command(socket_path, tmp_path_factory.mktemp("broker-data")),
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent(),
    )
    url = f"unix://{socket_path}"
    client = redis.Redis.from_url(url)

    def is_up():
        try:
            return client.ping()
        except redis.ConnectionError:
            return False

    try:
        wait_until(is_up, WITHIN_S, "the broker answers")
        yield url
    finally:
        client.close()
        server.terminate()
        server.wait(timeout=WITHIN_S)


@pytest.fixture
def patient_broker_url(settings, broker_url):
    """The broker of this process from now on; it is never given up as too slow."""
    settings.REDIS_URL = f"{broker_url}?socket_timeout={WITHIN_S}"
    return settings.REDIS_URL


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    """The whole stack, started once: real processes, simulator included."""
    with running_stack(tmp_path_factory.mktemp("stack") / "var") as running:
        yield running


@pytest.fixture(scope="session")
def chromium(request):
    """The path of a Chromium. Without one the test is skipped; in CI it fails."""
    path = _installed_chromium() or _playwrights_chromium()
    if path is not None:
        return path
    request.config.stash[_without_chromium] = True
    if os.environ.get("CI") == "true":
        pytest.fail(NO_CHROMIUM)
    return pytest.skip(NO_CHROMIUM)


@pytest.fixture(scope="session")
def browser(chromium):
    """Playwright's browser for the session; every test opens pages of its own."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=SHOWN_WITHIN_MS)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium, args=CHROMIUM_ARGUMENTS
        )
        yield launched
        launched.close()


@pytest.fixture
def page(browser, stack):
    """A fresh profile on the running stack; relative addresses are the stack's."""
    context = browser.new_context(base_url=stack.url)
    yield context.new_page()
    context.close()


def pytest_terminal_summary(terminalreporter, config):
    if config.stash.get(_without_chromium, False):
        terminalreporter.section("BROWSER TESTS DID NOT RUN", sep="!", red=True)
        terminalreporter.line(NO_CHROMIUM)


def _installed_chromium():
    if named := os.environ.get("CHROMIUM"):
        return named
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def _playwrights_chromium():
    """Playwright's own, downloaded once when the machine can; None otherwise."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    if not path.exists():
        try:
            subprocess.run(
                [sys.executable, "-m", "playwright", "install", "chromium"],
                capture_output=True,
                timeout=INSTALL_CHROMIUM_WITHIN_S,
            )
        except subprocess.TimeoutExpired:
            return None
    return str(path) if path.exists() else None
