"""The pages of tests and their runs."""

import re

import pytest
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Membership
from telephony.models import Rehearsal, TestScript
from telephony.services import rehearsals
from telephony.tests.calls import make_call, make_turn
from telephony.tests.test_rehearsals import make_script, talking_agent
from tests.people import make_tenant

pytestmark = pytest.mark.django_db

ROWS = {
    "name": "Prices",
    "caller": "hurried",
    "turn-TOTAL_FORMS": "4",
    "turn-INITIAL_FORMS": "0",
    "turn-0-kind": "say",
    "turn-0-text": "How much is a check-up?",
    "turn-1-kind": "interrupt",
    "turn-1-text": "Wait.",
    "turn-1-after_chars": "12",
    "turn-2-kind": "say",
    "turn-2-text": "",
    "turn-3-kind": "silence_s",
    "turn-3-text": "12",
    "expectation-TOTAL_FORMS": "5",
    "expectation-INITIAL_FORMS": "0",
    "expectation-0-kind": "contains",
    "expectation-0-text": "80 dollars",
    "expectation-0-turn": "1",
    "expectation-1-kind": "tool_called",
    "expectation-1-text": 'find_order {"number": "4711"}',
    "expectation-2-kind": "ended_by:agent_ended",
    "expectation-3-kind": "replies_within_ms",
    "expectation-3-text": "2500",
    "expectation-4-kind": "lacks",
    "answer-TOTAL_FORMS": "1",
    "answer-INITIAL_FORMS": "0",
    "answer-0-tool": "find_order",
    "answer-0-text": "on Monday",
}
TURNS = [
    {"say": "How much is a check-up?"},
    {"interrupt": "Wait.", "after_chars": 12},
    {"silence_s": 12},
]
EXPECTATIONS = [
    {"kind": "contains", "text": "80 dollars", "turn": 1},
    {"kind": "tool_called", "tool": "find_order", "arguments": {"number": "4711"}},
    {"kind": "ended_by", "reason": "agent_ended"},
    {"kind": "replies_within_ms", "ms": 2500},
]


def page(name, row):
    return reverse(f"telephony:{name}", args=[row.pk])


def make_run(script, status="passed", version="a" * 12, **fields):
    given = {"started_at": now(), "ended_at": now(), "way": "text"}
    return Rehearsal.unscoped.create(
        owner=script.owner,
        script=script,
        agent=script.agent,
        status=status,
        version=version,
        **{**given, **fields},
    )


def test_test_is_written_and_changed(alice):
    agent = talking_agent(alice.workspace)

    made = alice.client.post(page("test_script_create", agent), ROWS)
    script = TestScript.unscoped.get()
    shown = alice.client.get(script.get_absolute_url()).content.decode()
    changed = alice.client.post(script.get_absolute_url(), {**ROWS, "name": "Other"})

    assert (made.status_code, made.url) == (302, script.get_absolute_url())
    assert (script.owner, script.agent) == (alice.workspace, agent)
    assert (script.turns, script.expectations) == (TURNS, EXPECTATIONS)
    assert script.tool_answers == {"find_order": "on Monday"}
    assert "find_order {&quot;number&quot;: &quot;4711&quot;}" in shown
    assert changed.status_code == 302
    script.refresh_from_db()
    assert (script.name, script.turns) == ("Other", TURNS)
    assert script.expectations == EXPECTATIONS


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "This field is required."),
        ({"turn-0-text": "", "turn-1-text": "", "turn-3-text": ""}, "Say what"),
        ({"turn-3-text": "long"}, "A silence has 1 to 120 whole seconds."),
        ({"turn-1-after_chars": "-1"}, "Look at the rows below"),
        ({"expectation-0-kind": "matches", "expectation-0-text": "("}, "missing )"),
        ({"expectation-1-text": "find_order {"}, "comes JSON"),
        ({"expectation-3-text": "soon"}, "ms is a whole number"),
        ({"answer-0-tool": "no name"}, "Letters, digits"),
    ],
)
def test_what_cannot_be_saved_is_told(changes, words, alice):
    agent = talking_agent(alice.workspace)

    answer = alice.client.post(page("test_script_create", agent), {**ROWS, **changes})

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not TestScript.unscoped.exists()


def test_more_rows_are_brought_without_saving(alice):
    agent = talking_agent(alice.workspace)

    answer = alice.client.post(
        page("test_script_create", agent), {**ROWS, "add": "turn"}
    )

    assert answer.status_code == 200
    assert 'name="turn-5-text"' in answer.content.decode()
    assert "How much is a check-up?" in answer.content.decode()
    assert not TestScript.unscoped.exists()


def test_agent_without_tests_is_told_what_they_are_for(alice):
    agent = talking_agent(alice.workspace)

    shown = alice.client.get(page("agent_rehearsals", agent)).content.decode()
    refused = alice.client.post(page("agent_rehearse", agent), follow=True)

    assert "No tests yet" in shown
    assert page("agent_rehearse", agent) not in shown
    assert "This agent has no tests yet." in refused.content.decode()


def test_verdicts_are_shown_by_test_and_by_version(alice):
    agent = talking_agent(alice.workspace)
    broke, mended = make_script(agent, name="Broke"), make_script(agent, name="Mended")
    old = {"version": "a" * 12, "parts": {"greeting": "1", "model": "1"}}
    new = {"version": "b" * 12, "parts": {"greeting": "2", "model": "1"}}
    make_run(broke, "passed", **old)
    make_run(mended, "failed", **old)
    make_run(broke, "failed", **new)
    make_run(mended, "passed", **new)
    make_run(mended, "interrupted", version="", parts={})

    shown = alice.client.get(page("agent_rehearsals", agent)).content.decode()

    rows = [re.sub(r"<[^>]*>|\s+", " ", row) for row in shown.split("<tr>")]
    cells = [" ".join(row.split()) for row in rows]
    assert any(c.startswith("Broke Patient Failed Passed before") for c in cells)
    assert any(c.startswith("Mended Patient Not finished") for c in cells)
    assert any(re.match(r"bbbbbbb 1 1 .* greeting", c) for c in cells)
    assert any(re.match(r"aaaaaaa 1 1 .* –", c) for c in cells)
    assert "every 2s" not in shown


def test_all_tests_are_run_in_one_click(alice):
    agent = talking_agent(alice.workspace)
    make_script(agent, name="One")
    make_script(agent, name="Two")

    answer = alice.client.post(page("agent_rehearse", agent), follow=True)

    shown = answer.content.decode()
    assert "2 tests are run." in shown
    assert "every 2s" in shown
    runs = Rehearsal.unscoped.values_list("status", "started_by")
    assert list(runs) == [("waiting", alice.user.pk)] * 2


def test_one_test_is_run(alice):
    script = make_script(talking_agent(alice.workspace))

    answer = alice.client.post(page("test_script_run", script))

    run = Rehearsal.unscoped.get()
    assert answer.url == run.get_absolute_url()
    assert "It begins in a moment." in alice.client.get(answer.url).content.decode()


def test_run_tells_what_was_seen_and_what_was_before(alice):
    script = make_script(talking_agent(alice.workspace))
    expected = {"kind": "contains", "text": "80 dollars", "turn": 1}
    before = make_run(script, results=[{**expected, "passed": True, "seen": "80"}])
    call = make_call(alice.workspace, agent=script.agent, is_test=True)
    make_turn(call, 1, "It costs 90.", speaker="agent")
    failed = {**expected, "passed": False, "seen": "It costs 90."}
    played = {"caller": "hurried"}
    run = make_run(script, "failed", results=[failed], call=call, played=played)

    shown = alice.client.get(run.get_absolute_url()).content.decode()

    for words in (
        "The agent says “80 dollars”, after the caller’s words no. 1",
        "Not so",
        "It costs 90.",
        "Passed before",
        "0 of 1 as expected",
        "Hurried",
        before.get_absolute_url(),
        call.get_absolute_url(),
    ):
        assert words in shown


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ("interrupted", "The simulator is not running.", "could not be finished"),
        ("failed", "The language model did not answer", "The call broke"),
    ],
)
def test_run_that_broke_says_why(status, error, words, alice):
    script = make_script(talking_agent(alice.workspace))
    run = make_run(script, status, error=error)

    shown = alice.client.get(run.get_absolute_url()).content.decode()

    assert words in shown and error in shown


def test_test_is_made_of_a_call_in_one_click(alice):
    call = make_call(alice.workspace, agent=talking_agent(alice.workspace))
    make_turn(call, 1, "How much is it?")

    shown = alice.client.get(call.get_absolute_url()).content.decode()
    made = alice.client.post(page("call_make_test", call))

    script = TestScript.unscoped.get()
    assert "Make a test" in shown
    assert made.url == script.get_absolute_url()
    assert script.turns == [{"say": "How much is it?"}]


def test_call_of_a_deleted_agent_makes_no_test(alice):
    agent = talking_agent(alice.workspace)
    call = make_call(alice.workspace, agent=agent)
    make_turn(call, 1, "How much is it?")
    agent.put_away()

    shown = alice.client.get(call.get_absolute_url()).content.decode()
    refused = alice.client.post(page("call_make_test", call), follow=True)

    assert "Make a test" not in shown
    assert "The agent of this call was deleted." in refused.content.decode()


def test_test_is_deleted_and_comes_back(alice):
    script = make_script(talking_agent(alice.workspace))
    run = make_run(script)

    deleted = alice.client.post(page("test_script_delete", script), follow=True)
    gone = alice.client.get(script.get_absolute_url())
    history = alice.client.get(run.get_absolute_url())
    alice.client.post(reverse("accounts:deleted_restore", args=[script.pk]))

    assert "No tests yet" in deleted.content.decode()
    assert (gone.status_code, history.status_code) == (404, 200)
    assert alice.client.get(script.get_absolute_url()).status_code == 200


def test_strangers_find_nothing(alice, mallory):
    script = make_script(talking_agent(alice.workspace))
    run = make_run(script)
    call = make_call(alice.workspace, agent=script.agent)
    client = mallory.client

    answers = [
        client.get(page("agent_rehearsals", script.agent)),
        client.post(page("agent_rehearse", script.agent)),
        client.post(page("test_script_create", script.agent), ROWS),
        client.get(script.get_absolute_url()),
        client.post(page("test_script_run", script)),
        client.post(page("test_script_delete", script)),
        client.get(run.get_absolute_url()),
        client.post(page("call_make_test", call)),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert Rehearsal.unscoped.count() == TestScript.unscoped.count() == 1


def test_viewer_reads_and_runs_nothing():
    viewer = make_tenant("vera", Membership.Role.VIEWER)
    script = make_script(talking_agent(viewer.workspace))

    shown = viewer.client.get(script.get_absolute_url())
    run = viewer.client.post(page("test_script_run", script))

    assert (shown.status_code, run.status_code) == (200, 403)
    assert "disabled" in shown.content.decode()


def test_pages_take_few_statements(alice, settings, django_assert_max_num_queries):
    settings.USERSESSIONS_TRACK_ACTIVITY = False
    agent = talking_agent(alice.workspace)
    scripts = [make_script(agent, name=f"Test {n}") for n in range(5)]
    for script in scripts:
        make_run(script)
    alice.client.get(page("agent_rehearsals", agent))

    with django_assert_max_num_queries(6):
        alice.client.get(page("agent_rehearsals", agent))


def test_saving_twice_under_one_name_is_told(alice):
    agent = talking_agent(alice.workspace)
    rehearsals.save_script(
        TestScript(owner=agent.owner, agent=agent, name="Prices", turns=TURNS)
    )

    answer = alice.client.post(page("test_script_create", agent), ROWS)

    assert answer.status_code == 422
    assert "This agent has a test of this name." in answer.content.decode()
