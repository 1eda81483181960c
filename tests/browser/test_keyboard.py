"""With keys alone: what an accessibility checker does not see."""

import re
from contextlib import suppress

import pytest
from playwright.sync_api import TimeoutError, expect

from tests.browser.soundness import said, settle
from tests.hasty import sometime

pytestmark = pytest.mark.browser

PHONE_PX = 320
# The theme at the moment that there is a body to paint.
NOTE_FIRST_THEME = """
new MutationObserver(() => {
  if (document.body && window.firstTheme === undefined)
    window.firstTheme = document.documentElement.dataset.theme ?? "none";
}).observe(document, { childList: true, subtree: true });
"""


def open_at(page, path):
    page.goto(path)
    settle(page)
    return page


def test_first_key_leads_to_the_content(visitor):
    page = open_at(visitor("alice"), "/calls")

    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")

    expect(page.get_by_role("main")).to_be_focused()


def test_menu_of_the_phone_opens_and_closes_by_keys(visitor):
    page = open_at(visitor("alice", width=PHONE_PX), "/calls")
    menu = page.get_by_role("button", name="Menu", exact=True)
    calls = page.get_by_role("navigation", name="Main").get_by_role(
        "link", name="Calls", exact=True
    )
    expect(calls).to_be_hidden()

    menu.focus()
    page.keyboard.press("Enter")
    expect(calls).to_be_visible()
    page.keyboard.press("Escape")

    expect(calls).to_be_hidden()
    expect(menu).to_be_focused()


def test_question_mark_shows_the_shortcuts(visitor):
    page = open_at(visitor("alice"), "/")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")

    page.keyboard.press("?")
    expect(sheet).to_be_visible()
    page.keyboard.press("Escape")

    expect(sheet).to_be_hidden()


def test_letters_lead_to_pages_and_to_the_search(visitor):
    page = open_at(visitor("alice"), "/")

    def leads_to_the_calls():
        """If the second letter comes before the first is forgotten."""
        page.keyboard.type("gc")
        with suppress(TimeoutError):
            page.wait_for_url("**/calls", timeout=5_000, wait_until="commit")
            return True

    assert sometime(leads_to_the_calls)
    settle(page)
    page.keyboard.press("/")

    expect(page.get_by_label("In the transcript")).to_be_focused()


def test_shortcuts_can_be_switched_off_for_good(visitor):
    page = open_at(visitor("alice"), "/")
    page.keyboard.press("?")
    page.get_by_label("Single-key shortcuts in this browser").uncheck()
    page.keyboard.press("Escape")

    open_at(page, "/prompts")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.keyboard.press("?")

    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()
    expect(page).to_have_url(re.compile("/prompts$"))


def test_chosen_theme_is_kept_and_there_from_the_first_moment(visitor):
    page = visitor("alice")
    page.add_init_script(NOTE_FIRST_THEME)
    open_at(page, "/")
    first = page.evaluate("window.firstTheme")

    toggle = page.get_by_role("button", name="Switch between light and dark")
    toggle.focus()
    page.keyboard.press("Enter")
    open_at(page, "/calls")

    assert first == "vo"
    assert page.evaluate("window.firstTheme") == "vo-dark"
    assert said(page) == []


def test_dialog_of_a_removal_gives_the_focus_back(visitor, world):
    page = open_at(visitor("alice"), f"/voice-agents/{world.rows['idle agent'].pk}")
    delete = page.get_by_role("button", name="Delete", exact=True)
    dialog = page.get_by_role("dialog", name="Delete this voice agent?")

    delete.focus()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")

    expect(dialog).to_be_hidden()
    expect(delete).to_be_focused()


def test_filters_change_the_address_and_back_restores_them(visitor):
    page = open_at(visitor("alice"), "/calls")
    status, kind = page.get_by_label("Status"), page.get_by_label("Real or test")
    rows = page.get_by_role("table").get_by_role("row")
    everything = rows.count()

    status.select_option("completed")
    page.wait_for_url("**/calls?status=completed")
    kind.select_option("test")
    page.wait_for_url("**/calls?status=completed&kind=test")
    expect(rows).to_have_count(2)  # the heads and the only test call
    page.go_back()
    page.wait_for_url("**/calls?status=completed")

    expect(status).to_have_value("completed")
    expect(kind).to_have_value("")
    expect(rows).to_have_count(5)
    page.go_back()
    page.wait_for_url("**/calls")
    expect(status).to_have_value("")
    expect(rows).to_have_count(everything)
    assert said(page) == []


def test_search_finds_words_of_a_transcript_while_they_are_typed(visitor):
    page = open_at(visitor("alice"), "/calls")
    search = page.get_by_label("In the transcript")

    search.press_sequentially("half past two")
    page.wait_for_url("**/calls?q=half+past+two")
    found = page.get_by_role("table").get_by_role("row")
    expect(found).to_have_count(5)
    search.press_sequentially(" zebra")

    expect(page.get_by_text("No call matches")).to_be_visible()
    expect(search).to_be_focused()


def test_refused_form_says_why_beside_the_field(visitor):
    page = open_at(visitor("alice"), "/carrier-accounts/new")
    page.get_by_label("Label").fill("Second")
    page.get_by_label("Account SID").fill("no such thing")
    page.get_by_label("Auth token").fill("0123456789abcdef0123456789abcdef")

    page.get_by_label("Auth token").press("Enter")

    sid = page.get_by_label("Account SID")
    expect(sid).to_have_attribute("aria-invalid", "true")
    expect(sid).to_have_accessible_description(re.compile("A Twilio account SID"))
    expect(page.get_by_label("Label")).to_have_value("Second")
