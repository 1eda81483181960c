"""A tool is made, tested and given to an agent by hand, with scripts and without."""

import pytest
from playwright.sync_api import expect

from agents.models import Tool, VoiceAgent
from tests.browser.recording import picture
from tests.browser.soundness import problems
from tests.stub_service import running_service

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("has_scripts", [True, False])
def test_tool_is_made_tested_and_given_to_an_agent(
    visitor, world, settings, has_scripts
):
    name = f"find_order_{'with' if has_scripts else 'without'}_scripts"
    page = visitor("builder", java_script_enabled=has_scripts)
    with running_service() as service:
        settings.TOOL_ALLOWED_HOSTS = [service.host]
        service.answer = {"arrives": "on Monday"}
        page.goto("/tools/new")
        page.get_by_label("Name", exact=True).first.fill(name)
        page.get_by_label("Description").fill("Finds an order by its number.")
        rows = page.get_by_role("region", name="Parameters").get_by_role("row")
        rows.nth(1).get_by_label("Name").fill("number")
        rows.nth(1).get_by_label("Required").check()
        page.get_by_role("button", name="More parameters").click()
        expect(rows).to_have_count(1 + 4)
        expect(rows.nth(1).get_by_label("Name")).to_have_value("number")
        page.get_by_label("Address").fill(f"{service.url}/orders/{{numbers}}")
        page.get_by_label("Address").press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("make it a required")
        page.get_by_label("Address").fill(f"{service.url}/orders/{{number}}")
        headers = page.get_by_role("region", name="Headers").get_by_role("row")
        headers.nth(1).get_by_label("Name").fill("X-Key")
        headers.nth(1).get_by_label("Value").fill("hush")
        headers.nth(1).get_by_label("Secret").check()
        page.get_by_role("main").get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name=name)).to_be_visible()

        page.get_by_label("number", exact=True).fill("4711")
        page.get_by_role("button", name="Send the request").click()

        shown = page.get_by_role("region", name="What the model is shown")
        expect(shown).to_have_text('{"arrives": "on Monday"}')
        picture(page, f"{name}-tested")
        assert not has_scripts or problems(page) == []
        service.answer = "later"
        page.get_by_label("number", exact=True).fill("..")
        page.get_by_role("button", name="Send the request").click()
        expect(page.get_by_text("Nothing was sent.")).to_be_visible()
        picture(page, f"{name}-refused")
        assert [one["path"] for one in service.requests] == ["/orders/4711"]
        assert service.requests[0]["headers"]["X-Key"] == "hush"

    agent = VoiceAgent(owner=world.builder.workspace, name=name, instructions="Hi.")
    agent.save()
    page.goto(agent.get_absolute_url())
    page.get_by_label(name).check()
    page.get_by_label("End the call").check()
    page.get_by_role("main").get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("is saved.")).to_be_visible()
    expect(page.get_by_label(name)).to_be_checked()
    tool = Tool.unscoped.get(name=name)
    agent.refresh_from_db()
    assert agent.tools == ["end_call", str(tool.pk)]
