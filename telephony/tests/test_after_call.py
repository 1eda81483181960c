"""What follows the end of a call, by the real worker's code and a real model server."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from agents.dialogue import Turn as Spoken
from telephony import tasks
from telephony.models import AfterCall, Call
from telephony.services import after_call, calls, silent_calls
from telephony.tests.calls import make_agent, make_call, make_turn
from tests.processes import WITHIN_S, wait_until
from tests.worker import running_task

GOOD = {"summary": "Ada asked for a visit.", "outcome": "resolved"}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
}


@pytest.fixture
def model(settings, stub_llm):
    settings.LLM_BASE_URL, settings.LLM_API_KEY = stub_llm.base_url, "key"
    plan(stub_llm, GOOD)
    return stub_llm


def plan(stub_llm, *answers, **more):
    stub_llm.configure(analyses=tuple(map(json.dumps, answers)), **more)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(after_call, "QUIET_S", 0)


def talk(number):
    """A call in which the caller said something, still going on."""
    call = number.ring()[1]
    calls.begin_session(call, timezone.now())
    calls.record_turn(call, Spoken(1, "agent", "Hello?", at_ms=0))
    calls.record_turn(call, Spoken(2, "caller", "I am Ada.", at_ms=500))
    return call


def end(call, status="completed"):
    calls.record_status(call, status=status, at=timezone.now(), duration_s=3)


def some_time_ago():
    return timezone.now() - timedelta(minutes=10)


def ended_call(owner, **agent_fields):
    """A call that is over, with what is to be done about it."""
    call = make_call(owner, some_time_ago(), agent=make_agent(owner, **agent_fields))
    make_turn(call, 1, "I am Ada.")
    after_call.begin(call)
    return call


def result(call):
    row = AfterCall.unscoped.get(call=call)
    return row.step, row.analysis, row.outcome


def make_due(call):
    """As if the time had come, and any worker at work on it had died."""
    row = AfterCall.unscoped.filter(call=call)
    row.update(next_try_at=timezone.now(), claimed_until=None)


# -- The end of a call -----------------------------------------------------------------


@pytest.mark.django_db
def test_end_of_a_call_begins_what_follows_once(number):
    call = talk(number)
    before = AfterCall.unscoped.count()

    for status in ("completed", "completed", "failed"):
        end(call, status)

    row = AfterCall.unscoped.get(call=call)
    assert before == 0
    assert (row.owner_id, row.step, row.analysis) == (
        *(call.owner_id, "settling", "waiting"),
    )
    assert row.next_try_at is not None


@pytest.mark.django_db
def test_call_that_is_given_up_is_followed_up_too(number):
    call = number.ring()[1]
    long_ago = timezone.now() - timedelta(hours=2)
    Call.unscoped.filter(pk=call.pk).update(
        last_event_at=long_ago, started_at=long_ago, carrier_account=None
    )

    silent_calls.settle(timezone.now())

    call.refresh_from_db()
    assert call.end_reason == "never_reported"
    assert AfterCall.unscoped.filter(call=call).count() == 1


@pytest.mark.django_db
def test_end_that_cannot_be_followed_up_is_no_end(number, monkeypatch):
    """Both or neither: else a crash between them would lose what follows."""
    call = talk(number)
    monkeypatch.setattr(after_call, "begin", lambda call: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        end(call)

    assert Call.unscoped.get(pk=call.pk).status == "in-progress"


def test_services_end_calls_in_one_place_only():
    """`Call.advance` to an end is `calls.move_on`'s alone."""
    from pathlib import Path

    from django.conf import settings

    users = [
        path.relative_to(settings.BASE_DIR).as_posix()
        for app in ("telephony", "agents", "analytics")
        for path in Path(settings.BASE_DIR, app).rglob("*.py")
        if "tests" not in path.parts and ".advance(" in path.read_text()
    ]
    assert users == ["telephony/services/calls.py"]


# -- Settling --------------------------------------------------------------------------


@pytest.mark.django_db
def test_facts_are_settled_when_nothing_was_written_for_a_while(number):
    call = talk(number)
    end(call)
    call.refresh_from_db()
    soon = timezone.now()

    later = soon + timedelta(seconds=after_call.QUIET_S)
    assert not after_call.is_settled(call, at=soon)
    assert after_call.is_settled(call, at=later)
    call.duration_s = None
    assert not after_call.is_settled(call, at=later)
    assert after_call.is_settled(
        call, at=call.ended_at + timedelta(seconds=after_call.LATEST_S)
    )


@pytest.mark.django_db(transaction=True)
def test_call_that_is_not_settled_is_looked_at_again(number, model):
    call = talk(number)
    end(call)

    tasks.follow_up_calls()

    row = AfterCall.unscoped.get(call=call)
    assert (row.step, row.claimed_until) == ("settling", None)
    assert row.next_try_at > timezone.now()
    assert model.requests == []


# -- The analysis ----------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_call_is_summarized_and_its_data_extracted(number, model, quick):
    number.agent.extraction_schema = SCHEMA
    number.agent.save()
    plan(model, GOOD | {"extracted": {"name": "Ada"}})
    call = talk(number)
    end(call)

    tasks.follow_up_calls()
    tasks.follow_up_calls()

    row = AfterCall.unscoped.get(call=call)
    assert result(call)[1:] == ("done", "resolved")
    assert (row.summary, row.extracted) == (GOOD["summary"], {"name": "Ada"})
    assert (row.claimed_until, row.error) == (None, "")
    assert len(model.requests) == 1


@pytest.mark.django_db(transaction=True)
def test_demo_summarizes_without_a_model(number, quick):
    call = talk(number)
    end(call)

    tasks.follow_up_calls()

    assert result(call)[1:] == ("done", "unclear")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"direction": "incoming"}, "no_conversation"),
        ({"direction": "outgoing", "status": "busy"}, "not_reached"),
        ({"direction": "outgoing", "answered_by": "machine_end_beep"}, "voicemail"),
    ],
)
def test_call_in_which_nobody_spoke_is_not_analyzed(alice, model, fields, outcome):
    agent = make_agent(alice.workspace)
    call = make_call(alice.workspace, some_time_ago(), agent=agent, **fields)
    make_turn(call, 1, "Hello?", speaker="agent")
    after_call.begin(call)

    tasks.follow_up_calls()

    assert result(call) == ("done", "no_conversation", outcome)
    assert model.requests == []


@pytest.mark.django_db(transaction=True)
def test_agent_whose_owner_wants_nothing_is_not_analyzed(alice, model):
    call = ended_call(alice.workspace, summary_enabled=False)

    tasks.follow_up_calls()

    assert result(call) == ("done", "not_wanted", "")
    assert model.requests == []


@pytest.mark.django_db(transaction=True)
def test_model_that_is_down_is_asked_again_and_then_given_up(alice, model):
    call = ended_call(alice.workspace)
    model.configure(faults=("401",) * 9)
    tries = len(after_call.RETRY_AFTER_S) + 1

    seen = []
    for _try in range(tries):
        make_due(call)
        tasks.follow_up_calls()
        seen.append(result(call)[1])

    row = AfterCall.unscoped.get(call=call)
    assert seen == ["waiting"] * (tries - 1) + ["failed"]
    assert "refused the request" in row.error
    assert row.next_try_at is None
    assert len(model.requests) == tries


@pytest.mark.django_db(transaction=True)
def test_call_whose_analysis_breaks_its_worker_is_not_analyzed_for_ever(
    alice, model, monkeypatch
):
    call = ended_call(alice.workspace)
    monkeypatch.setattr(after_call, "_note_findings", lambda row, findings: 1 / 0)
    tries = len(after_call.RETRY_AFTER_S) + 1

    for _try in range(tries + 1):
        make_due(call)
        tasks.follow_up_calls()

    assert result(call)[1] == "failed"
    assert "cut off" in AfterCall.unscoped.get(call=call).error
    assert len(model.requests) == tries


@pytest.mark.django_db(transaction=True)
def test_answers_that_break_the_schema_are_a_failure_that_can_be_tried_again(
    alice, model
):
    call = ended_call(alice.workspace, extraction_schema=SCHEMA)
    plan(model, GOOD | {"extracted": {}})
    tasks.follow_up_calls()
    failed = result(call)
    page = alice.client.get(call.get_absolute_url()).content.decode()

    plan(model, GOOD | {"extracted": {"name": "Ada"}})
    alice.client.post(f"/calls/{call.pk}/analyze")
    tasks.follow_up_calls()

    assert failed == ("done", "failed", "")
    assert "&#x27;name&#x27; is a required property" in page
    assert "Try again" in page
    assert result(call) == ("done", "done", "resolved")
    assert AfterCall.unscoped.get(call=call).edition == 2


@pytest.mark.django_db(transaction=True)
def test_one_tenants_many_calls_leave_room_to_another(alice, mallory, monkeypatch):
    rows = [ended_call(alice.workspace, name=f"a{n}") for n in range(12)]
    late = ended_call(mallory.workspace)

    claimed = after_call._claim(10)

    share = after_call.AT_ONCE_OF_AN_OWNER
    owners = [row.owner_id for row in claimed]
    assert owners.count(alice.workspace.pk) == share < len(rows)
    assert late.pk in [row.call_id for row in claimed]
    assert after_call._claim(10) == []


@pytest.mark.django_db(transaction=True)
def test_worker_that_is_killed_while_it_asks_loses_nothing(alice, model):
    call = ended_call(alice.workspace)
    plan(model, GOOD, faults=("slow",))
    told = {"LLM_BASE_URL": model.base_url, "LLM_API_KEY": "key"}

    with running_task("telephony.tasks", "follow_up_calls", **told) as worker:
        wait_until(lambda: model.requests, WITHIN_S, "the model is asked")
        while_at_work = after_call._claim(1)
        worker.kill()
    row = AfterCall.unscoped.get(call=call)
    after_the_kill = row.claimed_until, row.analysis
    row.claimed_until = timezone.now()
    row.save()
    tasks.follow_up_calls()

    assert while_at_work == []
    assert after_the_kill[0] > timezone.now()
    assert after_the_kill[1] == "waiting"
    assert result(call) == ("done", "done", "resolved")


@pytest.mark.django_db
def test_worker_whose_claim_ran_out_writes_nothing(alice):
    call = ended_call(alice.workspace)
    (slow,) = after_call._claim(1)
    AfterCall.unscoped.filter(call=call).update(
        claimed_until=timezone.now() - timedelta(seconds=1)
    )
    (quick_one,) = after_call._claim(1)

    after_call._conclude(slow, analysis="failed")
    between = result(call)
    after_call._conclude(quick_one, analysis="done", outcome="resolved")

    assert between == ("settling", "waiting", "")
    assert result(call) == ("pricing", "done", "resolved")


# -- Pages and API ---------------------------------------------------------------------


@pytest.fixture
def analyzed(alice):
    call = ended_call(alice.workspace)
    AfterCall.unscoped.filter(call=call).update(
        step="done",
        analysis="done",
        next_try_at=None,
        outcome="follow_up_needed",
        summary="Ada <script>alert(1)</script> wants a visit.",
        extracted={"items": "<b>two</b>", "is_patient": False, "days": ["Mo", "Tu"]},
    )
    return call


def test_page_shows_what_a_call_came_to_and_escapes_it(alice, analyzed):
    page = alice.client.get(analyzed.get_absolute_url()).content.decode()

    assert "Ada &lt;script&gt;alert(1)&lt;/script&gt; wants a visit." in page
    assert "&lt;b&gt;two&lt;/b&gt;" in page
    assert "Follow-up needed" in page
    assert "Mo, Tu" in page
    assert "every 2s" not in page


def test_page_of_a_call_that_is_being_analyzed_refreshes_itself(alice):
    call = ended_call(alice.workspace)
    AfterCall.unscoped.filter(call=call).update(step="analyzing")
    path = call.get_absolute_url()

    page = alice.client.get(path).content.decode()
    seen = page.split("?seen=")[1].split('"')[0]
    same = alice.client.get(f"{path}?seen={seen}", headers={"HX-Request": "true"})
    AfterCall.unscoped.get(call=call).save()
    new = alice.client.get(f"{path}?seen={seen}", headers={"HX-Request": "true"})

    assert "being analyzed" in page
    assert "every 2s" in page
    assert (same.status_code, new.status_code) == (204, 200)


def test_api_tells_what_a_call_came_to(alice, analyzed):
    told = alice.api("GET", f"/api/calls/{analyzed.pk}").json()
    listed = alice.api("GET", "/api/calls").json()["results"][0]

    for answer in (told, listed):
        assert answer["analysis_status"] == "done"
        assert answer["outcome"] == "follow_up_needed"
        assert answer["summary"].startswith("Ada <script>")
        assert answer["extracted"]["days"] == ["Mo", "Tu"]


def test_api_of_a_call_without_analysis_says_so(alice):
    call = make_call(alice.workspace)

    told = alice.api("GET", f"/api/calls/{call.pk}").json()

    assert (told["analysis_status"], told["outcome"], told["summary"]) == (None, "", "")
    assert told["extracted"] is None


def test_api_analyzes_again_only_what_has_ended_and_is_not_being_analyzed(
    alice, mallory, analyzed
):
    path = f"/api/calls/{analyzed.pk}/analyze"
    running = make_call(alice.workspace, status="in-progress", ended_at=None)

    answers = [
        mallory.api("POST", path).status_code,
        alice.api("POST", path).status_code,
        alice.api("POST", path).status_code,
        alice.api("POST", f"/api/calls/{running.pk}/analyze").status_code,
    ]

    assert answers == [404, 202, 409, 409]


def test_call_that_ended_before_there_were_analyses_can_be_analyzed(alice):
    call = make_call(alice.workspace, agent=make_agent(alice.workspace))
    make_turn(call, 1, "Hello?")
    offered = alice.client.get(call.get_absolute_url()).content.decode()

    alice.client.post(f"/calls/{call.pk}/analyze")

    row = AfterCall.unscoped.get(call=call)
    assert "Analyze it" in offered
    assert (row.step, row.analysis, row.edition) == ("analyzing", "waiting", 1)
