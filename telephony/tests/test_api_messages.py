"""The API of texts."""

from datetime import datetime

import pytest
from django.utils.timezone import now

from agents.models import MessageAgent
from telephony.models import Conversation, Message
from telephony.services import do_not_contact, media_links
from telephony.tests.conftest import make_number
from telephony.tests.texting import TEXTER, text_in
from tests.people import join

pytestmark = pytest.mark.django_db


def number_of(tenant):
    """A number in this person's own workspace, with an agent for texts."""
    number = make_number()
    for row in (number.account, number.phone, number.agent):
        row.owner = tenant.workspace
        row.save()
    number.texting_agent = MessageAgent.unscoped.create(
        owner=tenant.workspace, phone=number.phone, name="Texts", is_active=True
    )
    return number


@pytest.fixture
def number(alice):
    return number_of(alice)


def listed(tenant, path):
    answer = tenant.api("GET", path)
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def new(number, **changes):
    return {
        "phone_id": str(number.phone.pk),
        "to": TEXTER,
        "body": "Your table is ready.",
        **changes,
    }


def test_texts_are_listed_newest_first(alice, number):
    text_in(number, "One")
    text_in(number, "Two")

    rows = listed(alice, "/api/messages")

    assert [row["body"] for row in rows] == ["Two", "One"]
    assert rows[0]["sent_by"] == "other_party"
    assert rows[0]["from_number"] == TEXTER


def test_nobody_sees_another_workspaces_texts(number, mallory):
    message = text_in(number, "Secret")
    conversation = message.conversation_id

    assert listed(mallory, "/api/messages") == []
    assert listed(mallory, "/api/messages/conversations") == []
    for path in (
        f"/api/messages/conversations/{conversation}",
        f"/api/messages/{message.pk}/media/0",
        f"/api/messages/{message.pk}/media/0/link",
    ):
        assert mallory.api("GET", path).status_code == 404
    for action in ("takeover", "release", "close"):
        path = f"/api/messages/conversations/{conversation}/{action}"
        assert mallory.api("POST", path).status_code == 404
    body = {"conversation_id": str(conversation), "body": "Hello"}
    refused = mallory.api("POST", "/api/messages", body)
    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == ["conversation_id"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("direction=incoming", 2),
        ("direction=outgoing", 0),
        ("status=received", 2),
        ("q=tw", 1),
        ("number=123456", 2),
        ("number=999", 0),
        ("from=2000-01-01&to=2000-01-02", 0),
        ("from=2000-01-01", 2),
    ],
)
def test_texts_are_filtered(alice, number, query, found):
    text_in(number, "One")
    text_in(number, "Two")

    assert len(listed(alice, f"/api/messages?{query}")) == found


def test_texts_of_a_number_and_of_a_conversation(alice, number):
    message = text_in(number, "One")
    text_in(number, "Other", sender="+4915112345670")

    of_phone = f"/api/messages?phone_id={number.phone.pk}"
    of_one = f"/api/messages?conversation_id={message.conversation_id}"
    assert len(listed(alice, of_phone)) == 2
    assert [row["body"] for row in listed(alice, of_one)] == ["One"]


def test_unknown_filters_are_refused(alice):
    for query in ("color=red", "status=lost", "from=today", "phone_id=x"):
        assert alice.api("GET", f"/api/messages?{query}").status_code == 400


def test_text_is_sent_and_starts_a_conversation(alice, number):
    answer = alice.api("POST", "/api/messages", new(number))

    told = answer.json()
    assert answer.status_code == 202
    assert (told["status"], told["sent_by"], told["by"]) == ("waiting", "user", "Alice")
    assert (told["from_number"], told["to_number"]) == (number.phone.number, TEXTER)
    message = Message.unscoped.get()
    assert str(message.conversation_id) == told["conversation_id"]
    assert message.conversation.mode == "agent"


def test_text_is_sent_into_a_conversation_with_pictures(alice, number):
    conversation = text_in(number, "Hello").conversation
    body = {
        "conversation_id": str(conversation.pk),
        "media_urls": ["https://example.com/map.png"],
    }

    answer = alice.api("POST", "/api/messages", body)

    assert answer.status_code == 202
    assert answer.json()["media"] == [
        {"url": "https://example.com/map.png", "content_type": ""}
    ]


def test_pictures_in_a_row_are_several_texts(alice, number):
    for name in ("one", "two", "two"):
        media_urls = [f"https://example.com/{name}.png"]
        answer = alice.api("POST", "/api/messages", new(number, media_urls=media_urls))
        assert answer.status_code == 202

    sent = [one.media[0]["url"][-7:] for one in Message.unscoped.order_by("pk")]
    assert sent == ["one.png", "two.png"]


def test_repeated_request_sends_one_text(alice, number):
    for _ in range(2):
        answer = alice.api(
            "POST", "/api/messages", new(number), HTTP_IDEMPOTENCY_KEY="a"
        )
        assert answer.status_code == 202

    assert Message.unscoped.count() == 1


def test_nobody_on_the_list_is_texted(alice, number):
    do_not_contact.add(owner=alice.workspace, number=TEXTER)

    answer = alice.api("POST", "/api/messages", new(number))

    assert answer.status_code == 409
    assert TEXTER in answer.json()["detail"]
    assert not Message.unscoped.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"body": ""}, "body"),
        ({"body": "x" * 1601}, "body"),
        ({"to": "12"}, "to"),
        ({"to": "whatsapp:12"}, "to"),
        ({"media_urls": ["ftp://a.example/x"]}, "media_urls.0"),
        ({"phone_id": "0190c7e2-2b6a-7c11-9d7e-5f0a3c1b2d04"}, "phone_id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_text_without_sense_is_refused(alice, number, changes, field):
    answer = alice.api("POST", "/api/messages", new(number, **changes))

    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_strangers_number_is_as_an_unknown_one(alice, mallory):
    answer = alice.api("POST", "/api/messages", new(number_of(mallory)))

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["phone_id"]


def test_conversation_shows_who_has_it_and_its_last_text(alice, number):
    message = text_in(number, "Hello")

    (row,) = listed(alice, "/api/messages/conversations")

    assert row["number"] == TEXTER
    assert (row["mode"], row["status"], row["unread_count"]) == ("agent", "open", 1)
    assert row["last_message"]["id"] == str(message.pk)
    path = f"/api/messages/conversations/{row['id']}"
    assert alice.api("GET", path).json() == row | {"facts": [], "costs": []}


def test_conversation_is_taken_over_released_and_closed(alice, number):
    conversation = text_in(number, "Hello").conversation
    path = f"/api/messages/conversations/{conversation.pk}"

    states = []
    for action in ("takeover", "takeover", "release", "close"):
        answer = alice.api("POST", f"{path}/{action}")
        assert answer.status_code == 200, answer.content
        states.append((answer.json()["mode"], answer.json()["status"]))

    assert states == [
        ("human", "open"),
        ("human", "open"),
        ("agent", "open"),
        ("agent", "closed"),
    ]


def test_without_an_agent_nothing_is_released(alice, number):
    conversation = text_in(number, "Hello").conversation
    MessageAgent.unscoped.update(is_active=False)

    path = f"/api/messages/conversations/{conversation.pk}/release"
    assert alice.api("POST", path).status_code == 409


@pytest.mark.parametrize(
    ("query", "found"),
    [("mode=agent", 1), ("mode=human", 0), ("status=open", 1), ("status=closed", 0)],
)
def test_conversations_are_filtered(alice, number, query, found):
    text_in(number, "Hello")

    path = f"/api/messages/conversations?{query}"
    assert len(listed(alice, path)) == found


def test_conversation_is_found_by_number(alice, number):
    text_in(number, "Hello")
    text_in(number, "Hello", sender=f"whatsapp:{TEXTER}")

    path = f"/api/messages/conversations?number=%2B{TEXTER[1:]}"
    assert len(listed(alice, path)) == 2
    assert alice.api("GET", f"{path[:-13]}x").status_code == 400


def test_viewer_reads_and_changes_nothing(alice, number):
    conversation = text_in(number, "Hello").conversation
    viewer = join(alice, "vera", "viewer")

    assert len(listed(viewer, "/api/messages")) == 1
    assert viewer.api("POST", "/api/messages", new(number)).status_code == 403
    path = f"/api/messages/conversations/{conversation.pk}/takeover"
    assert viewer.api("POST", path).status_code == 403
    assert Conversation.unscoped.get().mode == "agent"


def test_a_link_opens_a_picture_until_it_runs_out(alice, number):
    message = text_in(number, "")
    Message.unscoped.update(media=[{"sid": "ME1", "content_type": "image/png"}])

    told = alice.api("GET", f"/api/messages/{message.pk}/media/0/link")
    none = alice.api("GET", f"/api/messages/{message.pk}/media/1/link")

    token = told.json()["url"].rpartition("/")[2]
    until = datetime.fromisoformat(told.json()["expires_at"])
    assert none.status_code == 404
    assert media_links.opened(token, at=now()) == (message, 0)
    assert media_links.opened(token, at=until) is None
