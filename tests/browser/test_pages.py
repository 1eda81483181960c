"""Every page, for everybody who can see it, in both themes, wide and narrow."""

import pytest
from playwright.sync_api import expect

from telephony.services import history
from tests.browser.conftest import THEMES, WIDTHS, look
from tests.browser.recording import picture
from tests.browser.soundness import problems, problems_of_the_theme
from tests.browser.visits import NOT_VISITED, VISITS, page_routes

pytestmark = pytest.mark.browser

JUDGES = dict(zip(THEMES, (problems, problems_of_the_theme), strict=True))
# A theme changes colours alone, and the wide page has all of them. The page is loaded
# once: nothing that the server sends depends on theme or width.
LOOKS = [(1440, "light"), (1440, "dark"), (320, "light")]


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.name)
def test_page_is_sound_in_every_theme_and_width(desk, visit):
    path = visit.path(desk.world)
    page, found = desk.page(visit.who), []

    answer = page.goto(path)
    landed = page.url.removeprefix(desk.url)

    for width, theme in LOOKS:
        look(page, width, theme)
        found += [f"{width} px, {theme}: {what}" for what in JUDGES[theme](page)]
        picture(page, f"{visit.name}-{width}-{theme}")
    look(page, *LOOKS[0])
    assert landed.endswith(visit.lands_on) if visit.lands_on else landed == path
    assert "\n".join(found) == ""
    assert answer.status == visit.status


@pytest.mark.parametrize("status", ["canceled", "completed"])
@pytest.mark.parametrize("width", WIDTHS)
def test_page_of_a_search_that_stopped_is_sound(desk, width, status, monkeypatch):
    monkeypatch.setattr(history, "SEARCHED_CALLS", 3)
    found = []
    for theme, judge in JUDGES.items():
        page = desk.page("alice", width, theme)
        page.goto(f"/calls?status={status}")
        expect(page.get_by_role("main")).to_contain_text("Searched back to")
        found += judge(page)
        picture(page, f"calls-{status}-{width}-{theme}")

    assert found == []


def test_every_route_is_visited_or_has_a_reason_not_to_be(world):
    from django.urls import resolve

    visited = {
        resolve(path.partition("?")[0]).view_name
        for visit in VISITS
        if not (path := visit.path(world)).startswith("/simulator")
        and visit.status != 404
    }

    missing = set(page_routes()) - visited - NOT_VISITED.keys()

    assert missing == set()
    assert NOT_VISITED.keys() - set(page_routes()) == set()
    assert NOT_VISITED.keys() & visited == set()


def test_operator_who_is_not_logged_in_is_sent_to_everybodys_door(visitor):
    page = visitor()

    page.goto("/admin/")

    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert "/account/login/?next=/admin/" in page.url
