"""Prompts and agents as a person changes them: previews, warnings, pins, starters."""

import re

import pytest
from playwright.sync_api import expect

from agents import services
from agents.models import Prompt, PromptVersion, VoiceAgent
from tests.browser.conftest import THEMES, WIDTHS
from tests.browser.recording import picture
from tests.browser.soundness import problems, settle

pytestmark = pytest.mark.browser

FIRST = "You are kind.\nWe open at {{ hour }}.\nSay goodbye."
SECOND = "You are kind.\nWe open at {{ hour }} every day.\nSay goodbye."


@pytest.fixture
def prompt(world):
    """A prompt of the builder's, followed by one agent; gone after the test."""
    owner = world.builder.workspace
    prompt = services.save_prompt(
        owner=owner, prompt=None, name="Opening", text=FIRST, note="", author=None
    )
    agent = VoiceAgent.unscoped.create(owner=owner, name="Follower", prompt=prompt)
    yield prompt
    VoiceAgent.unscoped.filter(owner=owner, calls=None).delete()
    PromptVersion.unscoped.filter(prompt=prompt).delete()
    Prompt.unscoped.filter(pk=prompt.pk).delete()
    assert not VoiceAgent.unscoped.filter(pk=agent.pk).exists()


def open_at(page, path):
    page.goto(path)
    settle(page)
    return page


def test_preview_follows_what_is_typed(visitor, prompt):
    page = open_at(visitor("builder"), prompt.get_absolute_url())
    told = page.get_by_role("region", name="What the agent would be told")
    expect(page.get_by_text("Still without a value: hour.")).to_be_visible()

    hour = page.get_by_label("hour")
    hour.press_sequentially("nine")
    expect(told).to_contain_text("We open at nine.")
    expect(hour).to_be_focused()
    page.get_by_label("Text").fill("Hello {{ hour }} and {{ city }}")

    expect(page.get_by_label("city")).to_be_visible()
    expect(told).to_contain_text("Hello nine and {{ city }}")
    assert problems(page) == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", THEMES)
def test_saving_asks_before_agents_change(visitor, prompt, width, theme):
    page = open_at(visitor("builder", width, theme), prompt.get_absolute_url())
    page.get_by_label("Text").fill(SECOND)
    page.get_by_role("button", name="Save", exact=True).click()

    panel = page.get_by_role("region", name="1 agent will talk by this text at once")
    expect(panel).to_be_focused()
    expect(panel.get_by_role("link", name="Follower")).to_be_visible()
    expect(panel.locator("ins")).to_have_text(" every day")
    picture(page, f"blast-radius-{width}-{theme}")
    assert problems(page) == []
    assert Prompt.unscoped.get(pk=prompt.pk).version == 1

    page.get_by_role("button", name="Save and change 1 agent").click()

    expect(page.get_by_text("“Opening” is saved, version 2.")).to_be_visible()
    assert Prompt.unscoped.get(pk=prompt.pk).text.split() == SECOND.split()


@pytest.mark.parametrize("theme", THEMES)
def test_old_version_is_restored_after_a_look_at_who_changes(visitor, prompt, theme):
    services.save_prompt(
        owner=prompt.owner,
        prompt=prompt,
        name="Opening",
        text=SECOND,
        note="Every day",
        author=None,
    )
    page = open_at(visitor("builder", theme=theme), prompt.get_absolute_url())
    page.get_by_role("link", name="Read version 1").click()
    page.get_by_role("button", name="Restore").click()

    dialog = page.get_by_role("dialog", name="Restore version 1?")
    expect(dialog.get_by_role("link", name="Follower")).to_be_visible()
    picture(page, f"restore-{theme}")
    assert problems(page) == []
    dialog.get_by_role("button", name="Restore").click()

    expect(page.get_by_text("Version 1 is restored, as version 3.")).to_be_visible()
    assert Prompt.unscoped.get(pk=prompt.pk).text == FIRST


def test_comparison_follows_the_chosen_versions(visitor, prompt):
    services.save_prompt(
        owner=prompt.owner,
        prompt=prompt,
        name="Opening",
        text=SECOND,
        note="",
        author=None,
    )
    page = open_at(visitor("builder"), f"{prompt.get_absolute_url()}/compare")
    expect(page.locator("ins")).to_have_text(" every day")

    page.get_by_role("combobox", name=re.compile("^To")).select_option("1")

    expect(page.get_by_text("From version 1 to version 1")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?from=1&to=1$"))


def test_agent_is_pinned_where_its_prompt_is_chosen(visitor, prompt):
    page = open_at(visitor("builder"), "/voice-agents/new")
    version = page.get_by_label("Version of the prompt")
    expect(version).to_be_hidden()

    page.get_by_label("Name").fill("Pinned")
    page.get_by_label("Prompt", exact=False).first.select_option(label="Opening")
    expect(version).to_be_visible()
    version.select_option(label="Version 1, whatever becomes of the prompt")
    expect(page.get_by_label("hour")).to_be_visible()
    settle(page)
    page.get_by_role("button", name="Create voice agent").click()

    expect(page.get_by_text("“Pinned” is saved.")).to_be_visible()
    assert VoiceAgent.unscoped.get(name="Pinned").prompt_version.number == 1


def test_starter_fills_the_form_and_back_empties_it(visitor):
    page = open_at(visitor("builder"), "/voice-agents/new")

    page.get_by_role("link", name="Survey").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Survey")
    expect(page).to_have_url(re.compile(r"\?start=survey$"))
    settle(page)
    assert problems(page) == []
    page.go_back()

    expect(page.get_by_label("Name", exact=True)).to_have_value("")
