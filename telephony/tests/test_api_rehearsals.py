"""The API of tests and their runs."""

import pytest

from telephony.api import examples
from telephony.models import Rehearsal, TestScript
from telephony.tests.calls import make_call, make_turn
from telephony.tests.test_rehearsal_pages import make_run
from telephony.tests.test_rehearsals import make_script, talking_agent

pytestmark = pytest.mark.django_db

SCRIPTS = "/api/test-scripts"


def body(agent, **changes):
    return {**examples.NEW_TEST_SCRIPT, "agent_id": str(agent.pk), **changes}


def test_test_is_written_changed_and_deleted(alice):
    agent = talking_agent(alice.workspace)

    made = alice.api("POST", SCRIPTS, body(agent))
    path = f"{SCRIPTS}/{made.json()['id']}"
    changed = alice.api("PATCH", path, {"caller": "hurried"})
    replaced = alice.api(
        "PUT", path, {"agent_id": str(agent.pk), "name": "Two", "turns": [{"say": "A"}]}
    )
    listed = alice.api("GET", f"{SCRIPTS}?agent_id={agent.pk}")
    deleted = alice.api("DELETE", path)

    assert made.status_code == 201
    assert {name: made.json()[name] for name in body(agent)} == body(agent)
    assert (changed.status_code, changed.json()["caller"]) == (200, "hurried")
    assert changed.json()["turns"] == body(agent)["turns"]
    assert replaced.json()["expectations"] == []
    assert [one["name"] for one in listed.json()["results"]] == ["Two"]
    assert deleted.status_code == 204
    assert alice.api("GET", path).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"turns": []}, "turns"),
        ({"turns": [{"shout": "x"}]}, "turns"),
        ({"turns": "say"}, "turns"),
        ({"expectations": [{"kind": "matches", "text": "("}]}, "expectations"),
        ({"expectations": [{"kind": {"a": 1}}]}, "expectations"),
        ({"tool_answers": {"no name": "x"}}, "tool_answers"),
        ({"caller": "friendly"}, "caller"),
        ({"name": "x" * 101}, "name"),
        ({"way": "line"}, "way"),
    ],
)
def test_test_that_means_nothing_is_refused(changes, field, alice):
    agent = talking_agent(alice.workspace)

    answer = alice.api("POST", SCRIPTS, body(agent, **changes))

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not TestScript.unscoped.exists()


def test_name_is_given_once(alice):
    agent = talking_agent(alice.workspace)
    alice.api("POST", SCRIPTS, body(agent))

    again = alice.api("POST", SCRIPTS, body(agent))

    assert again.status_code == 400
    assert "This agent has a test of this name." in str(again.json()["errors"])


def test_runs_are_started_and_read(alice):
    agent = talking_agent(alice.workspace)
    script = make_script(agent)
    make_script(agent, name="Second")

    one = alice.api("POST", f"{SCRIPTS}/{script.pk}/run")
    again = alice.api("POST", f"{SCRIPTS}/{script.pk}/run")
    all_of_them = alice.api("POST", f"/api/agents/{agent.pk}/rehearse")
    listed = alice.api("GET", f"/api/rehearsals?agent_id={agent.pk}&status=waiting")
    read = alice.api("GET", f"/api/rehearsals/{one.json()['id']}")

    assert (one.status_code, one.json()["status"]) == (202, "waiting")
    assert again.json()["id"] == one.json()["id"]
    assert all_of_them.status_code == 202
    assert len(all_of_them.json()["results"]) == 2
    assert len(listed.json()["results"]) == 2
    assert set(read.json()) == set(examples.REHEARSAL)
    assert Rehearsal.unscoped.count() == 2


def test_runs_are_narrowed_by_version(alice):
    script = make_script(talking_agent(alice.workspace))
    make_run(script, version="a" * 12)
    run = make_run(script, version="b" * 12)

    found = alice.api("GET", f"/api/rehearsals?version={'b' * 12}").json()["results"]
    bad = alice.api("GET", "/api/rehearsals?color=red")

    assert [one["id"] for one in found] == [str(run.pk)]
    assert bad.status_code == 400


def test_agent_without_tests_is_a_conflict(alice):
    agent = talking_agent(alice.workspace)

    assert alice.api("POST", f"/api/agents/{agent.pk}/rehearse").status_code == 409


def test_test_is_made_of_a_call(alice):
    call = make_call(alice.workspace, agent=talking_agent(alice.workspace), sid="CA1")
    silent = make_call(alice.workspace, agent=call.agent)
    make_turn(call, 1, "How much is it?")

    made = alice.api("POST", "/api/calls/CA1/test-script")
    refused = alice.api("POST", f"/api/calls/{silent.pk}/test-script")

    assert made.status_code == 201
    assert made.json()["turns"] == [{"say": "How much is it?"}]
    assert made.json()["made_from_call_id"] == str(call.pk)
    assert refused.status_code == 409


def test_strangers_find_nothing(alice, mallory):
    script = make_script(talking_agent(alice.workspace))
    run = make_run(script)
    foreign = mallory.api("POST", SCRIPTS, body(script.agent))
    unknown = mallory.api("POST", SCRIPTS, body(script.agent, agent_id=str(run.pk)))

    paths = {
        f"{SCRIPTS}/{script.pk}": "GET",
        f"{SCRIPTS}/{script.pk}/run": "POST",
        f"/api/agents/{script.agent.pk}/rehearse": "POST",
        f"/api/rehearsals/{run.pk}": "GET",
    }
    statuses = {mallory.api(verb, path).status_code for path, verb in paths.items()}
    filtered = mallory.api("GET", f"{SCRIPTS}?agent_id={script.agent.pk}")

    assert statuses == {404}
    assert filtered.status_code == 400
    assert foreign.status_code == unknown.status_code == 400
    told, expected = foreign.json()["errors"], unknown.json()["errors"]
    assert str(script.agent.pk) in str(told) and list(told) == list(expected)
