import pytest
from django.core.exceptions import ValidationError

from agents import limits
from agents.models import VoiceAgent
from agents.starters import EMPTY, STARTERS, starter_of


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (limits.check_variables, {f"v{n}": "" for n in range(51)}),
        (limits.check_variables, {"name": "x" * 2001}),
        (limits.check_variables, {"not a name": "x"}),
        (limits.check_variables, {"nul\0": "x"}),
        (limits.check_variables, {"n" * 101: "x"}),
        (limits.check_variables, {"": "x"}),
        (limits.check_phrases, ["bye"] * 21),
        (limits.check_phrases, ["x" * 101]),
        (limits.check_language, "Klingon!"),
        (limits.check_language, "en-US\n"),
    ],
)
def test_limits_refuse_what_is_too_much(check, value):
    with pytest.raises(ValidationError):
        check(value)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (limits.check_variables, {f"v.{n}": "x" * 2000 for n in range(50)}),
        (limits.check_phrases, ["x" * 100] * 20),
        (limits.check_language, "zh-Hant-TW"),
    ],
)
def test_limits_take_what_is_just_enough(check, value):
    assert check(value) is None


@pytest.mark.parametrize(
    "starter", STARTERS, ids=lambda starter: starter.key or "empty"
)
def test_starters_keep_the_rules_of_the_model(starter):
    agent = VoiceAgent(name=starter.title or "New", **starter.fields)

    agent.clean_fields(exclude={"owner"})

    assert agent.end_call_phrases == ["goodbye"]
    assert "automated assistant" in agent.greeting


def test_starter_of_an_unknown_key_is_the_empty_one():
    assert [starter_of("survey").key, starter_of("nonsense")] == ["survey", EMPTY]
