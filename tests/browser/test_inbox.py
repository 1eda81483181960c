"""The inbox, as people use it: while texts come in, by keyboard, without scripts."""

import itertools
import uuid

import pytest
from django.utils.timezone import now
from playwright.sync_api import expect

from telephony.models import Conversation, Message
from telephony.services import conversations, texts

pytestmark = pytest.mark.browser

_numbers = itertools.count(100)


def text_in(phone, address, body):
    return texts.receive(
        phone,
        sid=f"SM{uuid.uuid4().hex}",
        address=address,
        to_address=phone.number,
        body=body,
        media=[],
        at=now(),
    )


@pytest.fixture
def phone(world):
    return world.rows["phone"]


@pytest.fixture
def conversation(phone):
    """With somebody who has written once; nothing of it is left."""
    address = f"+1628555{next(_numbers):04}"
    row = text_in(phone, address, "Is a table free?").conversation
    yield conversations.take_over(row)
    Conversation.unscoped.filter(pk=row.pk).update(last_message=None)
    Message.unscoped.filter(conversation=row).delete()
    row.delete()


@pytest.fixture
def page(visitor, conversation):
    page = visitor("alice")
    page.goto(conversation.get_absolute_url())
    return page


def opened(page):
    return page.locator("#conversation h1")


def thread(page):
    return page.get_by_role("region", name="What was written")


def test_an_update_leaves_what_is_being_written_alone(page, phone, conversation):
    field = page.get_by_label("Reply")
    field.fill("At eight, by the window")
    field.evaluate("field => field.setSelectionRange(3, 8)")

    text_in(phone, conversation.address, "Hello? Are you there?")
    expect(thread(page).get_by_text("Are you there?")).to_be_visible()
    conversations.release(conversation, at=now())
    expect(page.get_by_text("The agent answers.")).to_be_visible()

    expect(field).to_be_focused()
    expect(field).to_have_value("At eight, by the window")
    selected = field.evaluate("field => [field.selectionStart, field.selectionEnd]")
    assert selected == [3, 8]
    expect(page.get_by_role("status").filter(has_text="there?")).to_have_count(1)


def test_the_list_shows_who_has_written(page, phone, conversation):
    listed = page.get_by_role("region", name="Conversations").get_by_role("link")

    text_in(phone, conversation.address, "Quite another matter")

    expect(listed.filter(has_text="Quite another matter")).to_have_count(1)
    expect(listed.and_(page.locator("[aria-current=true]"))).to_contain_text("another")


def test_an_update_leaves_the_list_where_it_was_scrolled_to(page, phone, conversation):
    page.set_viewport_size({"width": 1440, "height": 500})
    page.goto(f"{conversation.get_absolute_url()}?tab=open")
    rows = page.locator(".list-rows")
    rows.evaluate("rows => rows.scrollTop = 100")

    text_in(phone, conversation.address, "Quite another matter")

    expect(rows).to_contain_text("Quite another matter")
    assert rows.evaluate("rows => rows.scrollTop") == 100


def test_a_reply_asks_once_whether_to_take_over(page, conversation):
    conversations.release(conversation, at=now())
    page.reload()
    page.get_by_label("Reply").fill("I am Dana.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("button", name="Take over and send")).to_be_focused()
    expect(page.get_by_label("Reply")).to_have_value("I am Dana.")

    page.keyboard.press("Enter")

    expect(thread(page).get_by_text("I am Dana.")).to_be_visible()
    expect(page.get_by_label("Reply")).to_have_value("")
    expect(page.get_by_role("button", name="Hand back")).to_be_visible()
    page.get_by_label("Reply").fill("At eight?")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(thread(page).get_by_text("At eight?")).to_be_visible()


def test_what_one_has_begun_is_put_back(page, world):
    page.get_by_label("Reply").fill("Half a sen")
    other = page.locator(f"#row-{world.rows['asked for'].pk}")
    mine = page.locator("[data-walk][aria-current=true]").get_attribute("id")
    other.click()
    expect(opened(page)).to_contain_text("0125")
    expect(page.get_by_label("Reply")).to_have_value("")

    page.locator(f"#{mine}").click()

    expect(page.get_by_label("Reply")).to_have_value("Half a sen")


def test_the_size_of_a_text_is_told(page):
    page.get_by_label("Reply").press_sequentially("Grüße")

    expect(page.get_by_text("5 characters · 1 segment (GSM-7)")).to_be_visible()


def test_the_inbox_by_keyboard(visitor, world, conversation):
    page = visitor("alice")
    page.goto("/inbox")
    page.keyboard.press("j")
    first = page.locator("[data-walk]").first
    expect(first).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("ArrowUp")
    expect(first).to_be_focused()
    page.keyboard.press("Enter")
    expect(opened(page)).to_be_focused()
    # It is marked as read after a second, and its heading is replaced.
    expect(first).not_to_contain_text("unread")
    expect(opened(page)).to_be_focused()
    page.keyboard.press("r")
    expect(page.get_by_label("Reply")).to_be_focused()
    page.keyboard.press("e")
    expect(page.get_by_label("Reply")).to_have_value("e")
    opened(page).focus()

    page.keyboard.press("e")

    expect(page.get_by_role("button", name="Reopen")).to_be_visible()
    conversation.refresh_from_db()
    assert conversation.status == "closed"
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Close the conversation")


def test_a_phone_shows_one_pane_at_a_time(visitor, world, conversation):
    page = visitor("alice", width=320)
    page.goto("/inbox")
    heading = page.get_by_role("heading", name="Inbox")
    page.locator(f"#row-{conversation.pk}").click()
    expect(page.get_by_label("Reply")).to_be_visible()
    expect(heading).to_be_hidden()
    page.get_by_role("button", name="About them").click()
    expect(page.get_by_text("Our number")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Our number")).to_be_hidden()

    page.get_by_role("link", name="Back to the list").click()

    expect(heading).to_be_visible()


def test_the_inbox_without_scripts(visitor, conversation):
    conversations.release(conversation, at=now())
    page = visitor("alice", java_script_enabled=False)
    page.goto("/inbox?tab=open")
    page.locator(f"#row-{conversation.pk}").click()
    page.get_by_role("button", name="Mark as read").click()
    page.get_by_label("Reply").fill("I am Dana.")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="Take over and send").click()
    expect(thread(page).get_by_text("I am Dana.")).to_be_visible()
    page.get_by_role("button", name="Close", exact=True).click()

    page.get_by_role("button", name="Reopen").click()

    expect(page.get_by_role("button", name="Close", exact=True)).to_be_visible()
    conversation.refresh_from_db()
    assert (conversation.status, conversation.unread_count) == ("open", 0)


def test_notes_labels_and_canned_replies(page, world, conversation):
    page.get_by_label("Reply").fill("Dear Ada,")
    page.locator("summary", has_text="Private note").click()
    page.get_by_role("textbox", name="Private note").fill("She is a regular.")
    page.get_by_role("button", name="Add the note").click()
    expect(thread(page).get_by_text("She is a regular.")).to_be_visible()
    expect(page.get_by_role("textbox", name="Private note")).to_have_value("")
    expect(page.get_by_label("Reply")).to_have_value("Dear Ada,")

    page.get_by_role("checkbox", name="VIP").check()
    page.get_by_role("button", name="Save labels").click()
    expect(page.locator("#conversation-state").get_by_text("VIP")).to_be_visible()
    expect(page.get_by_role("checkbox", name="VIP")).to_be_checked()

    page.locator("summary", has_text="Canned replies").click()
    page.get_by_role("button", name=str(world.rows["cannedreply"])).click()
    expect(page.get_by_label("Reply")).to_have_value(
        f"Dear Ada,\n{world.rows['cannedreply'].text}"
    )


def test_a_text_is_planned_and_taken_back(page, conversation):
    page.get_by_label("Reply").fill("See you at eight.")
    page.locator("summary", has_text="Send later").click()
    page.get_by_label("Send it at").fill("2130-01-10T12:00")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(thread(page).get_by_text("Will be sent")).to_be_visible()

    page.get_by_role("button", name="Do not send").click()

    expect(thread(page).get_by_text("Canceled")).to_be_visible()


def test_a_conversation_is_snoozed_and_woken(page, conversation):
    page.get_by_role("button", name="Snooze").click()
    expect(page.get_by_role("button", name="Wake up")).to_be_visible()

    page.get_by_role("button", name="Wake up").click()

    expect(page.get_by_role("button", name="Wake up")).to_have_count(0)
    expect(page.get_by_role("button", name="Hand back")).to_be_visible()
