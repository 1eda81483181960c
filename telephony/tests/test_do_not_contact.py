"""The list of numbers that nobody calls or texts, and why a call may be placed."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from telephony.models import CallingRules, DoNotContact
from telephony.services import dialling, do_not_contact
from telephony.tests.calls import make_agent, make_phone
from tests.people import join

pytestmark = pytest.mark.django_db
NUMBER = "+16285550123"


def listed(tenant):
    rows = DoNotContact.objects.for_owner(tenant.workspace)
    return sorted(rows.values_list("number", "reason", "source"))


def test_number_is_added_by_the_page_and_found_on_the_list(alice):
    answer = alice.client.post(
        "/do-not-contact/new",
        {"number": "+1 628 555 0123", "reason": "Asked by mail", "one": "1"},
    )

    assert answer.status_code == 302
    assert listed(alice) == [(NUMBER, "Asked by mail", "person")]
    page = alice.client.get("/do-not-contact?q=628555").content.decode()
    assert "+1 628-555-0123" in page and "Asked by mail" in page
    assert (
        "+1 628-555-0123"
        not in alice.client.get("/do-not-contact?q=999").content.decode()
    )


@pytest.mark.parametrize("number", ["", "0301234", "nonsense", "+1"])
def test_what_is_no_number_is_not_added(number, alice):
    answer = alice.client.post("/do-not-contact/new", {"number": number, "one": "1"})

    assert answer.status_code == 422
    assert listed(alice) == []


def test_number_is_added_once_and_its_first_reason_stays(alice):
    do_not_contact.add(owner=alice.workspace, number=NUMBER, reason="first")

    answer = alice.client.post(
        "/do-not-contact/new", {"number": NUMBER, "reason": "second", "one": "1"}
    )

    assert answer.status_code == 422
    assert listed(alice) == [(NUMBER, "first", "person")]


def test_list_is_added_with_a_report_of_the_lines_that_cannot_be_read(alice):
    do_not_contact.add(owner=alice.workspace, number=NUMBER, reason="first")
    text = f"number,reason\n+4930123456,moved\nabc\n\n{NUMBER}\n+4930123456\n12345,x\n"

    answer = alice.client.post("/do-not-contact/new", {"numbers": text, "many": "1"})

    report = answer.context["report"]
    assert (report.added, report.known) == (1, 2)
    assert [(line.line, line.text) for line in report.refused] == [
        (3, "abc"),
        (7, "12345"),
    ]
    assert listed(alice) == [
        (NUMBER, "first", "person"),
        ("+4930123456", "moved", "csv"),
    ]


@pytest.mark.parametrize(
    ("content", "status", "added"),
    [
        (b"\xef\xbb\xbf+4930123456;called twice\r\n+4930123457;\r\n", 200, 2),
        ("Name;Phone;Reason\nÄnne;+4930123456;\n".encode("cp1252"), 200, 1),
        ("to\treason\n+4930123456\tmoved\n".encode("utf-16"), 200, 1),
        (b"no number in this line\n+4930123456\n", 200, 1),
        (b"PK\x03\x04 a workbook", 422, 0),
        (b"\xff\xfe\x00", 422, 0),
        (b"+4930123456\x00", 422, 0),
        (b"", 422, 0),
    ],
)
def test_file_is_read_as_text(content, status, added, alice):
    file = SimpleUploadedFile("list.csv", content)

    answer = alice.client.post("/do-not-contact/new", {"file": file, "many": "1"})

    assert answer.status_code == status
    assert len(listed(alice)) == added


def test_number_is_taken_off_with_a_reason_and_can_come_back(alice):
    row = do_not_contact.add(owner=alice.workspace, number=NUMBER)
    url = f"/do-not-contact/{row.pk}/delete"

    assert alice.client.post(url, {"reason": ""}).status_code == 422
    assert listed(alice) != []
    assert alice.client.post(url, {"reason": "Changed her mind"}).status_code == 302

    row.refresh_from_db()
    assert (row.removal_reason, row.removed_by) == ("Changed her mind", alice.user)
    assert alice.client.get(url).status_code == 404
    assert do_not_contact.find(alice.workspace, NUMBER) is None
    do_not_contact.add(owner=alice.workspace, number=NUMBER)


def test_api_adds_lists_and_removes(alice, mallory):
    made = alice.api("POST", "/api/do-not-contact", {"number": NUMBER, "reason": "x"})
    again = alice.api("POST", "/api/do-not-contact", {"number": NUMBER})
    bad = alice.api("POST", "/api/do-not-contact", {"number": "12"})
    mallory.api("POST", "/api/do-not-contact", {"number": "+4930123456"})

    assert (made.status_code, again.status_code, bad.status_code) == (201, 409, 400)
    assert (made.json()["number"], made.json()["source"]) == (NUMBER, "person")
    found = alice.api("GET", "/api/do-not-contact?number=%2B16285550123").json()
    assert [row["id"] for row in found["results"]] == [made.json()["id"]]
    assert alice.api("GET", "/api/do-not-contact?number=12").status_code == 400
    url = f"/api/do-not-contact/{made.json()['id']}"
    assert mallory.api("DELETE", url).status_code == 404
    assert alice.api("DELETE", url).status_code == 204
    assert alice.api("GET", "/api/do-not-contact").json()["results"] == []


# -- Calling rules ---------------------------------------------------------------------

RULES = {
    "window_start": "09:00",
    "window_end": "17:30",
    "window_days": ["mon", "tue"],
    "countries": "de, US",
}


def test_rules_are_changed_by_those_who_manage_the_workspace(alice):
    member = join(alice, "bob", "member")

    assert member.client.post("/calling-rules", RULES).status_code == 403
    assert alice.client.post("/calling-rules", RULES).status_code == 302
    assert alice.client.post("/calling-rules", RULES).status_code == 302

    rules = CallingRules.unscoped.get(owner=alice.workspace)
    assert (rules.window_days, rules.countries) == (["mon", "tue"], ["DE", "US"])
    assert (rules.calls_a_day, rules.calls_a_month) == (500, 5000)


@pytest.mark.parametrize(
    "changes", [{"countries": "Germany"}, {"window_days": []}, {"window_end": ""}]
)
def test_rules_that_make_no_sense_are_refused(changes, alice):
    assert alice.client.post("/calling-rules", RULES | changes).status_code == 422
    assert not CallingRules.unscoped.exists()


def test_check_shows_the_chain_of_rules(alice, mallory):
    phone = make_phone(alice.workspace)
    agent = make_agent(
        alice.workspace,
        phone=phone,
        direction="outgoing",
        is_active=True,
        instructions="Remind them.",
    )
    ask = f"/calling-rules/check?number=%2B1+628+555+0123&agent={agent.pk}"

    noon = alice.client.get(f"{ask}&at=2030-01-07T20:00").context["decision"]
    do_not_contact.add(owner=alice.workspace, number=NUMBER, reason="asked")
    refused = alice.client.get(f"{ask}&at=2030-01-07T20:00")

    assert noon.is_allowed, noon.reason
    assert refused.context["decision"].rule == "do_not_contact"
    assert "asked" in refused.content.decode()
    assert mallory.client.get(ask).status_code == 422


def test_agents_own_window_goes_before_the_workspaces(alice):
    agent = make_agent(
        alice.workspace,
        window_start="10:00",
        window_end="11:00",
        window_days=["sun"],
    )
    agent.refresh_from_db()
    from datetime import UTC, datetime, time

    wishes = dialling.Wishes(window_start=time(6), window_end=time(7))
    at = datetime(2030, 1, 7, 12, tzinfo=UTC)
    own = dialling.facts_of(agent, NUMBER, at).window
    of_call = dialling.facts_of(agent, NUMBER, at, wishes).window

    assert (own.hours, own.days) == ("10:00–11:00", {"sun"})
    assert (of_call.hours, of_call.days) == ("06:00–07:00", {"sun"})


def test_countries_are_those_of_ones_own_numbers_unless_chosen(alice):
    def countries():
        rules = dialling.rules_of(alice.workspace)
        return dialling.countries_of(alice.workspace, rules)

    assert countries() == frozenset()
    make_phone(alice.workspace)
    make_phone(alice.workspace, "+4930123456")
    assert countries() == {"US", "DE"}
    CallingRules.unscoped.create(owner=alice.workspace, countries=["FR"])
    assert countries() == {"FR"}
