"""A person's page, with a mouse."""

import pytest
from playwright.sync_api import expect

from telephony.models import Contact
from telephony.tests.calls import make_call
from tests.browser.soundness import problems

pytestmark = pytest.mark.browser

NUMBER = "+16285550177"


@pytest.mark.parametrize("width", [1440, 320])
def test_a_contact_is_made_from_a_call(visitor, world, width):
    number = f"{NUMBER[:-4]}{width:04}"
    call = make_call(world.builder.workspace, from_number=number)
    page = visitor("builder", width=width)
    page.goto(call.get_absolute_url())

    page.get_by_role("link", name="All calls and texts").click()
    page.get_by_role("link", name="Save as contact").click()
    page.get_by_label("Name", exact=False).first.fill(f"Ann of {width}")
    page.get_by_label("Consent to calls").select_option("refused")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.get_by_role("heading", name=f"Ann of {width}")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("Refuses calls")
    expect(page.get_by_role("link", name="Call now")).to_have_count(0)
    assert problems(page) == []
    assert Contact.unscoped.get(number=number).refuses_calls


def test_earlier_calls_come_below_and_what_is_shown_is_chosen(visitor, world):
    calls = [make_call(world.builder.workspace, from_number=NUMBER) for _ in range(35)]
    page = visitor("builder")
    page.goto(f"/people/{NUMBER}")
    links = page.get_by_role("link", name="Open the call")
    expect(links).to_have_count(30)

    page.get_by_role("link", name="Show earlier").click()

    expect(links).to_have_count(len(calls))
    expect(page.get_by_role("link", name="Show earlier")).to_have_count(0)
    assert links.last.get_attribute("href") == calls[0].get_absolute_url()
    page.get_by_role("link", name="Texts", exact=True).click()
    expect(page.get_by_text("Nothing of that kind")).to_be_visible()
    assert page.url.endswith("?show=texts")
    assert problems(page) == []
