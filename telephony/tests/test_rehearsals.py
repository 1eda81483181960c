"""Tests of agents: written, made of a call, run, and judged."""

from datetime import timedelta

import pytest
from django.test import override_settings
from django.utils.timezone import now

from accounts.deleted import purging
from accounts.models import AuditEntry
from agents.models import Tool
from telephony.models import (
    Call,
    DoNotContact,
    Message,
    Rehearsal,
    ScheduledCall,
    TestScript,
    Turn,
)
from telephony.services import rehearsals, rehearsing, testing
from telephony.tests.calls import make_agent, make_call, make_phone, make_turn
from telephony.tests.carriers import KEY, UNREACHABLE
from tests.processes import WITHIN_S, wait_until

FACTS = "We are open from 8 to 17. A check-up costs 80 dollars."
QUESTION = {"say": "How much is a check-up?"}


@pytest.fixture
def no_simulator(settings):
    settings.SIMULATOR = False


def make_script(agent, **fields):
    given = {"name": "Prices", "turns": [QUESTION]}
    script = TestScript(owner=agent.owner, agent=agent, **{**given, **fields})
    return rehearsals.save_script(script)


def work(row=None):
    """Do what is due now, as a worker does."""
    for claimed in rehearsing._claim(10):
        rehearsing.look_after(claimed)
    return row and Rehearsal.unscoped.select_related("call").get(pk=row.pk)


def run(script):
    return work(rehearsals.run(script, by=None))


def talking_agent(owner, **fields):
    return make_agent(owner, **{"instructions": FACTS, "greeting": "Hello.", **fields})


@pytest.mark.django_db
def test_conversation_without_a_line_is_judged(alice, no_simulator):
    script = make_script(
        talking_agent(alice.workspace),
        expectations=[
            {"kind": "contains", "text": "80 dollars", "turn": 1},
            {"kind": "contains", "text": "90 dollars"},
            {"kind": "ended_by", "reason": "caller_hung_up"},
        ],
    )

    row = run(script)

    call = row.call
    assert (row.status, row.way, row.error) == ("failed", "text", "")
    assert [result["passed"] for result in row.results] == [True, False, True]
    assert "80 dollars" in row.results[1]["seen"]
    assert (row.next_try_at, row.claimed_until) == (None, None)
    assert (row.version, row.model_label) == (row.version, "Demo responder")
    assert len(row.version) == 12
    assert (call.is_test, call.agent, call.status) == (True, script.agent, "completed")
    assert call.sid.startswith("RH")
    words = [(t.speaker, t.text) for t in Turn.unscoped.filter(call=call)]
    assert words[:2] == [("agent", "Hello."), ("caller", QUESTION["say"])]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("caller", "turns", "end", "heard"),
    [
        ("silent", [], "caller_silent", []),
        ("keypad_only", [{"say": "It is 12"}], "caller_hung_up", ["Keys pressed: 12"]),
        ("patient", [{"say": "Goodbye!"}], "agent_ended", ["Goodbye!"]),
        ("hangs_up_mid_word", [QUESTION], "caller_hung_up", []),
        ("hurried", [QUESTION, {"press": "1"}], "caller_hung_up", None),
    ],
)
def test_named_callers_behave_without_a_line_too(
    caller, turns, end, heard, alice, no_simulator
):
    agent = talking_agent(alice.workspace, tools=["end_call"])

    row = run(make_script(agent, caller=caller, turns=turns))

    assert (row.status, row.call.end_reason) == ("passed", end)
    if heard is not None:
        spoken = Turn.unscoped.filter(call=row.call, speaker="caller")
        assert [turn.text for turn in spoken] == heard


@pytest.mark.django_db(transaction=True)
def test_nobody_is_called_when_the_agent_hands_over(alice, no_simulator, stub_llm):
    reply = [{"name": "transfer_call", "arguments": {"reason": "wants a person"}}]
    stub_llm.configure(mode="script", replies=(reply, "Nobody is there, sorry."))
    make_phone(alice.workspace)  # its country may be called
    agent = talking_agent(alice.workspace, transfer_number="+16285550143")
    expected = [
        {"kind": "tool_called", "tool": "transfer_call"},
        {"kind": "contains", "text": "Nobody is there"},
    ]

    with using(stub_llm):
        row = run(make_script(agent, expectations=expected))

    assert row.status == "passed", row.results
    assert row.results[0]["seen"].endswith(": failed")
    assert row.call.end_reason == "caller_hung_up"


@pytest.mark.django_db(transaction=True)
def test_tool_that_is_answered_for_is_not_used(alice, no_simulator, stub_llm):
    asked = [{"name": "find_order", "arguments": {"number": "4711"}}]
    asked += [{"name": "do_not_call", "arguments": {"reason": "no more"}}]
    booking = {"time": "2030-01-01T10:00", "zone": "Europe/Berlin"}
    asked += [{"name": "book_follow_up", "arguments": booking}]
    asked += [{"name": "send_text", "arguments": {"text": "1 Harbour Street"}}]
    stub_llm.configure(mode="script", replies=(asked, "It arrives on Monday."))
    tool = Tool.unscoped.create(
        owner=alice.workspace,
        name="find_order",
        description="Finds it.",
        url="https://nowhere.invalid/",
        parameters={"type": "object", "properties": {"number": {"type": "string"}}},
    )
    agent = talking_agent(
        alice.workspace,
        tools=[str(tool.pk), "do_not_call", "book_follow_up", "send_text"],
    )
    script = make_script(
        agent,
        tool_answers={"find_order": "on Monday"},
        expectations=[{"kind": "tool_called", "tool": "find_order"}],
    )

    with using(stub_llm):
        row = run(script)

    used = Turn.unscoped.filter(call=row.call, speaker="tool")
    assert [turn.text for turn in used] == [
        "on Monday",
        *["Taken down, in this test call only. Confirm it to them."] * 3,
    ]
    assert row.status == "passed"
    assert not DoNotContact.unscoped.exists()
    assert not ScheduledCall.unscoped.exists()
    assert not Message.unscoped.exists()


@pytest.mark.django_db
def test_call_that_broke_has_not_passed(alice, no_simulator, stub_llm):
    stub_llm.configure(faults=("401",))
    script = make_script(talking_agent(alice.workspace))

    with using(stub_llm):
        row = run(script)

    assert (row.status, row.error) == ("failed", "The language model did not answer")


@pytest.mark.django_db
def test_call_that_breaks_as_expected_has_passed(alice, no_simulator, stub_llm):
    stub_llm.configure(faults=("401",))
    expected = [{"kind": "ended_by", "reason": "model_failed"}]
    script = make_script(talking_agent(alice.workspace), expectations=expected)

    with using(stub_llm):
        row = run(script)

    assert (row.status, row.error) == ("passed", "")


def using(stub):
    """The installation's model is the stub."""
    return override_settings(
        LLM_BASE_URL=stub.base_url, LLM_API_KEY="key", LLM_MODEL="stub"
    )


# -- On the simulator's line -----------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_simulator_plays_the_caller(alice, carrier_process, settings, live_server):
    settings.PUBLIC_BASE_URL = live_server.url
    settings.SIMULATOR, settings.SIMULATOR_URL = True, carrier_process.url
    settings.SIMULATOR_KEY = KEY
    expected = [{"kind": "contains", "text": "80 dollars"}]
    script = make_script(
        talking_agent(alice.workspace, transport="gather"), expectations=expected
    )

    row = rehearsals.run(script, by=alice.user)
    wait_until(lambda: not is_open(work(row)), WITHIN_S, "the rehearsal is judged")
    row.refresh_from_db()

    assert (row.status, row.way) == ("passed", "line")
    assert row.started_by == alice.user
    assert row.call.is_test and row.call.sid.startswith("CA")


def is_open(row):
    Rehearsal.unscoped.filter(pk=row.pk, claimed_until=None).exclude(
        next_try_at=None
    ).update(next_try_at=now())
    return row.is_open


@pytest.mark.django_db
def test_simulator_that_is_away_is_told(alice, settings):
    settings.SIMULATOR, settings.SIMULATOR_URL = True, UNREACHABLE
    settings.SIMULATOR_KEY = KEY

    row = run(make_script(talking_agent(alice.workspace)))

    assert row.status == "interrupted"
    assert row.error == "The simulator is not running. Start it, then try again."


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("way", "age", "error"),
    [
        ("text", 300, "The process that held the conversation was stopped."),
        ("line", 31, "The simulator’s call never came in."),
    ],
)
def test_run_of_a_dead_worker_is_told_as_interrupted(way, age, error, alice):
    script = make_script(talking_agent(alice.workspace))
    started = now() - timedelta(seconds=age)
    row = Rehearsal.unscoped.create(
        owner=alice.workspace,
        script=script,
        agent=script.agent,
        status="running",
        way=way,
        started_at=started,
        next_try_at=started,
        claimed_until=now() - timedelta(seconds=1),
    )

    row = work(row)

    assert (row.status, row.error, row.next_try_at) == ("interrupted", error, None)


@pytest.mark.django_db
def test_run_that_takes_too_long_is_given_up(alice):
    script = make_script(talking_agent(alice.workspace))
    call = make_call(alice.workspace, agent=script.agent, status="in-progress")
    Call.unscoped.filter(pk=call.pk).update(ended_at=None)
    row = Rehearsal.unscoped.create(
        owner=alice.workspace,
        script=script,
        agent=script.agent,
        call=call,
        status="running",
        way="line",
        started_at=now() - timedelta(minutes=11),
        next_try_at=now(),
    )

    assert work(row).error == "It took longer than 10 minutes."


@pytest.mark.django_db
def test_bug_ends_the_run_and_is_told(alice, no_simulator, monkeypatch):
    def breaks(*args):
        raise RuntimeError("a bug")

    monkeypatch.setattr(rehearsing.rehearsed_talks, "hold", breaks)

    row = run(make_script(talking_agent(alice.workspace)))

    assert (row.status, row.error) == ("interrupted", "Something broke here.")


@pytest.mark.django_db
def test_workspace_runs_ten_at_once(alice, no_simulator):
    agent = talking_agent(alice.workspace)
    scripts = [make_script(agent, name=f"Test {n}") for n in range(11)]
    rows = [rehearsals.run(script, by=None) for script in scripts]
    Rehearsal.unscoped.exclude(pk=rows[-1].pk).update(
        status="running", next_try_at=None
    )

    row = work(rows[-1])

    assert (row.status, row.claimed_until) == ("waiting", None)
    assert row.next_try_at > now()


@pytest.mark.django_db
def test_second_click_finds_the_run_that_is_under_way(alice):
    script = make_script(talking_agent(alice.workspace))

    first, second = rehearsals.run(script, by=None), rehearsals.run(script, by=None)

    assert first == second
    assert Rehearsal.unscoped.count() == 1


# -- The call's word -------------------------------------------------------------------


@pytest.mark.django_db
def test_call_adopts_only_a_rehearsal_of_its_own_agent(alice, mallory):
    script = make_script(talking_agent(alice.workspace))
    row = rehearsals.run(script, by=None)
    Rehearsal.unscoped.update(status="running")
    foreign = make_call(
        mallory.workspace, agent=talking_agent(mallory.workspace), is_test=True
    )
    own = make_call(alice.workspace, agent=script.agent, is_test=True)
    late = make_call(alice.workspace, agent=script.agent, is_test=True)

    for call in (foreign, own, late):
        rehearsals.adopt(call, str(row.pk))
    rehearsals.adopt(own, "nonsense")

    row.refresh_from_db()
    assert row.call == own


# -- Scripts ---------------------------------------------------------------------------


@pytest.mark.django_db
def test_scripts_are_written_into_the_audit_log(alice):
    script = make_script(talking_agent(alice.workspace))
    script.name = "Opening hours"
    rehearsals.save_script(script)
    rehearsals.delete_script(script)
    rehearsals.delete_script(script)

    entries = AuditEntry.unscoped.filter(kind="test_script").order_by("pk")
    assert [entry.action for entry in entries] == ["created", "changed", "deleted"]


@pytest.mark.django_db
def test_name_is_free_again_after_deleting(alice):
    agent = talking_agent(alice.workspace)
    script = make_script(agent)

    with pytest.raises(rehearsals.Refused) as refusal:
        make_script(agent)
    rehearsals.delete_script(script)
    again = make_script(agent)

    assert refusal.value.field == "name"
    assert again.pk


@pytest.mark.django_db
def test_patient_caller_needs_something_to_do(alice):
    agent = talking_agent(alice.workspace)

    with pytest.raises(rehearsals.Refused) as refusal:
        make_script(agent, turns=[])

    assert refusal.value.field == "turns"
    assert make_script(agent, turns=[], caller="silent").pk


@pytest.mark.django_db
def test_test_is_made_of_a_real_call(alice):
    agent = talking_agent(alice.workspace)
    call = make_call(alice.workspace, agent=agent, end_reason="agent_ended")
    make_turn(call, 1, "Hello, how can", speaker="agent", interrupted=True)
    make_turn(call, 2, "Where is my order?")
    used = {"name": "find_order", "arguments": "{}", "status": "ok", "elapsed_ms": 5}
    make_turn(call, 3, "on Monday", speaker="tool", tool=used)
    noted = used | {"name": "note_fact"}
    make_turn(call, 4, "Noted.", speaker="tool", tool=noted)
    make_turn(call, 5, "On Monday.", speaker="agent", reply_ms=1300)
    make_turn(call, 6, "Keys pressed: 12#")

    script, again = rehearsals.script_of(call), rehearsals.script_of(call)

    assert script.turns == [
        {"interrupt": "Where is my order?", "after_chars": 14},
        {"press": "12#"},
    ]
    assert script.expectations == [
        {"kind": "tool_called", "tool": "find_order"},
        {"kind": "tool_called", "tool": "note_fact"},
        {"kind": "replies_within_ms", "ms": 3000},
        {"kind": "ended_by", "reason": "agent_ended"},
    ]
    assert script.tool_answers == {"find_order": "on Monday"}
    assert (script.made_from, script.caller) == (call, "patient")
    assert again.name == f"{script.name} (2)"


@pytest.mark.django_db
def test_call_in_which_nobody_spoke_is_no_test(alice):
    call = make_call(alice.workspace, agent=talking_agent(alice.workspace))
    make_turn(call, 1, "Hello.", speaker="agent")

    with pytest.raises(rehearsals.Refused):
        rehearsals.script_of(call)


@pytest.mark.django_db
def test_all_tests_of_an_agent_run_and_nobody_elses(alice):
    agent, other = (
        talking_agent(alice.workspace),
        talking_agent(alice.workspace, name="Other"),
    )
    make_script(agent, name="Beta")
    make_script(agent, name="Alpha")
    rehearsals.delete_script(make_script(agent, name="Gone"))
    make_script(other)

    rows = rehearsals.run_all(agent, by=None)

    assert [row.script.name for row in rows] == ["Alpha", "Beta"]
    assert testing.line_for(agent) != testing.line_for(other)


@pytest.mark.django_db
def test_purged_test_takes_its_runs_along(alice, no_simulator):
    script = make_script(talking_agent(alice.workspace))
    call = run(script).call
    rehearsals.delete_script(script)

    (verdict,) = purging.purge(before=now() + timedelta(days=1))

    assert (verdict.goes, verdict.along) == (True, {"rehearsal": 1})
    assert not Rehearsal.unscoped.exists()
    assert Call.unscoped.filter(pk=call.pk).exists()
