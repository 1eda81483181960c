"""Contacts by the API: one a number, and a refusal that holds."""

import csv
import io

import pytest

from telephony.models import Contact
from telephony.services import contacts, do_not_contact
from telephony.tests.test_contacts import NUMBER, make_contact, placing_agent, schedule
from tests.people import join

pytestmark = pytest.mark.django_db
CONTACTS = "/api/contacts"
BLANK = {
    "number": NUMBER,
    "name": "",
    "email": "",
    "notes": "",
    "variables": {},
    "timezone": "",
    "call_consent": "unknown",
    "call_consent_at": None,
    "call_consent_note": "",
    "text_consent": "unknown",
    "text_consent_at": None,
    "text_consent_note": "",
    "do_not_contact": False,
    "is_deleted": False,
}


def told(answer):
    body = answer.json()
    return {name: body[name] for name in BLANK}


def one(contact):
    return f"{CONTACTS}/{contact.pk}"


def names(answer):
    return [row["name"] for row in answer.json()["results"]]


def test_contact_is_made_read_changed_and_replaced(alice):
    made = alice.api(
        "POST", CONTACTS, {"number": "+1 628 555 0123", "variables": {"plan": "Gold"}}
    )
    contact = contacts.find(alice.workspace, NUMBER)

    assert made.status_code == 201
    assert told(made) == BLANK | {"variables": {"plan": "Gold"}}
    assert told(alice.api("GET", one(contact))) == told(made)
    changed = alice.api(
        "PATCH", one(contact), {"name": "Ann", "timezone": "Asia/Tokyo"}
    )
    assert told(changed) == told(made) | {"name": "Ann", "timezone": "Asia/Tokyo"}
    replaced = alice.api("PUT", one(contact), {"number": NUMBER, "notes": "Tea."})
    assert told(replaced) == BLANK | {"notes": "Tea."}


def test_number_has_one_contact_and_keeps_it(alice):
    contact = make_contact(alice.workspace)

    again = alice.api("POST", CONTACTS, {"number": NUMBER})
    moved = alice.api("PATCH", one(contact), {"number": "+16285550124"})

    assert again.status_code == 409
    assert moved.status_code == 400
    assert list(moved.json()["errors"]) == ["number"]


def test_repeated_request_makes_one_contact(alice):
    key = {"HTTP_IDEMPOTENCY_KEY": "one"}

    first = alice.api("POST", CONTACTS, {"number": NUMBER}, **key)
    second = alice.api("POST", CONTACTS, {"number": NUMBER}, **key)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": "abc"},
        {"email": "nobody"},
        {"timezone": "Nowhere/Town"},
        {"call_consent": "perhaps"},
        {"call_consent_at": "yesterday"},
        {"call_consent_at": "9999-12-31T23:59:59-14:00"},
        {"text_consent_at": "0001-01-01T00:00:00+14:00"},
        {"variables": {"bad name": "x"}},
        {"variables": {"plan": "two\nlines"}},
        {"variables": {"plan": 5}},
        {"notes": "x" * 5_001},
        {"name": "x" * 101},
        {"colour": "red"},
    ],
)
def test_what_cannot_be_is_a_400_that_names_the_field(wrong, alice):
    answer = alice.api("POST", CONTACTS, {"number": NUMBER} | wrong)

    assert answer.status_code == 400
    fields = {name.partition(".")[0] for name in answer.json()["errors"]}
    assert fields == set(wrong)
    assert not Contact.unscoped.exists()


def test_refusal_holds_at_once_and_stays(alice):
    row = schedule(placing_agent(alice))
    contact = make_contact(alice.workspace)

    refused = alice.api("PATCH", one(contact), {"call_consent": "refused"}).json()

    row.refresh_from_db()
    assert row.status == "blocked"
    assert refused["call_consent_at"] is not None
    assert alice.api("DELETE", one(contact)).status_code == 409
    alice.api("PATCH", one(contact), {"call_consent": "unknown"})
    assert alice.api("DELETE", one(contact)).status_code == 204
    assert alice.api("GET", one(contact)).status_code == 404


def test_contacts_are_filtered(alice, mallory):
    for n, name in enumerate(("Ann Smith", "Ben Jones")):
        make_contact(alice.workspace, f"+1628555010{n}", name=name)
    make_contact(
        alice.workspace, "+4930123456", name="Carl Smith", text_consent="refused"
    )
    make_contact(mallory.workspace, "+16285550100", name="Smith of Mallory")
    do_not_contact.add(owner=alice.workspace, number="+16285550101")

    def found(query):
        return names(alice.api("GET", f"{CONTACTS}?{query}"))

    assert found("") == ["Carl Smith", "Ben Jones", "Ann Smith"]
    assert found("q=smith") == ["Carl Smith", "Ann Smith"]
    assert found("q=%2B1+628") == ["Ben Jones", "Ann Smith"]
    assert found("number=%2B4930123456") == ["Carl Smith"]
    assert found("text_consent=refused") == ["Carl Smith"]
    since = contacts.find(alice.workspace, "+16285550100").updated_at
    after = since.isoformat().replace("+00:00", "Z")
    assert found(f"updated_after={after}") == ["Carl Smith", "Ben Jones"]
    rows = alice.api("GET", CONTACTS).json()["results"]
    assert [row["do_not_contact"] for row in rows] == [False, True, False]
    beyond = "updated_after=9999-12-31T23:59:59-14:00"
    unknown = ("number=x", "updated_after=x", "text_consent=x", "colour=red")
    for wrong in (*unknown, beyond):
        assert alice.api("GET", f"{CONTACTS}?{wrong}").status_code == 400


def test_list_takes_few_statements(alice, django_assert_max_num_queries):
    for n in range(20):
        make_contact(alice.workspace, f"+162855501{n:02}")

    with django_assert_max_num_queries(9):  # the log-in included
        assert len(alice.api("GET", CONTACTS).json()["results"]) == 20


def test_contact_of_another_workspace_is_not_found(alice, mallory):
    contact = make_contact(alice.workspace, name="Ann")

    for verb in ("GET", "PUT", "PATCH", "DELETE"):
        answer = mallory.api(verb, one(contact), {} if verb != "GET" else None)
        assert answer.status_code == 404
    assert mallory.api("GET", CONTACTS).json()["results"] == []
    assert mallory.api("POST", CONTACTS, {"number": NUMBER}).status_code == 201


def test_viewer_only_reads(alice):
    contact = make_contact(alice.workspace, name="Ann")
    viewer = join(alice, "vera", "viewer")

    assert names(viewer.api("GET", CONTACTS)) == ["Ann"]
    assert viewer.api("POST", CONTACTS, {"number": "+1"}).status_code == 403
    assert viewer.api("DELETE", one(contact)).status_code == 403


def test_file_of_contacts_has_no_formulas(alice, mallory):
    make_contact(alice.workspace, name="=1+1", notes="<script>", variables={"a": "@b"})
    make_contact(mallory.workspace, name="Mallory's")

    answer = alice.client.get("/people/contacts.csv")
    text = b"".join(answer.streaming_content).decode()
    heading, row = csv.reader(io.StringIO(text))

    assert answer["Content-Type"].startswith("text/csv")
    cells = dict(zip(heading, row, strict=True))
    assert (cells["number"], cells["name"]) == (f"'{NUMBER}", "'=1+1")
    assert cells["variables"] == '{"a": "@b"}'
