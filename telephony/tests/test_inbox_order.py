"""Order in the inbox: whose it is, labels, notes, snoozing, sending later."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.utils.timezone import now

from accounts.models import AuditEntry, Membership
from telephony import tasks
from telephony.models import CannedReply, Contact, Conversation, Label, Message, Note
from telephony.services import conversations, do_not_contact, inbox_words, sending
from telephony.tests.test_api_messages import number_of
from telephony.tests.test_inbox_pages import page, posted, rows_of
from telephony.tests.texting import TEXTER, conversation_of, text_in
from tests.people import join

pytestmark = pytest.mark.django_db

OTHER = "+14155550142"
Status = Message.Status


@pytest.fixture
def number(alice):
    return number_of(alice)


@pytest.fixture
def conversation(number):
    text_in(number, "Is a table free?")
    return conversation_of(number)


@pytest.fixture
def bob(alice):
    return join(alice, "bob", "member")


def path_of(conversation, action=""):
    return f"{conversation.get_absolute_url()}{action}"


def a_label(owner, name="VIP"):
    label = Label(owner=owner, name=name)
    inbox_words.save(label)
    return label


def latest_entry():
    return AuditEntry.unscoped.order_by("-pk").first()


# -- Whose it is -----------------------------------------------------------------------


def test_a_conversation_is_given_to_a_member(alice, bob, number, conversation):
    text_in(number, "Another", sender=OTHER)

    posted(alice, path_of(conversation, "/assign"), user=bob.user.pk)

    conversation.refresh_from_db()
    assert conversation.assigned_to == bob.user
    assert latest_entry().changes["assigned_to"] == [None, str(bob.user)]
    mine = page(bob, "/inbox?tab=open&assigned=me")
    others = page(bob, "/inbox?tab=open&assigned=nobody")
    assert rows_of(mine) == [str(conversation.pk)]
    assert rows_of(others) == [str(conversation_of(number, OTHER).pk)]
    assert rows_of(page(alice, "/inbox?tab=open&assigned=me")) == []


def test_it_is_given_to_nobody_outside(alice, mallory, conversation):
    answer = posted(
        alice,
        path_of(conversation, "/assign"),
        status=200,
        hx=True,
        user=mallory.user.pk,
    )

    assert "valid choice" in answer["HX-Trigger"]
    with pytest.raises(conversations.NoMember):
        conversations.assign(conversation, mallory.user)
    conversation.refresh_from_db()
    assert conversation.assigned_to is None


def test_who_takes_over_has_it_if_nobody_has(alice, bob, conversation):
    posted(alice, path_of(conversation, "/take-over"))
    posted(alice, path_of(conversation, "/release"))
    posted(bob, path_of(conversation, "/take-over"))

    conversation.refresh_from_db()
    assert conversation.assigned_to == alice.user


def test_it_stays_with_who_has_left_until_it_is_given_on(alice, bob, conversation):
    conversations.assign(conversation, bob.user)
    Membership.objects.filter(user=bob.user).delete()

    assert "Bob" in page(alice, path_of(conversation))


# -- Labels ----------------------------------------------------------------------------


def test_labels_are_put_on_and_taken_off(alice, number, conversation):
    text_in(number, "Another", sender=OTHER)
    vip, late = a_label(alice.workspace), a_label(alice.workspace, "Late <b>")

    posted(alice, path_of(conversation, "/labels"), labels=[vip.pk, late.pk])
    both = page(alice, path_of(conversation))
    listed = page(alice, f"/inbox?tab=open&label={vip.pk}")
    posted(alice, path_of(conversation, "/labels"), labels=[late.pk])

    assert "VIP" in both and "Late &lt;b&gt;" in both
    assert rows_of(listed) == [str(conversation.pk)]
    assert latest_entry().changes == {"labels": [["Late <b>", "VIP"], ["Late <b>"]]}
    assert rows_of(page(alice, f"/inbox?tab=open&label={vip.pk}")) == []


def test_another_workspaces_label_is_unknown(alice, mallory, conversation):
    theirs = a_label(mallory.workspace)

    answer = posted(
        alice, path_of(conversation, "/labels"), 200, hx=True, labels=[theirs.pk]
    )

    assert "not one of the available choices" in answer["HX-Trigger"]
    page(alice, f"/inbox?label={theirs.pk}", status=422)


def test_a_deleted_label_is_shown_no_more_and_comes_back(alice, conversation):
    vip = a_label(alice.workspace)
    conversations.set_labels(conversation, [vip])

    posted(alice, f"/inbox/labels/{vip.pk}/delete")
    without = page(alice, path_of(conversation))
    alice.client.post(f"/deleted/{vip.pk}/restore")

    assert ">VIP<" not in without
    assert ">VIP<" in page(alice, path_of(conversation))


@pytest.mark.parametrize("kind", ["labels", "canned-replies"])
def test_words_are_made_changed_and_deleted(alice, kind):
    model = Label if kind == "labels" else CannedReply
    given = {"name": "Hello", "text": "Hello!"}
    posted(alice, f"/inbox/{kind}", **given)
    again = posted(alice, f"/inbox/{kind}", status=422, **given)
    row = model.unscoped.get()

    posted(alice, f"/inbox/{kind}/{row.pk}", **given | {"name": "Bye"})
    changed = page(alice, f"/inbox/{kind}")
    posted(alice, f"/inbox/{kind}/{row.pk}/delete")

    assert "There is one with this name." in again.content.decode()
    assert "Bye" in changed
    assert model.objects.for_owner(alice.workspace).count() == 0


def test_nobody_changes_another_workspaces_words(mallory, alice):
    vip = a_label(alice.workspace)

    page(mallory, f"/inbox/labels/{vip.pk}", status=404)
    posted(mallory, f"/inbox/labels/{vip.pk}/delete", status=404)

    assert "VIP" not in page(mallory, "/inbox/labels")


# -- Notes and canned replies ----------------------------------------------------------


def test_a_note_is_in_the_thread_and_sent_to_nobody(alice, number, conversation):
    posted(alice, path_of(conversation, "/notes"), note="Ask <i>Dana</i>")
    text_in(number, "Hello?")

    html = page(alice, path_of(conversation)).partition('id="texts"')[2]

    places = [html.index(words) for words in ("a table", "Ask &lt;i&gt;", "Hello?")]
    assert places == sorted(places)
    assert Note.unscoped.get().user == alice.user
    assert Message.unscoped.filter(direction="outgoing").count() == 0


def test_a_canned_reply_is_filled_in_behind_what_is_written(alice, conversation):
    Contact.unscoped.create(
        owner=alice.workspace,
        number=TEXTER,
        name="Ada {{ my_name }}",
        variables={"plan": "Gold"},
    )
    reply = CannedReply(
        owner=alice.workspace,
        name="Hello",
        text="Hello {{ contact_name }}, {{ my_name }} here. {{ plan }}, {{ date }}?",
    )
    inbox_words.save(reply)

    answer = posted(
        alice,
        path_of(conversation, "/reply"),
        status=200,
        body="Dear Ada,",
        canned=reply.pk,
    )

    (body,) = re.findall(r'id="id_body"[^>]*>\s*([^<]*)<', answer.content.decode())
    assert body == ("Dear Ada,\nHello Ada {{ my_name }}, Alice here. Gold, {{ date }}?")
    assert Message.unscoped.filter(direction="outgoing").count() == 0


@pytest.mark.parametrize("pk", ["nonsense", "01900000-0000-7000-8000-000000000000"])
def test_an_unknown_canned_reply_is_not_found(alice, conversation, pk):
    posted(alice, path_of(conversation, "/reply"), status=404, canned=pk)


# -- Snoozing --------------------------------------------------------------------------


def snoozed(conversation, hours=1):
    return conversations.snooze(conversation, until=now() + timedelta(hours=hours))


def test_a_snoozed_one_comes_back_in_time_as_unread(alice, conversation):
    conversations.mark_read(conversation)
    posted(alice, path_of(conversation, "/snooze"), when="hour")
    away = [rows_of(page(alice, f"/inbox?tab={tab}")) for tab in ("open", "snoozed")]

    tasks.wake_conversations()
    conversation.refresh_from_db()
    early = conversation.status
    with time_machine.travel(now() + timedelta(hours=1, minutes=1)):
        tasks.wake_conversations()

    assert away == [[], [str(conversation.pk)]]
    assert early == "snoozed"
    conversation.refresh_from_db()
    assert (conversation.status, conversation.snoozed_until) == ("open", None)
    assert conversation.unread_count == 1


def test_a_snoozed_one_comes_back_when_they_write(number, conversation):
    conversations.take_over(conversation)
    snoozed(conversation)

    text_in(number, "Hello?")

    conversation.refresh_from_db()
    assert (conversation.status, conversation.mode) == ("open", "human")
    assert conversation.snoozed_until is None


def test_the_agent_answers_in_a_snoozed_one(number, conversation):
    conversations.take_over(conversation)
    snoozed(conversation)
    conversations.release(conversation, at=now())

    conversation.refresh_from_db()
    assert conversation.next_try_at is not None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"when": "own"}, "Say until when"),
        ({"when": "own", "until": "2020-01-01T10:00"}, "in the past"),
        ({"when": "zebra"}, "valid choice"),
    ],
)
def test_it_is_snoozed_until_a_moment_to_come(alice, conversation, given, told):
    answer = posted(alice, path_of(conversation, "/snooze"), 200, hx=True, **given)

    assert told in answer["HX-Trigger"]
    conversation.refresh_from_db()
    assert conversation.status == "open"


@time_machine.travel("2026-11-27T20:00:00Z", tick=False)  # a Friday
@pytest.mark.parametrize(
    ("when", "until"),
    [
        ("hour", "2026-11-27T21:00:00+00:00"),
        ("tomorrow", "2026-11-28T14:00:00+00:00"),
        ("monday", "2026-11-30T14:00:00+00:00"),
    ],
)
def test_mornings_are_those_of_who_looks(alice, conversation, when, until):
    alice.user.timezone = "America/New_York"
    alice.user.save()

    posted(alice, path_of(conversation, "/snooze"), when=when)

    conversation.refresh_from_db()
    assert conversation.snoozed_until.isoformat() == until


def test_closing_and_waking_end_it(alice, conversation):
    snoozed(conversation)
    posted(alice, path_of(conversation, "/reopen"))
    conversation.refresh_from_db()
    woken = conversation.status
    snoozed(conversation)
    posted(alice, path_of(conversation, "/close"))

    conversation.refresh_from_db()
    assert woken == "open"
    assert (conversation.status, conversation.snoozed_until) == ("closed", None)


# -- Sending later ---------------------------------------------------------------------


def planned(alice, conversation, hours=24, body="See you at eight."):
    at = now()
    return sending.send_later(
        conversation,
        body=body,
        by=alice.user,
        send_at=at + timedelta(hours=hours),
        at=at,
    )


def test_a_text_is_written_for_later_and_sent_once(alice, number, conversation):
    alice.user.timezone = "UTC"
    alice.user.save()
    posted(
        alice,
        path_of(conversation, "/reply"),
        body="See you at eight.",
        send_at="2130-01-10T12:00",
    )
    text = Message.unscoped.get(direction="outgoing")
    before = (text.status, conversation_of(number).last_message.body)
    shown = page(alice, path_of(conversation))

    tasks.send_due_texts()
    text.refresh_from_db()
    early = text.status
    with time_machine.travel("2130-01-10T12:00:03Z"):
        tasks.send_due_texts()
        tasks.send_due_texts()

    assert before == (Status.LATER, "Is a table free?")
    assert "Will be sent" in shown
    assert early == Status.LATER
    text.refresh_from_db()
    assert text.status == Status.WAITING
    conversation.refresh_from_db()
    assert (conversation.mode, conversation.last_message) == ("agent", text)


def test_what_is_due_goes_to_the_carrier_though_it_is_old(
    alice, number, conversation, monkeypatch
):
    asked = []
    monkeypatch.setattr(sending, "_ask", lambda message: asked.append(message) or True)
    planned(alice, conversation)

    with time_machine.travel(now() + timedelta(hours=24, seconds=5)):
        tasks.send_due_texts()
        sending.send_waiting(conversation.pk)
        sending.send_waiting(conversation.pk)

    assert [message.body for message in asked] == ["See you at eight."]


def test_a_text_for_later_holds_no_other_one_up(alice, conversation, monkeypatch):
    asked = []
    monkeypatch.setattr(sending, "_ask", lambda message: asked.append(message) or True)
    planned(alice, conversation)
    sending.reply(conversation, body="Now", by=alice.user, takes_over=True, at=now())

    sending.send_waiting(conversation.pk)

    assert [message.body for message in asked] == ["Now"]


def test_a_text_for_later_is_canceled_while_there_is_time(alice, conversation):
    text, due = planned(alice, conversation), planned(alice, conversation, body="Due")
    posted(alice, f"/texts/{text.pk}/cancel")
    Message.unscoped.filter(pk=due.pk).update(status=Status.WAITING)

    late = posted(alice, f"/texts/{due.pk}/cancel", status=200, hx=True)
    with time_machine.travel(now() + timedelta(hours=25)):
        tasks.send_due_texts()

    text.refresh_from_db()
    due.refresh_from_db()
    assert (text.status, due.status) == (Status.CANCELED, Status.WAITING)
    assert "too late" in late["HX-Trigger"]


def test_who_stops_meanwhile_gets_nothing(alice, conversation):
    text = planned(alice, conversation)
    do_not_contact.add(owner=alice.workspace, number=TEXTER)

    with time_machine.travel(now() + timedelta(hours=24, seconds=5)):
        tasks.send_due_texts()
        sending.send_waiting(conversation.pk)

    text.refresh_from_db()
    assert text.status == Status.BLOCKED


def test_nothing_goes_out_from_a_number_that_was_removed(alice, number, conversation):
    text = planned(alice, conversation)
    number.phone.put_away()

    refused = posted(
        alice, path_of(conversation, "/reply"), 422, body="Hello", takes_over="1"
    )
    with time_machine.travel(now() + timedelta(hours=24, seconds=5)):
        tasks.send_due_texts()
        sending.send_waiting(conversation.pk)

    assert "was removed" in refused.content.decode()
    text.refresh_from_db()
    assert (text.status, text.error_detail) == (
        Status.FAILED,
        "Your number of this conversation was removed.",
    )


def test_a_time_in_the_past_is_refused(alice, conversation):
    answer = posted(
        alice,
        path_of(conversation, "/reply"),
        status=422,
        body="Hello",
        send_at="2020-01-01T10:00",
    )

    assert "This is in the past." in answer.content.decode()


def test_a_viewer_keeps_no_order(alice, conversation):
    viewer, vip = join(alice, "victor", "viewer"), a_label(alice.workspace)
    text = planned(alice, conversation)

    assert "VIP" in page(viewer, "/inbox/labels")
    for action in ("assign", "labels", "snooze", "notes"):
        posted(viewer, path_of(conversation, f"/{action}"), status=403)
    for path in (
        "/inbox/labels",
        f"/inbox/labels/{vip.pk}",
        f"/texts/{text.pk}/cancel",
    ):
        posted(viewer, path, status=403)
    assert Conversation.unscoped.get().status == "open"
