"""A list becomes calls: uploaded, checked, started, watched to its end, by pages."""

import csv
import io

import pytest
from playwright.sync_api import expect

from tests.flow.steps import log_in
from tests.flow.tenant import Business

pytestmark = pytest.mark.flow

ENDS_WITHIN_MS = 180_000  # the voicemail is talked to until it was silent for long
ALWAYS = {"window_start": "00:00", "window_end": "00:00"}
# Twelve rows, of which five cannot be called; the ends of numbers tell what happens.
ROWS = [
    "+16285550142;Ada;A-1",
    "+1 (628) 555-0143;Bob;A-2",
    "+16285550144;Eve, the elder;A-3",
    "+16285550486;Busy;A-4",
    "+16285550408;Nobody;A-5",
    "+16285550404;Away;A-6",
    "+16285550600;Machine;A-7",
    "+16285550142;Twice;A-8",
    "628 555 0145;No code;A-9",
    "nonsense;Nonsense;A-10",
    "+4930123456;Elsewhere;A-11",
    "+16285550146;;A-12",
]
LIST = "Customer phone;Patient name;Number at ours\n" + "\n".join(ROWS) + "\n"


def test_list_is_uploaded_checked_called_and_told(
    talking_stack, carrier, model, visit, tmp_path
):
    business = Business(talking_stack, carrier)
    business.put_agent(
        name="Recall",
        direction="outgoing",
        greeting="Hello {{ patient_name }}, it is time for a check-up.",
        **ALWAYS,
    )
    model.plan(mode="script", replies=["Good, see you on Thursday. Goodbye."])
    page = visit(talking_stack)
    log_in(page, business.email)
    file = tmp_path / "patients.csv"
    file.write_text(LIST, encoding="cp1252")

    page.goto("/campaigns")
    page.get_by_role("link", name="New campaign").first.click()
    page.get_by_label("Name").fill("Spring recall")
    page.get_by_label("Country of numbers").select_option("")
    page.get_by_label("List").set_input_files(file)
    page.get_by_label("Most attempts").fill("1")
    page.get_by_role("button", name="Upload the list").click()

    expect(page.get_by_role("heading", name="What the columns mean")).to_be_visible()
    page.get_by_label("Telephone number").select_option(index=1)
    expect(page.get_by_label("patient_name")).to_have_value("1")
    page.get_by_role("button", name="Check the list").click()

    main = page.get_by_role("main")
    expect(main).to_contain_text("7 contacts were imported, 5 rows were refused.")
    refused = page.get_by_label("Rows that are not called").get_by_role("row")
    assert [row.split("\t")[0] for row in refused.all_inner_texts()[1:]] == [
        "9",
        "10",
        "11",
        "12",
        "13",
    ]
    expect(main).to_contain_text("The same number as in line 2.")
    assert not carrier.calls_to(business.account, "+16285550142")
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Start").click()

    expect(main).to_contain_text("Ada started it, with 7 contacts.")
    expect(main).to_contain_text(
        "All contacts have been called.", timeout=ENDS_WITHIN_MS
    )
    expect(main).to_contain_text("7 of 7 contacts are done")
    with page.expect_download() as download:
        page.get_by_role("link", name="Results as CSV").click()
    text = download.value.path().read_text()
    told = list(csv.DictReader(io.StringIO(text)))
    assert [(row["line"], row["status"]) for row in told] == [
        ("2", "completed"),
        ("3", "completed"),
        ("4", "completed"),
        ("5", "busy"),
        ("6", "no-answer"),
        ("7", "failed"),
        ("8", "completed"),
    ]
    assert told[2]["patient_name"] == "Eve, the elder"
    assert told[2]["number_at_ours"] == "A-3"
    for number in ("+16285550142", "+16285550143", "+16285550486"):
        assert len(carrier.calls_to(business.account, number)) == 1
    spoken = business.words(told[0]["last_call_id"])
    assert spoken[0] == ("agent", "Hello Ada, it is time for a check-up.")
