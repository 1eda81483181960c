"""`manage.py rehearse`: for continuous integration and for the impatient."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from telephony.models import Rehearsal
from telephony.tests.test_rehearsals import make_script, talking_agent

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_simulator(settings):
    settings.SIMULATOR = False


def rehearse(*arguments):
    """The exit code and what was written."""
    written = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("rehearse", *arguments, stdout=written)
    return ended.value.code, written.getvalue()


def says(text):
    return {"expectations": [{"kind": "contains", "text": text}]}


def test_exit_code_tells_whether_all_have_passed(alice):
    agent = talking_agent(alice.workspace)
    make_script(agent, name="Right", **says("80 dollars"))
    passed, words = rehearse("Reception")
    make_script(agent, name="Wrong", **says("90 dollars"))
    failed, more_words = rehearse(str(agent.pk))
    chosen, _ = rehearse("Reception", "--script", "Right")

    assert (passed, failed, chosen) == (0, 1, 0)
    assert words == "passed       Right\n"
    assert more_words.splitlines()[:3] == [
        "passed       Right",
        "failed       Wrong",
        "  - The agent says “90 dollars”",
    ]
    assert Rehearsal.unscoped.count() == 4


def test_results_are_json_for_programs(alice):
    make_script(talking_agent(alice.workspace), **says("90 dollars"))

    code, written = rehearse("Reception", "--json")

    (told,) = json.loads(written)
    assert (code, told["script"], told["status"]) == (1, "Prices", "failed")
    assert told["results"][0]["passed"] is False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Nobody"], "There is no voice agent 'Nobody'."),
        (["Reception"], "Several are called 'Reception'"),
        (["Reception", "--workspace", "alice"], "Reception has no tests yet."),
        (["Other", "--script", "None"], "Other has no test 'None'."),
    ],
)
def test_what_cannot_be_run_is_told(arguments, words, alice, mallory):
    talking_agent(alice.workspace)
    talking_agent(mallory.workspace)
    make_script(talking_agent(alice.workspace, name="Other"))
    alice.workspace.name = "alice"
    alice.workspace.save()

    with pytest.raises(CommandError, match=words):
        call_command("rehearse", *arguments)
