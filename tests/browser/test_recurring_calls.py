"""The form of a recurring call: what it asks for, and the times it shows."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def change_page(world):
    return f"{world.rows['recurring'].get_absolute_url()}/change"


def test_next_times_follow_what_is_chosen(visitor, world):
    page = visitor("alice")
    page.goto(change_page(world))
    times = page.locator("#next-times")
    month_on = page.get_by_label("In the month")
    days = page.get_by_role("group", name="On these days of the week")
    expect(days).to_be_visible()
    expect(month_on).to_be_hidden()

    page.get_by_label("By months").check()

    expect(days).to_be_hidden()
    month_on.select_option(label="On the last Friday")
    expect(times.get_by_role("listitem")).to_have_count(5)
    for line in times.get_by_role("listitem").all():
        expect(line).to_contain_text("Fri ")
    page.get_by_label("Time", exact=True).fill("17:45")
    expect(times).to_contain_text("17:45")
    page.get_by_label("Every", exact=True).fill("0")
    page.get_by_label("Every", exact=True).press("Tab")
    expect(times).to_contain_text("greater than or equal to 1")


def test_next_times_are_shown_without_scripts(visitor, world):
    page = visitor("alice", java_script_enabled=False)
    page.goto(change_page(world))

    page.get_by_label("By days").check()
    page.get_by_role("button", name="Show the next times").click()

    expect(page.get_by_label("By days")).to_be_checked()
    days = page.locator("#next-times").get_by_role("listitem")
    expect(days).to_have_count(5)
    expect(page.get_by_text("Saved.")).to_have_count(0)


def test_enter_saves_and_does_not_only_preview(visitor, world):
    page = visitor("alice")
    page.goto(change_page(world))

    page.get_by_label("Number to call").press("Enter")

    # Only saving holds the form to what it requires.
    expect(page.get_by_label("opening_hours")).to_be_focused()
