"""Deleting and thinking better of it, with a mouse."""

import pytest
from playwright.sync_api import expect

from agents.models import Prompt, VoiceAgent
from tests.browser.conftest import THEMES, WIDTHS
from tests.browser.recording import picture
from tests.browser.soundness import problems

pytestmark = pytest.mark.browser

LOOKS = [(width, theme) for width in WIDTHS for theme in THEMES]


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_toast_undoes_a_deletion(visitor, world, width, theme):
    name = f"Undone at {width} in {theme}"
    agent = VoiceAgent.unscoped.create(owner=world.builder.workspace, name=name)
    page = visitor("builder", width=width, theme=theme)
    page.goto(agent.get_absolute_url())
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete voice agent").click()
    undo = page.get_by_role("status").get_by_role("button", name="Undo")
    undo.hover()  # so it stays, however long the page is looked at
    after_deleting = problems(page)
    picture(page, f"undo-{width}-{theme}")

    undo.click()

    expect(page.get_by_role("status")).to_contain_text(f"“{name}” is restored.")
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    assert after_deleting == []
    assert not VoiceAgent.unscoped.get(pk=agent.pk).is_deleted


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_a_taken_name_is_offered_another_one(visitor, world, width, theme):
    owner, name = world.builder.workspace, f"Greeting at {width} in {theme}"
    gone = Prompt.unscoped.create(owner=owner, name=name)
    gone.put_away()
    Prompt.unscoped.create(owner=owner, name=name)
    page = visitor("builder", width=width, theme=theme)
    page.goto("/deleted")
    page.get_by_role("button", name=f"Restore {name}").click()
    expect(page.get_by_label("New name")).to_have_value(f"{name} (restored)")
    refused = problems(page)
    picture(page, f"restore-name-taken-{width}-{theme}")

    page.get_by_role("button", name="Restore", exact=True).click()

    expect(page.get_by_role("heading", name=f"{name} (restored)")).to_be_visible()
    assert refused == []
    assert problems(page) == []


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_what_is_needed_first_is_one_click_away(visitor, world, width, theme):
    owner, name = world.builder.workspace, f"Needed at {width} in {theme}"
    prompt = Prompt.unscoped.create(owner=owner, name=name)
    agent = VoiceAgent.unscoped.create(
        owner=owner, name=f"Agent: {name}", prompt=prompt
    )
    agent.put_away()
    prompt.put_away()
    page = visitor("builder", width=width, theme=theme)
    page.goto("/deleted")
    page.get_by_role("button", name=f"Restore Agent: {name}").click()
    needed = page.get_by_role("button", name=f"Restore “{name}”")
    expect(needed).to_be_visible()
    refused = problems(page)
    picture(page, f"restore-needs-another-{width}-{theme}")

    needed.click()

    expect(page.get_by_role("heading", name=name)).to_be_visible()
    assert refused == []
    assert not Prompt.unscoped.get(pk=prompt.pk).is_deleted


def test_operator_reads_what_goes_before_it_is_purged(visitor, world):
    owner = world.builder.workspace
    gone = VoiceAgent.unscoped.create(owner=owner, name="Purged by hand")
    kept = Prompt.unscoped.create(owner=owner, name="Purged by hand")
    VoiceAgent.unscoped.create(owner=owner, name="Follows it", prompt=kept)
    for row in (gone, kept):
        row.put_away()
    page = visitor("operator")
    told = []
    for model in ("voiceagent", "prompt"):
        page.goto(f"/admin/agents/{model}/?q=Purged by hand")
        page.locator("#action-toggle").check()
        page.get_by_label("Action:").select_option("purge")
        page.get_by_role("button", name="Run the selected action").or_(
            page.get_by_role("button", name="Go", exact=True)
        ).first.click()
        expect(
            page.get_by_role("heading", name="Purge what was deleted")
        ).to_be_visible()
        told += problems(page)
        picture(page, f"purge-{model}")
        if model == "voiceagent":
            page.get_by_role("button", name="Purge 1 for ever").click()
            expect(page.get_by_text("1 is purged.")).to_be_visible()

    expect(page.get_by_text("needed by: voice agent (1)")).to_be_visible()
    assert told == []
    assert not VoiceAgent.unscoped.filter(pk=gone.pk).exists()
