"""One page a person: what is known of them, and all calls and texts with them."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from telephony.models import AfterCall, Contact, Note, ScheduledCall
from telephony.services import contacts, do_not_contact, sending, timelines
from telephony.tests.calls import make_agent, make_call
from telephony.tests.test_contacts import NUMBER, make_contact
from telephony.tests.texting import TEXTER, make_texting_number, text_in
from tests.people import Tenant, join

pytestmark = pytest.mark.django_db
PAGE = f"/people/{NUMBER}"
SCRIPT = "<script>alert(1)</script>"


def page_of(tenant, path=PAGE, **headers):
    answer = tenant.client.get(path, headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def form_data(**changes):
    consents = {"call_consent": "unknown", "text_consent": "unknown"}
    return {"name": "Ann Smith", "variables": "", **consents, **changes}


# -- The list --------------------------------------------------------------------------


def test_contacts_are_found_by_name_and_number(alice, mallory):
    make_contact(alice.workspace, name="Ann Smith")
    make_contact(alice.workspace, "+4930123456", name="Ben Jones")
    make_contact(mallory.workspace, name="Ann of Mallory")

    assert "Ann Smith" in page_of(alice, "/people")
    assert "Ben Jones" in page_of(alice, "/people")
    assert "Mallory" not in page_of(alice, "/people")
    by_name = page_of(alice, "/people?q=smith")
    assert "Ann Smith" in by_name and "Ben Jones" not in by_name
    by_number = page_of(alice, "/people?q=%2B49+30", **{"HX-Request": "true"})
    assert "Ben Jones" in by_number and "Ann Smith" not in by_number
    assert "<html" not in by_number
    assert "No contact matches" in page_of(alice, "/people?q=nobody")


def test_list_has_pages(alice, monkeypatch):
    monkeypatch.setattr("telephony.views.people.PER_PAGE", 2)
    for n in range(5):
        make_contact(alice.workspace, f"+1628555010{n}", name=f"Person {n}")

    first = alice.client.get("/people")
    second = alice.client.get("/people" + first.context["older"])

    assert [c.name for c in first.context["page"].rows] == ["Person 4", "Person 3"]
    assert [c.name for c in second.context["page"].rows] == ["Person 2", "Person 1"]
    newer = alice.client.get("/people" + second.context["newer"])
    assert newer.context["page"].rows == first.context["page"].rows


def test_list_says_what_it_is_for_while_it_is_empty(alice):
    assert "No contacts yet" in page_of(alice, "/people")
    assert alice.client.get("/people?before=x").status_code == 422


# -- One person ------------------------------------------------------------------------


def test_person_without_a_contact_has_a_page_by_number(alice):
    call = make_call(alice.workspace, from_number=NUMBER)

    page = page_of(alice)

    assert call.get_absolute_url() in page
    assert "Save as contact" in page
    assert Contact.unscoped.count() == 0


@pytest.mark.parametrize("number", ["16285550123", "+0123", "+1628x", "STOP", "+1%00"])
def test_what_is_no_number_is_nobody(number, alice):
    for path in ("", "/change"):
        assert alice.client.get(f"/people/{number}{path}").status_code == 404
    assert alice.client.post(f"/people/{number}/delete").status_code == 404


def test_timeline_has_calls_and_texts_newest_first_and_none_of_others():
    number = make_texting_number()
    owner = number.phone.owner
    agent = make_agent(owner, "Second")
    first = make_call(owner, from_number=TEXTER, agent=agent)
    AfterCall.unscoped.create(owner=owner, call=first, summary="Wants a refund.")
    text_in(number, "One")
    text_in(number, "Two")
    last = make_call(owner, direction="outgoing", to_number=TEXTER)
    whatsapp = f"whatsapp:{TEXTER}"
    sent = sending.send(number.phone, whatsapp, body="Three", by=None, at=now())
    make_call(owner, from_number=TEXTER, is_test=True)
    make_call(owner, from_number="+16285550999")
    stranger = make_texting_number(name="mallory")
    make_call(stranger.phone.owner, from_number=TEXTER)
    text_in(stranger, "Of another workspace")

    def told(**wanted):
        timeline = timelines.of_number(owner, TEXTER, size=10, **wanted)
        return [
            entry.call or [message.body for message in entry.texts]
            for entry in timeline.entries
        ]

    assert told() == [["Three"], last, ["One", "Two"], first]
    conversation = sent.conversation
    note = Note.unscoped.create(owner=owner, conversation=conversation, text="Hm.")
    (newest, *_) = timelines.of_number(owner, TEXTER, size=10).entries
    assert newest.note == note
    assert told(only="calls") == [last, first]
    assert told(only="texts") == [["Three"], ["One", "Two"]]


def test_earlier_entries_are_fetched_and_nothing_comes_twice(alice, monkeypatch):
    monkeypatch.setattr("telephony.views.people.ENTRIES", 2)
    calls = [make_call(alice.workspace, from_number=NUMBER) for _ in range(5)]
    found, query = [], ""
    while query is not None:
        answer = alice.client.get(PAGE + query, headers={"HX-Request": "true"})
        found += [entry.call for entry in answer.context["timeline"].entries]
        query = answer.context["older"]

    assert found == calls[::-1]
    assert "<html" not in answer.content.decode()
    assert "Show earlier" not in answer.content.decode()
    # Without scripts the link leads to a whole page.
    assert "<html" in page_of(alice, f"{PAGE}?before={calls[2].pk}")
    assert alice.client.get(f"{PAGE}?show=other").status_code == 404


def test_page_shows_what_is_known_and_what_is_to_come(alice):
    agent = make_agent(alice.workspace)
    make_contact(
        alice.workspace,
        name="Ann Smith",
        notes="Prefers mornings.",
        variables={"plan": "Gold"},
        timezone="Asia/Tokyo",
        call_consent="given",
        call_consent_note="by mail",
    )
    later = now() + timedelta(days=1)
    row = ScheduledCall.unscoped.create(
        owner=alice.workspace,
        agent=agent,
        to_number=NUMBER,
        scheduled_for=later,
        due_at=later,
        next_attempt_at=later,
    )

    page = page_of(alice)

    for words in ("Ann Smith", "Prefers mornings.", "Gold", "Asia/Tokyo", "by mail"):
        assert words in page
    assert row.get_absolute_url() in page
    assert "/calls/new?number=%2B16285550123" in page


def test_who_must_not_be_contacted_is_said_and_not_offered(alice):
    row = do_not_contact.add(owner=alice.workspace, number=NUMBER, reason="by mail")

    page = page_of(alice)

    assert "Nobody calls or texts this number" in page and "by mail" in page
    assert f"/do-not-contact/{row.pk}/delete" in page
    assert "/calls/new?" not in page


def test_list_of_numbers_not_to_contact_leads_back_to_the_person(alice):
    form = f"/do-not-contact/new?person=1&number=%2B{NUMBER[1:]}"
    shown = page_of(alice, form)
    added = alice.client.post(form, {"number": NUMBER, "one": "1"})
    row = do_not_contact.find(alice.workspace, NUMBER)
    leave = f"/do-not-contact/{row.pk}/delete?person=1"
    removed = alice.client.post(leave, {"reason": "asked"})

    assert f'value="{NUMBER}"' in shown and "person=1" in shown
    assert (added.url, removed.url) == (PAGE, PAGE)
    assert do_not_contact.find(alice.workspace, NUMBER) is None


def test_page_takes_few_statements_however_much_there_is(
    django_assert_max_num_queries,
):
    number = make_texting_number()
    owner = number.phone.owner
    for n in range(10):
        make_call(owner, from_number=TEXTER)
        text_in(number, f"Text {n}")
    make_contact(owner, TEXTER, name="Ann")

    with django_assert_max_num_queries(7):
        timeline = timelines.of_number(owner, TEXTER, size=30)
        assert len(timeline.entries) == 20
        assert all(
            entry.call or str(entry.conversation.phone) for entry in timeline.entries
        )


# -- Making, changing and deleting -----------------------------------------------------


def test_contact_is_made_from_a_number_and_changed(alice):
    made = alice.client.post(
        f"{PAGE}/change", form_data(notes="Likes tea.", variables="plan: Gold: old\n")
    )
    contact = contacts.find(alice.workspace, NUMBER)

    assert made.url == PAGE
    assert (contact.name, contact.notes) == ("Ann Smith", "Likes tea.")
    assert contact.variables == {"plan": "Gold: old"}

    alice.client.post(f"{PAGE}/change", form_data(name="Ann Jones"))
    contact.refresh_from_db()
    assert (contact.name, contact.notes, contact.variables) == ("Ann Jones", "", {})


def test_contact_is_added_once(alice):
    data = form_data(number="+1 628 555 0123")

    assert alice.client.post("/people/new", data).url == PAGE
    again = alice.client.post("/people/new", data)

    assert again.status_code == 422
    assert "There is a contact with this number." in again.content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "nobody"},
        {"variables": "no colon"},
        {"variables": "bad name: x"},
        {"call_consent": "perhaps"},
        {"timezone": "Nowhere/Town"},
        {"notes": "x" * 5_001},
        {"name": "a\0b"},
    ],
)
def test_what_cannot_be_is_not_saved(wrong, alice):
    answer = alice.client.post(f"{PAGE}/change", form_data(**wrong))

    assert answer.status_code == 422
    assert contacts.find(alice.workspace, NUMBER) is None


def test_moment_of_a_consent_that_is_left_alone_keeps_its_seconds(alice):
    make_contact(alice.workspace, call_consent="given")
    since = contacts.find(alice.workspace, NUMBER).call_consent_at
    alice.client.get(f"{PAGE}/change")
    shown = alice.client.get(f"{PAGE}/change").context["form"]["call_consent_at"]

    same = form_data(call_consent="given", call_consent_at=_as_typed(shown.value()))
    alice.client.post(f"{PAGE}/change", same)
    assert contacts.find(alice.workspace, NUMBER).call_consent_at == since

    alice.client.post(f"{PAGE}/change", same | {"call_consent": "refused"})
    assert contacts.find(alice.workspace, NUMBER).call_consent_at > since


def _as_typed(moment):
    return moment.strftime("%Y-%m-%dT%H:%M")


def test_contact_is_deleted_and_brought_back(alice):
    make_contact(alice.workspace, name="Ann Smith")

    alice.client.post(f"{PAGE}/delete")
    assert contacts.find(alice.workspace, NUMBER) is None
    assert "Contact" in page_of(alice, "/deleted")

    (contact,) = Contact.unscoped.all()
    alice.client.post(f"/deleted/{contact.pk}/restore")
    assert contacts.find(alice.workspace, NUMBER).name == "Ann Smith"


def test_refusal_is_kept_when_the_contact_is_to_be_deleted(alice):
    make_contact(alice.workspace, call_consent="refused")

    answer = alice.client.post(f"{PAGE}/delete", follow=True)

    assert "which would be forgotten" in answer.content.decode()
    assert contacts.find(alice.workspace, NUMBER) is not None


# -- Who may, and what is data ---------------------------------------------------------


def test_viewer_reads_and_changes_nothing(alice):
    make_contact(alice.workspace, name="Ann Smith")
    viewer = join(alice, "vera", "viewer")

    page = page_of(viewer)

    assert "Ann Smith" in page
    assert f"{PAGE}/change" not in page and f"{PAGE}/delete" not in page
    for path in ("/people/new", f"{PAGE}/change", f"{PAGE}/delete"):
        assert viewer.client.post(path, form_data()).status_code == 403


def test_number_of_another_workspace_tells_nothing(alice, mallory):
    make_contact(
        alice.workspace, name="Ann Smith", notes="Secret", timezone="Asia/Tokyo"
    )
    make_call(alice.workspace, from_number=NUMBER)
    do_not_contact.add(owner=alice.workspace, number=NUMBER)
    unknown = "+16285550124"

    theirs = page_of(mallory)
    nobodys = page_of(mallory, f"/people/{unknown}")

    def plain(page, number):
        return page.replace(number[1:], "N").replace(number[-4:], "N").split("<main")[1]

    assert plain(theirs, NUMBER) == plain(nobodys, unknown)
    assert mallory.client.post(f"{PAGE}/delete").status_code == 404


def test_scripts_are_inert_everywhere():
    number = make_texting_number()
    owner = number.phone.owner
    member = join(Tenant(None, owner, None), "ann", "member")
    call = make_call(owner, from_number=TEXTER, agent=make_agent(owner, SCRIPT))
    AfterCall.unscoped.create(owner=owner, call=call, summary=SCRIPT)
    text = text_in(number, SCRIPT)
    Note.unscoped.create(owner=owner, conversation=text.conversation, text=SCRIPT)
    make_contact(
        owner,
        TEXTER,
        name=SCRIPT,
        notes=SCRIPT,
        variables={"a": SCRIPT},
        call_consent="given",
        call_consent_note=SCRIPT,
    )
    at = now() + timedelta(days=1)
    row = ScheduledCall.unscoped.create(
        owner=owner,
        agent=number.agent,
        to_number=TEXTER,
        scheduled_for=at,
        due_at=at,
    )

    for path in (
        "/people",
        f"/people/{TEXTER}",
        f"/people/{TEXTER}/change",
        call.get_absolute_url(),
        row.get_absolute_url(),
        text.conversation.get_absolute_url(),
    ):
        page = member.client.get(path).content.decode()
        assert "alert(1)" in page, path
        assert SCRIPT not in page, path
