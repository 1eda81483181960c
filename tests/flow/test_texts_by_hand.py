"""A person texts an agent on the pocket carrier's page, and reads the answer there."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.recording import picture
from tests.browser.soundness import problems, watch
from tests.flow.steps import open_test_account
from tests.flow.tenant import Business

pytestmark = [pytest.mark.flow, pytest.mark.browser]

ANSWER = "A check-up costs 90 dollars."
ANSWERED_WITHIN_MS = 30_000
PNG = b"\x89PNG\r\n\x1a\n"


def test_person_texts_an_agent_and_reads_its_answer(
    visit, talking_stack, carrier, model
):
    model.plan(mode="script", replies=[ANSWER, "I see a picture."])
    page = visit(talking_stack)
    watch(page)
    business = Business(talking_stack, carrier, open_test_account(page))
    business.put_message_agent()

    page.get_by_role("button", name=f"Text this number {business.number}").click()
    texts = page.get_by_role("log", name="What was written")
    page.get_by_label("What you write").fill("What does a check-up cost?")
    page.get_by_role("button", name="Send").click()

    expect(texts.get_by_text(ANSWER)).to_be_visible(timeout=ANSWERED_WITHIN_MS)
    expect(texts.get_by_text("delivered")).to_be_visible()
    page.get_by_label("A picture").set_input_files(
        {"name": "cat.png", "mimeType": "image/png", "buffer": PNG}
    )
    page.get_by_role("button", name="Send").click()
    expect(texts.get_by_text("I see a picture.")).to_be_visible(
        timeout=ANSWERED_WITHIN_MS
    )
    expect(texts.get_by_role("img")).to_have_count(1)
    assert problems(page) == []
    picture(page, "texts-by-hand")

    sender = re.search(r"You are (\+\d+)", page.get_by_role("main").inner_text())[1]
    bodies = [text["body"] for text in business.texts(sender)]
    assert bodies == ["What does a check-up cost?", ANSWER, "", "I see a picture."]
