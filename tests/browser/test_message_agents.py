"""Trying a message agent out, as people do it: with scripts and without."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.soundness import problems, settle

pytestmark = pytest.mark.browser


def path_of(world, action=""):
    return world.rows["texting agent"].get_absolute_url() + action


@pytest.fixture
def _demo_responder(world):
    """The world's own endpoint, which is nowhere, is away meanwhile."""
    own = world.rows["languagemodel"]
    pk = own.pk
    own.delete()
    yield
    own.pk = pk
    own.save(force_insert=True)


@pytest.mark.usefixtures("_demo_responder")
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "plain"])
def test_conversation_with_an_agent(visitor, world, scripts):
    page = visitor("alice", java_script_enabled=scripts)
    page.goto(path_of(world, "/test"))
    texts = page.get_by_role("region", name="What was written")

    page.get_by_label("Pretend that it is open").check()
    page.get_by_label("Write as the texter").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(texts.get_by_text(re.compile("segments? .GSM-7"))).to_have_count(1)
    settle(page)
    page.get_by_label("Write as the texter").fill("Let me talk to a person")
    page.keyboard.press("Enter")

    expect(page.get_by_text("It would hand over to a person").last).to_be_visible()
    expect(texts.get_by_role("listitem")).to_have_count(3)
    expect(page.get_by_label("Pretend that it is open")).to_be_checked()
    if scripts:
        expect(page.get_by_label("Write as the texter")).to_be_focused()
        assert problems(page) == []

    page.get_by_role("link", name="Restart").click()

    expect(page.get_by_text("Write the first text below.")).to_be_visible()


def test_hours_are_kept_without_scripts(visitor):
    page = visitor("builder", java_script_enabled=False)
    page.goto("/message-agents/new")
    page.get_by_label("Name", exact=True).fill("By hand")
    page.get_by_label("Instructions").fill("Be brief.")
    page.get_by_role("button", name="Create message agent").click()

    page.get_by_label("Tuesday, from", exact=True).fill("22:00")
    page.get_by_label("Tuesday, to", exact=True).fill("06:00")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_text("Hours over midnight are two pairs")).to_be_visible()
    assert page.get_by_label("Tuesday, from", exact=True).input_value() == "22:00"
    page.get_by_label("Tuesday, to", exact=True).fill("00:00")
    page.get_by_role("button", name="Save").last.click()

    expect(page.get_by_text("“By hand” is saved.")).to_be_visible()
    assert page.get_by_label("Tuesday, to", exact=True).input_value() == "00:00"
