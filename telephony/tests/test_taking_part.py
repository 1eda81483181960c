"""People take part in calls: by page and API, in a live session and turn by turn."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from telephony.models import Call, DoNotContact, Intervention, Turn
from telephony.services import calls, interventions, taking_part
from telephony.tests.calls import make_agent, make_live_call, make_phone
from telephony.tests.conftest import (
    WITHIN_S,
    ended,
    make_number,
    relay_session,
    transcript,
    wait_for_end,
)
from telephony.tests.test_gather import Caller
from tests.people import join
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

GREETING = ("agent", "Hello, this is Brightside.")
PERSON = "+14155550188"
HTMX = {"HX-Request": "true"}


def want(call, kind, text=""):
    return taking_part.ask(call, kind=kind, text=text, by=None, at=now())


def status_of(wish):
    return Intervention.unscoped.get(pk=wish.pk).standing


def wait_until_done(wish):
    wait_until(lambda: status_of(wish) == "done", WITHIN_S, "it is done")


# -- In a live session, told by bells of a real broker ---------------------------------


@pytest.fixture
def number(live, stub_llm, broker_url, settings):
    settings.REDIS_URL = broker_url
    settings.LLM_BASE_URL = stub_llm.base_url
    return make_number(end_call_message="Thank you for calling.")


@pytest.fixture
def ring(live, number):
    def rung():
        _, call = number.ring()
        return call

    return rung


def talking(call):
    """Until the session has written that the call is answered."""
    wait_until(lambda: ended(call)[0] == "in-progress", WITHIN_S, "it is answered")
    return call


def test_sentence_is_said_and_marked(live, ring, stub_llm):
    call = ring()
    with relay_session(live, call) as caller:
        wish = want(talking(call), "say", "I have found your order.")
        assert caller.hear() == "I have found your order."
        wait_until_done(wish)
        caller.hang_up()

    turn = Turn.unscoped.get(call=call, number=2)
    assert (turn.speaker, turn.text) == ("agent", "I have found your order.")
    assert stub_llm.requests == []


def test_sentence_waits_for_the_reply_that_is_made(live, ring, stub_llm):
    stub_llm.configure(
        mode="script",
        replies=("We are open from 8 to 17 on every day but Sunday.",),
        tokens_per_second=15,
    )
    call = ring()
    with relay_session(live, call) as caller:
        caller.say("When are you open?")
        beginning = caller.hear_words(1)
        wish = want(talking(call), "say", "And on Saturday until noon.")
        reply = beginning + caller.hear()
        assert reply == "We are open from 8 to 17 on every day but Sunday."
        assert caller.hear() == "And on Saturday until noon."
        wait_until_done(wish)
        caller.hang_up()

    assert [text for _, text in transcript(call)][-2:] == [
        reply,
        "And on Saturday until noon.",
    ]


def test_whisper_reaches_the_model_and_not_the_caller(live, ring, stub_llm):
    stub_llm.configure(mode="script", replies=("Ten percent off for you.",))
    call = ring()
    with relay_session(live, call) as caller:
        wish = want(talking(call), "whisper", "Offer ten percent.")
        wait_until_done(wish)
        assert caller.ask("That is dear.") == "Ten percent off for you."
        caller.hang_up()

    system, *others = stub_llm.requests[0]["messages"]
    assert "Offer ten percent." in system["content"]
    assert "Offer ten percent." not in json.dumps(others)
    assert transcript(call) == [
        GREETING,
        ("instruction", "Offer ten percent."),
        ("caller", "That is dear."),
        ("agent", "Ten percent off for you."),
    ]


def test_call_is_ended_with_a_goodbye(live, ring):
    call = ring()
    with relay_session(live, call) as caller:
        wish = want(talking(call), "end")
        assert caller.hear() == "Thank you for calling."
        assert caller.receive()["type"] == "end"
        caller.hang_up()

    wait_for_end(call, "hung_up_here")
    assert status_of(wish) == "done"


def test_call_is_handed_over_to_the_number_that_was_typed(live, ring, number):
    call = ring()
    with relay_session(live, call) as caller:
        wish = want(talking(call), "transfer", PERSON)
        last = caller.receive()
        caller.hang_up()
    wait_until_done(wish)

    handoff = last["handoffData"]
    path = reverse("webhooks:relay_ended", args=[call.pk]) + "?session=0"
    told = {"SessionStatus": "ended", "HandoffData": handoff}
    document = number.post(path, number.of_call(call, **told)).content.decode()

    assert f">{PERSON}</Number>" in document
    path = reverse("webhooks:handed_over", args=[call.pk]) + "?session=0"
    number.post(path, number.of_call(call, DialCallStatus="busy"))
    call.refresh_from_db()
    turn = Turn.unscoped.filter(call=call, speaker="tool").get()
    assert (call.transfer_to, call.times_resumed) == ("", 1)
    assert (turn.tool["status"], "line was busy" in turn.text) == ("failed", True)


def test_wish_that_nobody_took_in_time_is_not_done_late(live, ring, monkeypatch):
    monkeypatch.setattr(taking_part, "LAPSES_AFTER", timedelta(0))
    call = ring()
    with relay_session(live, call) as caller:
        wish = want(talking(call), "say", "Too late.")
        caller.hang_up()

    assert status_of(wish) == "not_reached"
    assert transcript(call) == [GREETING]


def test_wishes_are_heard_without_a_broker_too(live, ring, settings):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    call = ring()
    with relay_session(live, call) as caller:
        wish = want(talking(call), "say", "I have found your order.")
        assert caller.hear() == "I have found your order."
        wait_until_done(wish)
        caller.hang_up()


# -- What becomes of a wish ------------------------------------------------------------


@pytest.fixture
def call(alice):
    make_phone(alice.workspace)  # whose country may be called
    return make_live_call(
        alice.workspace,
        agent=make_agent(alice.workspace, transfer_number=PERSON),
        transport="stream",
    )


def test_wish_is_taken_once(call):
    wish = want(call, "say", "Hello")

    assert [taken.pk for taken in interventions.take(call)] == [wish.pk]
    assert interventions.take(call) == []


def test_wish_that_was_not_carried_out_goes_to_the_next_session(call):
    wish = want(call, "say", "Hello")
    interventions.take(call)

    interventions.give_back(call)

    assert status_of(wish) == "waiting"
    assert [taken.pk for taken in interventions.take(call)] == [wish.pk]


def test_wish_of_a_process_that_died_is_never_done_again(call):
    wish = want(call, "say", "Hello")
    interventions.take(call)
    call.times_resumed = 1

    calls.begin_session(call, now())

    assert interventions.take(call) == []
    assert status_of(wish) == "lost"


@pytest.mark.parametrize(
    ("is_taken", "seconds", "status"),
    [(False, 1, "too_late"), (False, 9, "not_reached"), (True, 1, "lost")],
)
def test_end_of_the_call_says_what_became_of_it(call, is_taken, seconds, status):
    wish = want(call, "say", "Hello")
    if is_taken:
        interventions.take(call)

    calls.move_on(call, "completed", at=now() + timedelta(seconds=seconds))

    assert Intervention.unscoped.get(pk=wish.pk).status == status


def test_wish_that_was_done_stays_done_whatever_was_believed(call):
    wish = want(call, "say", "Hello")
    interventions.take(call)
    calls.move_on(call, "completed", at=now())

    interventions.fulfil(call, str(wish.pk))

    assert status_of(wish) == "done"


def test_wish_that_was_not_done_before_the_end_was_too_late(call):
    wish = want(call, "say", "Hello")
    interventions.take(call)
    calls.move_on(call, "completed", at=now())

    interventions.give_back(call)

    assert status_of(wish) == "too_late"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "completed", "ended_at": now()}, "The call is over."),
        ({"status": "ringing"}, "The agent is not talking to anybody yet."),
        ({"agent": None}, "The agent is not talking to anybody yet."),
        ({"handed_over_at": now()}, "A person has the call."),
        ({"end_reason": "agent_ended"}, "The call is about to end."),
    ],
)
def test_nobody_takes_part_where_that_makes_no_sense(call, changes, why):
    for name, value in changes.items():
        setattr(call, name, value)

    with pytest.raises(taking_part.CannotTakePart) as refusal:
        want(call, "say", "Hello")

    assert str(refusal.value) == why
    assert not Intervention.unscoped.exists()


def test_only_so_much_is_wanted_at_once(call):
    for _ in range(taking_part.MOST_AT_ONCE):
        want(call, "say", "Hello")

    with pytest.raises(taking_part.CannotTakePart):
        want(call, "say", "Hello")


def test_number_that_may_not_be_called_is_refused_at_once(call):
    DoNotContact.unscoped.create(owner=call.owner, number=PERSON)

    with pytest.raises(taking_part.CannotTakePart) as refusal:
        want(call, "transfer")

    assert "do-not-contact" in str(refusal.value)


# -- Turn by turn ----------------------------------------------------------------------


@pytest.fixture
def caller(db, stub_llm, settings):
    settings.LLM_BASE_URL = stub_llm.base_url
    return Caller(make_number(transport="gather", end_call_message="Thank you."))


def test_whisper_and_sentence_come_with_the_next_turn(caller, stub_llm):
    stub_llm.configure(mode="script", replies=("We are open from 8 to 17.",))
    whisper = want(caller.call, "whisper", "Be brief.")
    say = want(caller.call, "say", "Bye for now.")

    said = caller.say("When are you open?")

    assert " ".join(said.split()) == "We are open from 8 to 17. Bye for now."
    assert "Be brief." in stub_llm.requests[0]["messages"][0]["content"]
    assert (status_of(whisper), status_of(say)) == ("done", "done")
    assert transcript(caller.call) == [
        GREETING,
        ("instruction", "Be brief."),
        ("caller", "When are you open?"),
        ("agent", "We are open from 8 to 17."),
        ("agent", "Bye for now."),
    ]


def test_turn_that_is_delivered_twice_does_it_once(caller, stub_llm):
    stub_llm.configure(mode="script", replies=("We are open from 8 to 17.",))
    want(caller.call, "whisper", "Be brief.")
    want(caller.call, "say", "Bye for now.")
    url = caller.action

    first = caller.post(url, SpeechResult="When are you open?")
    again = caller.post(url, SpeechResult="When are you open?")

    assert words_of(first) == words_of(again)
    assert len(transcript(caller.call)) == 5
    assert len(stub_llm.requests) == 1


def words_of(document):
    return " ".join(say.text for say in document.iter("Say")).split()


def test_whisper_into_silence_says_nothing(caller):
    wish = want(caller.call, "whisper", "Be brief.")
    url = caller.silence

    first, again = caller.post(url), caller.post(url)

    assert words_of(first) == words_of(again) == []
    assert status_of(wish) == "done"
    assert "after=2&silent_s=10" in first.find("Redirect").text
    assert "after=2" in again.find("Redirect").text


def test_person_ends_a_call_between_turns(caller):
    wish = want(caller.call, "end")

    assert caller.wait() == "Thank you."
    assert caller.has_hung_up
    assert (ended(caller.call)[1], status_of(wish)) == ("hung_up_here", "done")


def test_person_hands_over_between_turns(caller):
    want(caller.call, "transfer", PERSON)
    url = caller.silence

    for document in (caller.post(url), caller.post(url)):
        assert document.find("Dial/Number").text == PERSON


# -- Pages and API ---------------------------------------------------------------------


def take_part(tenant, call, **fields):
    path = reverse("telephony:call_take_part", args=[call.pk])
    return tenant.client.post(path, fields, headers=HTMX)


def test_page_offers_it_and_shows_what_came_of_it(alice, call):
    page = alice.client.get(call.get_absolute_url()).content.decode()

    answer = take_part(alice, call, kind="say", text="Hello there")
    shown = alice.client.get(call.get_absolute_url()).content.decode()

    assert "Tell only the agent" in page and PERSON in page
    assert "Hello there" in answer.content.decode()
    assert "On its way" in answer.content.decode()
    assert "Who took part" in shown and "Hello there" in shown
    wish = Intervention.unscoped.get()
    assert (wish.kind, wish.text, wish.by) == ("say", "Hello there", alice.user)


def test_page_without_scripts_says_why_not(alice, call):
    path = reverse("telephony:call_take_part", args=[call.pk])

    answer = alice.client.post(path, {"kind": "say", "text": " "}, follow=True)

    assert answer.redirect_chain == [(call.get_absolute_url(), 302)]
    assert "Type what to say." in answer.content.decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "say"},
        {"kind": "say", "text": "x" * 501},
        {"kind": "say", "text": "\0"},
        {"kind": "transfer", "number": "12"},
    ],
)
def test_page_refuses_what_makes_no_sense(alice, call, fields):
    assert take_part(alice, call, **fields).status_code == 422
    assert not Intervention.unscoped.exists()


@pytest.mark.parametrize("fields", [{}, {"kind": "shout", "text": "x"}])
def test_page_knows_no_other_kinds(alice, call, fields):
    assert take_part(alice, call, **fields).status_code == 400


def test_viewer_watches(alice, call):
    viewer = join(alice, "viewer", "viewer")

    page = viewer.client.get(call.get_absolute_url()).content.decode()

    assert "Tell only the agent" not in page
    assert take_part(viewer, call, kind="say", text="x").status_code == 403
    assert (
        viewer.api("POST", f"/api/calls/{call.pk}/say", {"text": "x"}).status_code
        == 403
    )


def test_outcomes_are_sent_only_when_they_are_new(alice, call):
    path = reverse("telephony:call_interventions", args=[call.pk])
    wish = want(call, "say", "Hello")
    page = alice.client.get(path, headers=HTMX).content.decode()
    seen = page.split("?seen=")[1].split('"')[0]

    same = alice.client.get(f"{path}?seen={seen}", headers=HTMX)
    interventions.fulfil(call, str(wish.pk))
    new = alice.client.get(f"{path}?seen={seen}", headers=HTMX)

    assert (same.status_code, "Done" in new.content.decode()) == (204, True)


def test_forms_go_when_the_call_is_over(alice, call):
    calls.move_on(call, "completed", at=now())
    path = reverse("telephony:call_interventions", args=[call.pk])

    answer = alice.client.get(path, headers=HTMX)

    assert answer["HX-Retarget"] == "#take-part"
    assert answer["HX-Reswap"] == "delete"


@pytest.mark.parametrize(
    ("action", "body", "kind", "text"),
    [
        ("say", {"text": "Hello"}, "say", "Hello"),
        ("whisper", {"text": "Be brief."}, "whisper", "Be brief."),
        ("transfer", {"to": "+1 415 555 0199"}, "transfer", "+14155550199"),
        ("transfer", {}, "transfer", PERSON),
    ],
)
def test_api_takes_part(alice, call, action, body, kind, text):
    answer = alice.api("POST", f"/api/calls/{call.pk}/{action}", body)
    told = alice.api("GET", f"/api/calls/{call.pk}").json()["interventions"]

    assert answer.status_code == 202, answer.content
    assert told == [answer.json()]
    shown = {name: told[0][name] for name in ("kind", "text", "status", "by")}
    assert shown == {"kind": kind, "text": text, "status": "waiting", "by": "Alice"}


def test_api_ends_a_call_with_a_goodbye(alice, call):
    answer = alice.api("POST", f"/api/calls/{call.pk}/hangup", {"goodbye": True})

    assert answer.status_code == 202
    assert Intervention.unscoped.get().kind == "end"


@pytest.mark.parametrize(
    ("action", "body", "field"),
    [
        ("say", {}, "text"),
        ("say", {"text": ""}, "text"),
        ("whisper", {"text": "x", "loud": True}, "loud"),
        ("transfer", {"to": "12"}, "to"),
    ],
)
def test_api_refuses_what_makes_no_sense(alice, call, action, body, field):
    answer = alice.api("POST", f"/api/calls/{call.pk}/{action}", body)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_api_says_it_once_however_often_the_key_comes(alice, call):
    path = f"/api/calls/{call.pk}/say"
    key = {"headers": {"Idempotency-Key": "abc"}}

    answers = [
        alice.client.post(path, {"text": "Hi"}, "application/json", **key)
        for _ in range(2)
    ]

    assert answers[0].content == answers[1].content
    assert Intervention.unscoped.count() == 1


def test_stranger_finds_no_call_to_take_part_in(alice, mallory, call):
    assert take_part(mallory, call, kind="say", text="x").status_code == 404
    path = reverse("telephony:call_interventions", args=[call.pk])
    assert mallory.client.get(path).status_code == 404
    for action in ("say", "whisper", "transfer"):
        path = f"/api/calls/{call.pk}/{action}"
        assert mallory.api("POST", path, {"text": "x"}).status_code == 404
    assert not Intervention.unscoped.exists()


def test_call_that_is_over_is_a_conflict(alice, call):
    Call.unscoped.filter(pk=call.pk).update(status="completed", ended_at=now())

    answer = alice.api("POST", f"/api/calls/{call.pk}/say", {"text": "x"})

    assert (answer.status_code, answer.json()["detail"]) == (409, "The call is over.")
