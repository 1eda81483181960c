"""The dashboard in a browser: bars narrow, addresses say all; themes and paper."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.soundness import said

pytestmark = pytest.mark.browser

LAST_BAR_WITH_CALLS = """() => {
  const canvas = document.querySelector("[data-chart] canvas");
  const chart = Chart.getChart(canvas);
  const has_calls = (day) => chart.data.datasets.some((set) => set.data[day] > 0);
  const day = chart.data.labels.findLastIndex((label, day) => has_calls(day));
  const box = canvas.getBoundingClientRect();
  const bar = chart.getDatasetMeta(0).data[day];
  return [box.x + bar.x, box.y + chart.chartArea.bottom - 5];
}"""
COLOURS = """() => Chart.getChart(document.querySelector("[data-chart] canvas"))
  .data.datasets.map((set) => set.backgroundColor)"""
# It is drawn anew in the second frame after a change of the theme.
TWO_FRAMES = """() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(done)))"""


def tile(page, name):
    """The number of a tile."""
    link = page.get_by_role("link", name=name, exact=True)
    box = page.locator("main div.rounded-box", has=link)
    return box.locator("p").nth(1).inner_text()


def test_click_on_a_bar_narrows_to_its_day_and_back_undoes_it(visitor):
    page = visitor("alice")
    page.goto("/?direction=incoming")
    page.locator("[data-chart]").scroll_into_view_if_needed()

    page.mouse.click(*page.evaluate(LAST_BAR_WITH_CALLS))

    expect(page).to_have_url(re.compile(r"/\?direction=incoming&from=([-\d]+)&to=\1$"))
    expect(page.get_by_text("By hour")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile(r"/\?direction=incoming$"))
    expect(page.get_by_text("By day; click a bar")).to_be_visible()
    assert said(page) == []


def test_what_is_chosen_is_in_the_address_and_stays(visitor):
    page = visitor("alice")
    page.goto("/")
    page.get_by_role("link", name="7 days").click()
    page.get_by_label("Direction").select_option("Outgoing")
    page.get_by_label("Time zone").select_option("Asia/Kathmandu")
    page.get_by_role("button", name="Filter", exact=True).click()

    expect(page).to_have_url(
        re.compile(r"/\?period=7d&direction=outgoing&timezone=Asia%2FKathmandu$")
    )
    expect(page.get_by_text("times in Asia/Kathmandu")).to_be_visible()
    current = page.get_by_label("Period").locator("[aria-current=page]")
    expect(current).to_have_text("7 days")
    expect(page.get_by_label("Direction")).to_have_value("outgoing")


def test_tile_leads_to_as_many_calls(visitor):
    page = visitor("alice")
    page.goto("/")
    number = int(tile(page, "Calls"))

    page.get_by_role("main").get_by_role("link", name="Calls", exact=True).click()

    expect(page).to_have_url(re.compile(r"/calls\?kind=counted&"))
    expect(page.locator("#call-results tbody tr")).to_have_count(number)
    assert number > 1


def test_chart_takes_the_colours_of_the_theme(visitor):
    page = visitor("alice", theme="light")
    page.goto("/")
    light = page.evaluate(COLOURS)

    page.get_by_role("button", name="Switch between light and dark").click()

    expect(page.locator("html")).to_have_attribute("data-theme", "vo-dark")
    page.evaluate(TWO_FRAMES)
    dark = page.evaluate(COLOURS)
    assert len(light) > 1
    assert [pair for pair in zip(light, dark, strict=True) if len({*pair}) == 1] == []
    assert said(page) == []


def test_hours_are_one_stop_and_walked_by_arrows(visitor):
    page = visitor("alice")
    page.goto("/?period=12m")
    stops = page.locator("[data-heat-map] a:not([tabindex='-1'])")
    expect(stops).to_have_count(1)

    stops.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(r"weekday=\d&hour=\d"))
    expect(page.get_by_text("Only:")).to_be_visible()


def test_tables_are_there_without_scripts(visitor):
    page = visitor("alice", java_script_enabled=False)
    page.goto("/")

    page.get_by_text("Show the numbers as a table").click()

    expect(page.get_by_role("columnheader", name="Resolved")).to_be_visible()
    expect(page.locator("canvas")).to_be_hidden()


CUT_OFF = """() => [...document.querySelectorAll("main [role=region]")]
  .filter((box) => box.scrollWidth > box.clientWidth)
  .map((box) => box.getAttribute("aria-label"))"""


def test_paper_has_the_figures_and_no_navigation(visitor):
    page = visitor("alice", theme="dark")
    page.goto("/")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")

    expect(page.locator("#app-nav")).to_be_hidden()
    expect(page.get_by_role("button", name="Filter", exact=True)).to_be_hidden()
    expect(page.get_by_label("Period", exact=True)).to_be_hidden()
    expect(page.locator("#dashboard-live")).to_be_hidden()
    expect(page.locator("details:not([open])").last).to_be_hidden()
    expect(page.get_by_role("heading", name="Calls by outcome")).to_be_visible()
    assert page.evaluate("document.documentElement.dataset.theme") == "vo"
    page.set_viewport_size({"width": 720, "height": 1000})  # of A4
    assert page.evaluate(CUT_OFF) == []
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "vo-dark"
