"""The inbox's pages, by their own addresses."""

import re
from datetime import timedelta
from html import unescape
from urllib.parse import quote

import pytest
from django.utils.timezone import now

from telephony.models import Conversation, Message, TextToolUse
from telephony.services import conversations, do_not_contact, facts
from telephony.tests.calls import make_call
from telephony.tests.test_api_messages import number_of
from telephony.tests.texting import TEXTER, conversation_of, text_in, thread
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
def viewer(alice):
    return join(alice, "victor", "viewer")


def page(tenant, path, status=200, **headers):
    answer = tenant.client.get(path, headers=headers)
    assert answer.status_code == status, answer.content
    return answer.content.decode()


def posted(tenant, path, status=302, hx=False, **fields):
    headers = {"HX-Request": "true"} if hx else {}
    answer = tenant.client.post(path, fields, headers=headers)
    assert answer.status_code == status, answer.content
    return answer


def rows_of(html):
    """The conversations that a list shows, in its order."""
    return re.findall(r'id="row-([^"]+)"', html)


def tab_counts(html):
    return re.findall(r'tabular-nums[^"]*">([\d,+]+)</span></a>', html)


def ours(conversation, status, **fields):
    """A text of ours that has got that far."""
    return Message.unscoped.create(
        **{
            "owner": conversation.owner,
            "conversation": conversation,
            "carrier_account": conversation.phone.carrier_account,
            "direction": "outgoing",
            "from_number": conversation.our_address,
            "to_number": conversation.address,
            "body": "We open at nine.",
            "status": status,
            "sent_by": "agent",
            **fields,
        }
    )


# -- The list --------------------------------------------------------------------------


def test_a_conversation_is_listed_where_it_belongs(alice, number, conversation):
    text_in(number, "Another", sender=OTHER)
    conversations.take_over(conversation)
    other = conversation_of(number, OTHER)

    needing = page(alice, "/inbox")
    open_ones = page(alice, "/inbox?tab=open")
    conversations.close(conversation, at=now())
    closed = page(alice, "/inbox?tab=closed")

    assert rows_of(needing) == [str(conversation.pk)]
    assert rows_of(open_ones) == [str(other.pk), str(conversation.pk)]
    assert tab_counts(open_ones) == ["1", "2", "0", "0"]
    assert rows_of(closed) == [str(conversation.pk)]
    assert tab_counts(closed) == ["0", "1", "0", "1"]


def test_only_unread_ones_are_listed_on_request(alice, number, conversation):
    text_in(number, "Another", sender=OTHER)
    conversations.mark_read(conversation)

    html = page(alice, "/inbox?tab=open&unread=1")

    assert rows_of(html) == [str(conversation_of(number, OTHER).pk)]


def test_a_count_ends_at_a_bound(alice, conversation, monkeypatch):
    Conversation.unscoped.bulk_create(
        Conversation(owner=alice.workspace, phone=conversation.phone, address=f"+1{n}")
        for n in range(12)
    )
    monkeypatch.setattr("telephony.services.inbox.MOST_COUNTED", 10)

    assert tab_counts(page(alice, "/inbox")) == ["0", "10+", "0", "0"]


def test_pages_of_the_list_follow_each_other(alice, number, monkeypatch):
    monkeypatch.setattr("telephony.forms.inbox.PER_PAGE", 2)
    at = now()
    made = [
        Conversation.unscoped.create(
            owner=alice.workspace,
            phone=number.phone,
            address=f"+1202555{n:04}",
            last_message_at=at - timedelta(minutes=n // 2),  # two a moment
        )
        for n in range(5)
    ]
    wanted = sorted(made, key=lambda row: (row.last_message_at, row.pk), reverse=True)
    pages, path, htmls = [], "/inbox?tab=open", []
    while path:
        html = page(alice, path)
        htmls.append(html)
        pages.append(rows_of(html))
        older = re.search(r'href="([^"]+)"[^>]*rel="next"', html)
        path = older and older[1].replace("&amp;", "&")

    back = re.search(r'href="([^"]+)"[^>]*rel="prev"', htmls[2])[1]

    assert sum(pages, []) == [str(row.pk) for row in wanted]
    assert [len(rows) for rows in pages[:3]] == [2, 2, 1]
    assert rows_of(page(alice, back.replace("&amp;", "&"))) == pages[1]


@pytest.mark.parametrize("query", ["tab=zebra", "before=nonsense", "unread=x"])
def test_a_filter_that_cannot_be_read_says_so(alice, query):
    html = page(alice, f"/inbox?{query}", status=422)

    assert "This list cannot be shown" in html


@pytest.mark.parametrize("wanted", ["table", "+4915112345678", "345678", "TABLE FREE"])
def test_words_and_numbers_are_found_in_any_tab(alice, number, conversation, wanted):
    text_in(number, "Something else", sender=OTHER)
    conversations.close(conversation, at=now())

    html = page(alice, f"/inbox?q={quote(wanted)}")

    assert rows_of(html) == [str(conversation.pk)]


def test_what_nothing_matches_is_said(alice, conversation):
    html = page(alice, "/inbox?q=zebra")

    assert rows_of(html) == []
    assert "Looked through the newest 10,000" in html


def test_a_list_takes_few_statements(
    alice, conversation, django_assert_max_num_queries
):
    page(alice, "/inbox")

    with django_assert_max_num_queries(7):
        page(alice, "/inbox?tab=open")


def test_another_workspaces_conversations_are_not_there(mallory, conversation):
    text = Message.unscoped.get()
    path = conversation.get_absolute_url()

    assert rows_of(page(mallory, "/inbox?tab=open")) == []
    assert rows_of(page(mallory, "/inbox?q=table")) == []
    page(mallory, path, status=404)
    page(mallory, f"{path}/texts", status=404)
    page(mallory, f"/texts/{text.pk}/media/0", status=404)
    for action in ("reply", "take-over", "release", "close", "reopen", "read"):
        posted(mallory, f"{path}/{action}", status=404, body="Hello")
    posted(mallory, f"/texts/{text.pk}/repeat", status=404)


def test_the_badge_counts_what_people_have_to_read(alice, conversation):
    assert page(alice, "/inbox/badge").strip() == ""

    conversations.take_over(conversation)

    assert ">1<" in page(alice, "/inbox/badge")


# -- One conversation ------------------------------------------------------------------


def test_scripts_in_a_text_are_inert(alice, number):
    evil = "<script>alert(1)</script>{{ 7|add:7 }}"
    text_in(number, evil)
    path = conversation_of(number).get_absolute_url()

    for shown in ("/inbox?tab=open", "/inbox?q=alert", path, f"{path}/texts"):
        html = page(alice, shown)
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7|add:7 }}" in html


def test_a_failed_text_says_why_and_is_sent_again_once(alice, conversation):
    failed = ours(conversation, Status.UNDELIVERED, error_code=30003)
    path = conversation.get_absolute_url()
    html = page(alice, path)

    posted(alice, f"/texts/{failed.pk}/repeat")
    posted(alice, f"/texts/{failed.pk}/repeat")

    assert "Their telephone could not be reached" in html
    assert "Send again" in html
    (again,) = Message.unscoped.filter(repeats=failed)
    assert (again.body, again.status, again.user) == (
        failed.body,
        Status.WAITING,
        alice.user,
    )
    assert "Send again" not in page(alice, path)


def test_a_text_of_which_nobody_knows_is_sent_again_by_an_explicit_word(
    alice, conversation
):
    lost = ours(conversation, Status.UNKNOWN)

    posted(alice, f"/texts/{lost.pk}/repeat")
    assert not Message.unscoped.filter(repeats=lost).exists()
    posted(alice, f"/texts/{lost.pk}/repeat", may_arrive_twice="1")

    assert Message.unscoped.filter(repeats=lost).count() == 1


@pytest.mark.parametrize("status", [Status.WAITING, Status.SENT, Status.DELIVERED])
def test_a_text_that_may_have_arrived_is_not_sent_again(alice, conversation, status):
    text = ours(conversation, status)

    posted(alice, f"/texts/{text.pk}/repeat", may_arrive_twice="1")

    assert Message.unscoped.filter(repeats=text).count() == 0


def test_a_picture_is_shown_through_us(alice, conversation):
    media = [{"sid": "ME1", "content_type": "image/png"}]
    Message.unscoped.update(media=media)
    text = Message.unscoped.get()

    html = page(alice, conversation.get_absolute_url())

    assert f'src="/texts/{text.pk}/media/0"' in html


def test_what_is_known_is_not_fetched_again(alice, number, conversation):
    path = f"{conversation.get_absolute_url()}/texts"
    seen = re.search(r"seen=([^\"&]+)", page(alice, path))[1]

    unchanged = alice.client.get(f"{path}?seen={seen}")
    text_in(number, "Hello?")
    changed = alice.client.get(f"{path}?seen={seen}")

    assert unchanged.status_code == 204
    assert "Hello?" in changed.content.decode()
    assert 'id="conversation-state"' in changed.content.decode()
    assert 'id="reply"' not in changed.content.decode()


def test_without_an_agent_a_reply_needs_no_confirmation(alice, conversation, number):
    number.texting_agent.put_away()
    conversations.close(conversation, at=now())

    posted(alice, f"{conversation.get_absolute_url()}/reply", body="Hello")

    assert thread(number)[-1] == ("user", "Hello")
    assert conversation_of(number).need == "taken_over"


def test_earlier_texts_are_on_pages_of_their_own(alice, conversation, monkeypatch):
    monkeypatch.setattr("telephony.services.inbox.TEXTS_A_PAGE", 2)
    ours(conversation, Status.SENT, body="Two")
    ours(conversation, Status.SENT, body="Three")

    html = page(alice, f"{conversation.get_absolute_url()}?tab=closed")
    earlier = unescape(re.search(r'href="([^"]+texts_before=[^"]+)"', html)[1])
    before = page(alice, earlier)

    assert "Is a table free?" not in html.partition('id="texts"')[2]
    assert "Is a table free?" in before.partition('id="texts"')[2]
    assert "To the latest texts" in before
    assert "tab=closed" in earlier  # the list beside it stays as it was


# -- Who has it ------------------------------------------------------------------------


def test_a_reply_takes_over_after_one_confirmation(alice, conversation):
    path = f"{conversation.get_absolute_url()}/reply"

    asked = posted(alice, path, status=422, body="I am Dana.")
    assert thread_of(conversation) == ["Is a table free?"]
    posted(alice, path, body="I am Dana.", takes_over="1")
    posted(alice, path, body="At eight?")

    html = asked.content.decode()
    assert "Take over and send" in html
    assert "I am Dana." in html
    conversation.refresh_from_db()
    assert (conversation.mode, conversation.need) == ("human", "taken_over")
    assert thread_of(conversation) == ["Is a table free?", "I am Dana.", "At eight?"]


def thread_of(conversation):
    texts = Message.unscoped.filter(conversation=conversation).order_by("pk")
    return list(texts.values_list("body", flat=True))


def test_a_reply_by_htmx_brings_the_texts_and_an_empty_form(alice, conversation):
    conversations.take_over(conversation)

    answer = posted(
        alice,
        f"{conversation.get_absolute_url()}/reply",
        status=200,
        hx=True,
        body="At eight?",
    )

    html = answer.content.decode()
    assert "text-sent" in answer["HX-Trigger"]
    assert re.search(r'<textarea[^>]*id="id_body"[^>]*>\s*</textarea>', html)
    assert "At eight?" in html.partition('id="texts"')[2]


def test_nothing_is_written_to_who_has_stopped(alice, conversation):
    do_not_contact.add(owner=alice.workspace, number=TEXTER)

    answer = posted(
        alice,
        f"{conversation.get_absolute_url()}/reply",
        status=422,
        body="Please?",
        takes_over="1",
    )

    assert "do-not-contact list" in answer.content.decode()
    assert thread_of(conversation) == ["Is a table free?"]
    conversation.refresh_from_db()
    assert conversation.mode == "agent"


def test_taking_over_handing_back_closing_and_opening_again(alice, conversation):
    path = conversation.get_absolute_url()
    states = []
    for action in ("take-over", "release", "close", "reopen"):
        posted(alice, f"{path}/{action}")
        conversation.refresh_from_db()
        states.append((conversation.status, conversation.mode))

    assert states == [
        ("open", "human"),
        ("open", "agent"),
        ("closed", "agent"),
        ("open", "agent"),
    ]


def test_handing_back_needs_an_agent(alice, number, conversation):
    conversations.take_over(conversation)
    number.texting_agent.delete()

    answer = posted(
        alice, f"{conversation.get_absolute_url()}/release", status=200, hx=True
    )

    assert "No message agent is active" in answer["HX-Trigger"]
    conversation.refresh_from_db()
    assert conversation.mode == "human"


def test_reading_makes_it_read(alice, conversation):
    posted(alice, f"{conversation.get_absolute_url()}/read")

    conversation.refresh_from_db()
    assert conversation.unread_count == 0


def test_reading_leaves_labels_that_are_being_chosen_alone(alice, conversation):
    answer = posted(alice, f"{conversation.get_absolute_url()}/read", 200, hx=True)

    html = answer.content.decode()
    assert 'id="texts"' in html
    assert 'id="conversation-state"' in html
    assert 'id="conversation-panel"' not in html
    assert "inbox-changed" in answer["HX-Trigger"]


def test_the_heading_can_have_the_focus_also_when_it_is_replaced(alice, conversation):
    path = conversation.get_absolute_url()

    for shown in (page(alice, path), page(alice, f"{path}/texts")):
        assert '<h1 id="conversation-name" tabindex="-1"' in shown


def test_a_viewer_reads_and_changes_nothing(viewer, conversation):
    path = conversation.get_absolute_url()

    html = page(viewer, path)

    assert "Is a table free?" in html
    assert "As a viewer you can read" in html
    assert "<textarea" not in html
    assert "/read" not in html
    for action in ("reply", "take-over", "release", "close", "reopen", "read"):
        posted(viewer, f"{path}/{action}", status=403)


# -- A new text ------------------------------------------------------------------------


def new(ours, **changes):
    return {
        "phone": str(ours.phone.pk),
        "number": OTHER,
        "way": "sms",
        "body": "Your table is ready.",
        **changes,
    }


@pytest.mark.parametrize(("leaves_to_agent", "mode"), [("", "human"), ("on", "agent")])
def test_a_new_text_begins_a_conversation(alice, number, leaves_to_agent, mode):
    answer = posted(alice, "/inbox/new", **new(number, leaves_to_agent=leaves_to_agent))

    conversation = conversation_of(number, OTHER)
    assert answer.url == conversation.get_absolute_url()
    assert conversation.mode == mode
    assert thread(number, OTHER) == [("user", "Your table is ready.")]


def test_a_new_text_by_whatsapp(alice, number):
    posted(alice, "/inbox/new", **new(number, way="whatsapp"))

    assert thread(number, f"whatsapp:{OTHER}") == [("user", "Your table is ready.")]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"number": "12"}, "country code"),
        ({"body": ""}, "required"),
        ({"body": "x" * 1601}, "1600"),
        ({"phone": "01900000-0000-7000-8000-000000000000"}, "valid choice"),
    ],
)
def test_a_new_text_that_cannot_be_sent_says_why(alice, number, changes, told):
    answer = posted(alice, "/inbox/new", status=422, **new(number, **changes))

    assert told in answer.content.decode()
    assert Message.unscoped.count() == 0


def test_a_new_text_goes_from_ones_own_number_only(mallory, alice, number):
    posted(mallory, "/inbox/new", status=422, **new(number))

    assert Message.unscoped.count() == 0


def test_the_size_of_a_text_is_told_while_it_is_written(alice):
    answer = posted(alice, "/inbox/size", status=200, body="Grüße 🦷")

    assert answer.content.decode().strip() == "7 characters · 1 segment (UCS-2)"


def test_what_the_agent_did_and_noted_is_shown(alice, conversation):
    text = Message.unscoped.get(conversation=conversation)
    call = make_call(alice.workspace)
    own = {"owner": alice.workspace, "conversation": conversation}
    TextToolUse.unscoped.create(
        asked=text,
        number=1,
        name="find_table",
        arguments='{"seats": 4}',
        status="unknown",
        text="<b>cut off</b>",
        **own,
    )
    facts.note(conversation, "party size", "4")
    Message.unscoped.filter(pk=text.pk).update(direction="outgoing", call=call)

    shown = page(alice, conversation.get_absolute_url())

    assert "find_table({&quot;seats&quot;: 4})" in shown
    assert "Nobody knows" in shown and "&lt;b&gt;cut off" in shown
    assert "Noted by the agent" in shown and "party_size" in shown
    assert f'href="{call.get_absolute_url()}"' in shown
