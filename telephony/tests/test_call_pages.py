"""The pages of calls: what they show, to whom, and what they cost."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from telephony.end_reasons import WHAT_TO_DO
from telephony.models import Call, CallEvent
from telephony.services import history
from telephony.tests.calls import (
    make_agent,
    make_call,
    make_live_call,
    make_phone,
    make_turn,
)
from telephony.views.calls import PER_PAGE, SETTLING_TIME

pytestmark = pytest.mark.django_db

LIST = reverse("telephony:call_list")
LIVE = reverse("telephony:call_live")
BADGE = reverse("telephony:call_live_badge")
HTMX = {"HX-Request": "true"}
MOST_STATEMENTS = 6
ENDED_WELL = {
    "transferred",
    "caller_hung_up",
    "agent_ended",
    "busy",
    "no_answer",
    "canceled",
    "voicemail",
    "hung_up_here",
}


def text_of(response):
    return unescape(response.content.decode())


def listed(response):
    """The ids of the calls in a page, in its order."""
    links = re.findall(r'href="/calls/([0-9a-f-]{36})"', response.content.decode())
    return [uuid.UUID(link) for link in links]


def ids(*calls):
    return [call.pk for call in calls]


def link(response, word):
    """Where the page's link `word` leads."""
    found = re.search(rf'<a href="([^"]*)"[^>]*rel="{word}"', text_of(response))
    return found and found[1]


def errors(response):
    form = response.context["form"]
    return {form.add_prefix(name): list(texts) for name, texts in form.errors.items()}


# -- The list --------------------------------------------------------------------------


def test_list_is_newest_first_and_of_the_own_workspace_only(alice, mallory):
    now = timezone.now()
    older = make_call(alice.workspace, now - timedelta(hours=1))
    newer = make_call(alice.workspace, now)
    make_call(mallory.workspace, now)

    assert listed(alice.client.get(LIST)) == ids(newer, older)


def test_list_shows_a_call_in_plain_words(alice):
    agent = make_agent(alice.workspace, name="Night <desk>")
    call = make_call(alice.workspace, agent=agent, end_reason="time_up", is_test=True)
    for number, reply_ms in [(1, 900), (2, 300), (3, 500)]:
        make_turn(call, number, "Hello", speaker="agent", reply_ms=reply_ms)

    page = alice.client.get(LIST)

    table = page.content.decode().split("<tbody>")[1]
    row = unescape(" ".join(re.sub("<[^>]*>", " ", table).split()))
    assert row.startswith("+1 415-555-0100 Test Incoming Night <desk> Completed The")
    assert "The longest call time was reached" in row
    assert "1:01 500 ms" in row


def test_list_names_the_zone_once_and_shows_times_in_it(alice):
    alice.user.timezone = "Asia/Kathmandu"
    alice.user.save()
    make_call(alice.workspace, datetime(2026, 3, 8, 12, tzinfo=UTC))

    shown = text_of(alice.client.get(LIST))

    assert shown.count("times in Asia/Kathmandu") == 1
    assert "8 Mar, 17:45" in shown


def test_list_turns_pages_by_key_and_keeps_the_filters(alice):
    now = timezone.now()
    calls = [
        make_call(alice.workspace, now - timedelta(minutes=n))
        for n in range(PER_PAGE * 2 + 1)
    ]
    make_call(alice.workspace, now, direction="outgoing")

    first = alice.client.get(f"{LIST}?direction=incoming&status=")
    second = alice.client.get(link(first, "next"))
    third = alice.client.get(link(second, "next"))
    back = alice.client.get(link(third, "prev"))

    assert listed(first) == ids(*calls[:PER_PAGE])
    assert link(first, "prev") is None
    assert link(first, "next") == (
        f"{LIST}?direction=incoming&before={calls[PER_PAGE - 1].pk}"
    )
    assert listed(second) == ids(*calls[PER_PAGE : PER_PAGE * 2])
    assert listed(third) == ids(calls[-1])
    assert link(third, "next") is None
    assert listed(back) == listed(second)


def test_list_costs_the_same_few_statements_however_long_it_is(
    alice, settings, django_assert_max_num_queries
):
    settings.USERSESSIONS_TRACK_ACTIVITY = False  # every page's, and none of ours
    make_phone(alice.workspace)
    for n in range(PER_PAGE + 5):
        at = timezone.now() - timedelta(minutes=n)
        call = make_call(alice.workspace, at, agent=make_agent(alice.workspace, f"{n}"))
        make_turn(call, 1, "Hello", reply_ms=1)
    alice.client.get(LIST)

    with django_assert_max_num_queries(MOST_STATEMENTS) as captured:
        alice.client.get(LIST)

    asked = " ".join(query["sql"] for query in captured.captured_queries).upper()
    assert [word for word in ("COUNT(", "OFFSET") if word in asked] == []


@pytest.fixture
def varied(alice):
    """A few calls, each of them different in one thing."""
    owner, noon = alice.workspace, datetime(2026, 3, 8, 12, tzinfo=UTC)
    phone, agent = make_phone(owner), make_agent(owner)
    calls = {
        "plain": {},
        "outgoing": {"direction": "outgoing", "to_number": "+4930901820"},
        "failed": {"status": "failed", "from_number": "+4930901821"},
        "agent": {"agent": agent},
        "phone": {"phone": phone},
        "test": {"is_test": True},
        "early": {"at": noon - timedelta(days=2)},
        "late": {"at": noon + timedelta(days=2)},
        "said": {},
    }
    made = {
        name: make_call(owner, **{"at": noon + timedelta(seconds=n), **fields})
        for n, (name, fields) in enumerate(calls.items())
    }
    make_turn(made["said"], 1, "Do you do Whitening on 50% of teeth?")
    return made


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("direction=outgoing", {"outgoing"}),
        ("status=failed", {"failed"}),
        ("number=30+90-18", {"outgoing", "failed"}),
        ("number=%2B493090182", {"outgoing", "failed"}),
        ("kind=test", {"test"}),
        ("q=whitening", {"said"}),
        ("q=50%25", {"said"}),
        ("q=5_%25", set()),
        ("to=2026-03-07", {"early"}),
        ("from=2026-03-09", {"late"}),
        ("from=2026-03-06&to=2026-03-06", {"early"}),
        ("direction=outgoing&status=failed", set()),
        ("unheard-of=1&direction=outgoing", {"outgoing"}),
    ],
)
def test_list_is_narrowed_by_each_filter(query, names, alice, varied):
    page = alice.client.get(f"{LIST}?{query}")

    found = {name for name, call in varied.items() if call.pk in listed(page)}
    assert (page.status_code, found) == (200, names)


def test_list_is_narrowed_to_an_agent_a_phone_or_real_calls(alice, varied):
    by_agent = alice.client.get(f"{LIST}?agent={varied['agent'].agent_id}")
    by_phone = alice.client.get(f"{LIST}?phone={varied['phone'].phone_id}")
    real = alice.client.get(f"{LIST}?kind=real")

    assert listed(by_agent) == ids(varied["agent"])
    assert listed(by_phone) == ids(varied["phone"])
    assert len(listed(real)) == len(varied) - 1


def test_list_is_narrowed_to_an_agent_and_a_phone_that_are_gone(alice):
    phone, agent = make_phone(alice.workspace), make_agent(alice.workspace, "Gone")
    wanted = make_call(alice.workspace, agent=agent, phone=phone)
    make_call(alice.workspace)
    make_agent(alice.workspace, "Here")
    phone.put_away()
    agent.put_away()

    by_agent = alice.client.get(LIST, {"agent": agent.pk})
    by_phone = alice.client.get(LIST, {"phone": phone.pk})

    assert (listed(by_agent), listed(by_phone)) == (ids(wanted), ids(wanted))
    offered = [label for _, label in by_agent.context["form"]["agent"].field.choices]
    assert offered == ["Any agent", "Here", "Gone (deleted)"]


def test_days_are_the_viewers_across_a_change_of_the_clock(alice):
    """8 March 2026 has 23 hours in Los Angeles: 08:00 to 07:00 in UTC."""
    alice.user.timezone = "America/Los_Angeles"
    alice.user.save()
    times = [(8, 7, 59), (8, 8, 0), (9, 6, 59), (9, 7, 0)]
    _before, first, last, _after = [
        make_call(alice.workspace, datetime(2026, 3, day, hour, minute, tzinfo=UTC))
        for day, hour, minute in times
    ]

    page = alice.client.get(f"{LIST}?from=2026-03-08&to=2026-03-08")

    assert listed(page) == ids(last, first)


CHOICE = "Select a valid choice. {} is not one of the available choices."
UNKNOWN = "Select a valid choice. That choice is not one of the available choices."


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("direction=up", {"direction": [CHOICE.format("up")]}),
        ("status=gone", {"status": [CHOICE.format("gone")]}),
        ("kind=odd", {"kind": [CHOICE.format("odd")]}),
        ("agent=7", {"agent": [f"“{7}” is not a valid UUID."]}),
        (f"agent={uuid.UUID(int=7)}", {"agent": [UNKNOWN]}),
        ("number=abc", {"number": ["Type some digits of the number."]}),
        ("from=yesterday", {"from": ["Enter a valid date."]}),
        (
            "to=0001-01-01",
            {"to": ["Ensure this value is greater than or equal to 2000-01-01."]},
        ),
        (
            "from=2026-03-08&to=2026-03-07",
            {"to": ["This is before the first day."]},
        ),
        ("q=%00", {"q": ["Null characters are not allowed."]}),
        ("before=x", {"before": ["Enter a valid UUID."]}),
    ],
)
def test_unreadable_filter_is_told_beside_its_field(query, told, alice):
    make_call(alice.workspace)

    page = alice.client.get(f"{LIST}?{query}")

    assert (page.status_code, errors(page), listed(page)) == (422, told, [])
    assert all(text in text_of(page) for texts in told.values() for text in texts)


def test_anothers_agent_is_told_like_one_that_never_was(alice, mallory):
    agent = make_agent(mallory.workspace)
    make_call(mallory.workspace, agent=agent)

    page = alice.client.get(f"{LIST}?agent={agent.pk}")

    assert errors(page) == {"agent": [UNKNOWN]}


def test_htmx_gets_the_results_and_the_shortest_address(alice, varied):
    page = alice.client.get(f"{LIST}?q=&status=failed&agent=", headers=HTMX)

    assert listed(page) == ids(varied["failed"])
    assert page.headers["HX-Push-Url"] == f"{LIST}?status=failed"
    assert "HX-Request" in page.headers["Vary"]
    assert "<html" not in text_of(page)


def test_htmx_gets_the_errors_beside_the_fields_and_they_go_again(alice):
    wrong = text_of(alice.client.get(f"{LIST}?number=x", headers=HTMX))
    right = text_of(alice.client.get(f"{LIST}?number=1", headers=HTMX))

    note = '<div id="filter-number-notes" hx-swap-oob="true">'
    assert f'{note}<ul class="errorlist" id="filter-number_error">' in wrong
    assert f"{note}</div>" in right


# -- A search that no index serves -----------------------------------------------------


@pytest.fixture
def narrow_window(monkeypatch):
    monkeypatch.setattr(history, "SEARCHED_CALLS", 5)
    monkeypatch.setattr(history, "SEARCHED_TRANSCRIPTS", 2)


def days_of_calls(owner, count, **of_the_oldest):
    """A call a day, the newest first; the oldest is unlike the others."""
    noon = datetime(2026, 3, 20, 12, tzinfo=UTC)
    calls = [make_call(owner, noon - timedelta(days=n)) for n in range(count - 1)]
    oldest = make_call(owner, noon - timedelta(days=count - 1), **of_the_oldest)
    return [*calls, oldest]


def test_search_goes_on_where_it_stopped(alice, narrow_window):
    *_, oldest = days_of_calls(alice.workspace, 12, status="busy")

    pages = [alice.client.get(f"{LIST}?status=busy")]
    while further := re.search(r'<a href="([^"]*before=[^"]*)"', text_of(pages[-1])):
        pages.append(alice.client.get(further[1]))

    assert [listed(page) for page in pages] == [[], [], ids(oldest)]
    assert "Searched back to 16 Mar 2026" in text_of(pages[0])
    assert "Searched back to 11 Mar 2026" in text_of(pages[1])
    assert "Searched back" not in text_of(pages[2])
    assert all("Search further" in text_of(page) for page in pages[:2])


def test_search_of_transcripts_tells_what_it_found_and_how_far_it_looked(
    alice, narrow_window
):
    newest, *_, oldest = days_of_calls(alice.workspace, 4)
    for call in (newest, oldest):
        make_turn(call, 1, "Do you do whitening?")

    first = alice.client.get(f"{LIST}?q=whitening")
    second = alice.client.get(link(first, "next"))

    assert (listed(first), listed(second)) == (ids(newest), ids(oldest))
    assert "Searched back to 19 Mar 2026" in text_of(first)


def test_search_to_newer_calls_goes_on_too(alice, narrow_window):
    *calls, oldest = days_of_calls(alice.workspace, 9, status="busy")
    newest = make_call(alice.workspace, status="busy")

    near = alice.client.get(f"{LIST}?status=busy&after={oldest.pk}")
    far = alice.client.get(f"{LIST}?status=busy&after={calls[3].pk}")

    assert (listed(near), listed(far)) == ([], ids(newest))
    assert "Newer calls may match" in text_of(near)
    assert f"after={calls[3].pk}" in text_of(near)


def test_full_page_of_a_search_goes_on_behind_its_last_call(alice, monkeypatch):
    monkeypatch.setattr(history, "SEARCHED_CALLS", PER_PAGE + 1)
    calls = days_of_calls(alice.workspace, PER_PAGE + 3)

    first = alice.client.get(f"{LIST}?status=completed")
    second = alice.client.get(link(first, "next"))

    assert listed(first) == ids(*calls[:PER_PAGE])
    assert listed(second) == ids(*calls[PER_PAGE:])
    assert "Searched back" not in text_of(first)


@pytest.mark.parametrize("chosen", ["agent", "phone"])
def test_what_an_index_finds_is_never_cut_short(chosen, alice, narrow_window):
    row = {"agent": make_agent, "phone": make_phone}[chosen](alice.workspace)
    *_, oldest = days_of_calls(alice.workspace, 12, **{chosen: row})

    page = alice.client.get(LIST, {chosen: row.pk})

    assert listed(page) == ids(oldest)


def test_list_without_any_call_says_what_to_do(alice):
    assert "No calls yet" in text_of(alice.client.get(LIST))


def test_list_without_a_match_offers_to_clear(alice):
    make_call(alice.workspace)

    shown = text_of(alice.client.get(f"{LIST}?status=busy"))

    assert "No call matches" in shown
    assert f'href="{LIST}"' in shown.split("No call matches")[1]


# -- One call --------------------------------------------------------------------------


def test_detail_shows_transcript_facts_and_timeline(alice):
    agent = make_agent(alice.workspace)
    call = make_call(
        alice.workspace,
        agent=agent,
        sid="CA" + "1" * 32,
        model_label="gpt at example.com",
        prompt_version=3,
        is_demo=True,
        transport="gather",
    )
    make_turn(call, 1, "<script>alert(1)</script>", speaker="agent", reply_ms=420)
    make_turn(call, 2, 'He said "no" & left', interrupted=True)
    CallEvent.unscoped.create(
        owner=alice.workspace, call=call, status="ringing", at=call.started_at
    )

    page = alice.client.get(call.get_absolute_url())

    told = [(moment.title, moment.offset_s) for moment in page.context["timeline"]]
    raw, shown = page.content.decode(), text_of(page)
    assert told == [
        ("Call came in", 0),
        ("Carrier: Ringing", 0),
        ("Answered", 0),
        ("Ended", 61),
    ]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in raw
    assert "&amp;lt;" not in raw and "&amp;quot;" not in raw
    for words in (
        "replied in 420 ms",
        'He said "no" & left',
        "interrupted",
        "Demo responder",
        "The other party hung up",
        "gpt at example.com",
        f'data-copy="{call.sid}"',
        "Turn by turn",
    ):
        assert words in shown


def test_detail_of_anothers_call_is_not_found(alice, mallory):
    call = make_call(mallory.workspace, sid="CA" + "2" * 32)

    by_id = alice.client.get(call.get_absolute_url())
    by_sid = alice.client.get(reverse("telephony:call_by_sid", args=[call.sid]))

    assert (by_id.status_code, by_sid.status_code) == (404, 404)


def test_call_is_found_by_the_carriers_sid(alice, mallory):
    """Another workspace may know a call of the same SID."""
    call = make_call(alice.workspace, sid="CA1")
    make_call(mallory.workspace, sid="CA1")

    answer = alice.client.get(reverse("telephony:call_by_sid", args=["CA1"]))

    assert (answer.status_code, answer.url) == (302, call.get_absolute_url())


def test_a_sid_that_no_database_takes_is_not_found(alice):
    assert alice.client.get("/calls/by-sid/%00").status_code == 404


def test_detail_stays_readable_when_phone_and_agent_are_gone(alice):
    agent, phone = make_agent(alice.workspace, "Old desk"), make_phone(alice.workspace)
    call = make_call(alice.workspace, agent=agent, phone=phone)
    agent.put_away()
    phone.put_away()

    shown = text_of(alice.client.get(call.get_absolute_url()))

    assert shown.count("(deleted)") == 3  # below the title, and in the facts
    assert agent.get_absolute_url() not in shown
    assert phone.get_absolute_url() not in shown


def test_every_bad_end_has_advice_and_the_page_gives_it(alice):
    call = make_call(alice.workspace, status="failed", end_reason="connection_failed")

    shown = text_of(alice.client.get(call.get_absolute_url()))

    assert set(WHAT_TO_DO) == set(Call.EndReason.values) - ENDED_WELL
    assert str(WHAT_TO_DO["connection_failed"]) in shown


def polled(page):
    """The address that the page asks again by itself, if it does."""
    found = re.search(r'<div id="call"[^>]* hx-get="([^"]*)"', text_of(page))
    return found and found[1]


def test_live_call_refreshes_only_when_something_is_new(alice):
    call = make_live_call(alice.workspace)
    make_turn(call, 1, "Hello")
    url = polled(alice.client.get(call.get_absolute_url()))

    same = alice.client.get(url, headers=HTMX)
    make_turn(call, 2, "Anybody there?")
    changed = alice.client.get(url, headers=HTMX)

    assert (same.status_code, same.content) == (204, b"")
    assert changed.status_code == 200
    assert "Anybody there?" in text_of(changed)
    assert polled(changed) not in (None, url)


def test_call_stops_refreshing_soon_after_its_end(alice):
    ended_at = timezone.now() - SETTLING_TIME
    settling = make_call(alice.workspace, ended_at=ended_at + timedelta(seconds=5))
    settled = make_call(alice.workspace, ended_at=ended_at)

    assert polled(alice.client.get(settling.get_absolute_url())) is not None
    assert polled(alice.client.get(settled.get_absolute_url())) is None


# -- Live ------------------------------------------------------------------------------


def test_live_lists_open_calls_with_their_last_words(alice, mallory):
    now = timezone.now()
    call = make_live_call(alice.workspace, now - timedelta(seconds=65))
    ringing = make_live_call(
        alice.workspace, now, status="ringing", answered_at=None, is_test=True
    )
    make_turn(call, 1, "Hello?", speaker="agent")
    make_turn(call, 2, "A <b>question</b>")
    make_call(alice.workspace)
    make_live_call(mallory.workspace)

    page = alice.client.get(LIVE)

    assert listed(page) == ids(ringing, call)
    assert "2 calls in progress" in text_of(page)
    assert "A &lt;b&gt;question&lt;/b&gt;" in page.content.decode()
    assert re.search(r"\b1:(0[5-9]|[1-5]\d)\b", text_of(page))  # since its start


def test_live_costs_the_same_however_many_calls_there_are(
    alice, settings, django_assert_max_num_queries
):
    settings.USERSESSIONS_TRACK_ACTIVITY = False
    for _ in range(5):
        make_turn(make_live_call(alice.workspace), 1, "Hello")
    alice.client.get(LIVE)

    with django_assert_max_num_queries(3):
        alice.client.get(LIVE)


def test_live_says_when_there_are_more_than_it_shows(alice, monkeypatch):
    monkeypatch.setattr("telephony.views.calls.MOST_LIVE", 1)
    make_live_call(alice.workspace)
    newest = make_live_call(alice.workspace)

    page = alice.client.get(LIVE)

    assert listed(page) == ids(newest)
    assert "More than 1 calls in progress" in text_of(page)


def test_live_can_be_paused(alice):
    running = text_of(alice.client.get(LIVE, headers=HTMX))
    paused = text_of(alice.client.get(f"{LIVE}?paused=1", headers=HTMX))

    assert 'hx-trigger="changed, every 5s"' in running and "Pause updates" in running
    assert "hx-trigger" not in paused and "Resume updates" in paused


def test_badge_counts_open_calls_of_the_workspace(alice, mallory):
    make_live_call(alice.workspace)
    make_call(alice.workspace)

    assert "1 call in progress" in re.sub(
        r"<[^>]*>", "", text_of(alice.client.get(BADGE))
    )
    assert text_of(mallory.client.get(BADGE)).strip() == ""


@pytest.mark.parametrize("url", [LIST, LIVE, BADGE, "/", "/test", "/dashboard/live"])
def test_signed_out_visitors_are_sent_to_the_log_in(url, client, db):
    answer = client.get(url)

    assert (answer.status_code, answer.url.split("?")[0]) == (302, "/account/login/")


@pytest.mark.parametrize("url", [LIST, LIVE, "/", "/test"])
def test_no_component_is_left_uncompiled(url, alice):
    make_live_call(alice.workspace, agent=make_agent(alice.workspace))
    make_agent(alice.workspace, name="Second")

    shown = text_of(alice.client.get(url))

    assert [left for left in ("<c-", "{%", "{{", "{#") if left in shown] == []


# -- The calls of an agent -------------------------------------------------------------


def test_agent_calls_are_its_latest_five(alice):
    agent, other = (make_agent(alice.workspace, name) for name in ("One", "Two"))
    calls = [make_call(alice.workspace, agent=agent) for _ in range(6)]
    make_call(alice.workspace, agent=other)

    page = alice.client.get(reverse("telephony:agent_calls", args=[agent.pk]))

    assert listed(page) == ids(*reversed(calls[1:]))
    assert f'href="{LIST}?agent={agent.pk}"' in text_of(page)


def test_agent_calls_of_an_agent_without_calls_say_so(alice):
    agent = make_agent(alice.workspace)

    page = alice.client.get(reverse("telephony:agent_calls", args=[agent.pk]))

    assert "No calls yet" in text_of(page)


def test_agent_calls_of_another_workspace_are_not_found(alice, mallory):
    agent = make_agent(mallory.workspace)

    page = alice.client.get(reverse("telephony:agent_calls", args=[agent.pk]))

    assert page.status_code == 404


def test_detail_shows_what_a_tool_was_asked_and_answered(alice):
    call = make_call(alice.workspace)
    use = {"name": "find", "arguments": '{"q": "<b>"}', "status": "timed_out"}
    make_turn(call, 1, "When?")
    make_turn(call, 2, "No <answer>", speaker="tool", tool=use | {"elapsed_ms": 340})

    shown = text_of(alice.client.get(call.get_absolute_url()))

    for words in ('find({"q": "<b>"})', "Took too long", "took 340 ms", "No <answer>"):
        assert words in shown


def test_live_page_shows_the_last_words_and_not_a_tools(alice):
    call = make_live_call(alice.workspace)
    make_turn(call, 1, "When are you open?")
    use = {"name": "find", "arguments": "{}", "status": "running", "elapsed_ms": 0}
    make_turn(call, 2, "", speaker="tool", tool=use)

    assert "When are you open?" in text_of(alice.client.get(LIVE))
