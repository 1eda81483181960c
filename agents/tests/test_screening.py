"""An assistant answers and asks who calls; its person is waited for."""

import pytest

from agents.dialogue import (
    AskModel,
    CallerInterrupted,
    CallerSilent,
    CallerSpoke,
    CallOpened,
    Dialogue,
    EndCall,
    Record,
    Say,
    SessionLost,
    Settings,
    Turn,
)
from agents.dialogue.screening import asks_to_wait, asks_who_calls

MESSAGE = "Brightside, about your appointment."
GREETING = "Hello, this is Brightside."
SETTINGS = Settings(greeting=GREETING, screening_message=MESSAGE)
APPLE = (
    "Hi, if you record your name and reason for calling, I’ll see if this person is "
    "available."
)
CLOSE = Say("", last=True)


def screened(**changes):
    """A call whose assistant was just told who calls."""
    dialogue = Dialogue(Settings(**{**vars(SETTINGS), **changes}))
    dialogue.receive(CallOpened(0))
    commands = dialogue.receive(CallerSpoke(APPLE, 2_000))
    return dialogue, commands


@pytest.mark.parametrize(
    "text",
    [
        APPLE,
        "Hi, the person you're calling is using a screening service from Google, and "
        "will get a copy of this conversation. Go ahead and say your name, and why "
        "you're calling.",
        "Please state your name and the purpose of your call after the tone.",
        "Wenn du deinen Namen und den Grund deines Anrufs aufzeichnest, sehe ich nach.",
        "Diga su nombre y el motivo de su llamada.",
        "Dites votre nom et la raison de votre appel.",
        "Dica il suo nome e il motivo della chiamata.",
        "お名前とご用件をお話しください。",
    ],
)
def test_assistant_is_recognized(text):
    assert asks_who_calls(text)


@pytest.mark.parametrize(
    "text",
    [
        "Yes, hello?",
        "My name is Ada.",
        "What is the reason?",
        "Who is calling?",
        "I would rather not say.",
        "",
    ],
)
def test_person_is_not_taken_for_an_assistant(text):
    assert not asks_who_calls(text)
    assert not asks_to_wait(text)


def test_assistant_is_told_who_calls_and_the_model_is_not_asked():
    _, commands = screened()

    assert commands == [
        Record(Turn(2, "caller", APPLE, 2_000)),
        Say(MESSAGE),
        CLOSE,
        Record(Turn(3, "agent", MESSAGE, 2_000)),
    ]


def test_person_is_waited_for_and_greeted():
    dialogue, _ = screened()

    held = dialogue.receive(CallerSpoke("Thanks. Please stay on the line.", 5_000))
    patience_s = dialogue.patience_s
    greeted = dialogue.receive(CallerSpoke("Hello?", 20_000))
    asked = dialogue.receive(CallerSpoke("What is it about?", 25_000))

    assert [type(command) for command in held] == [Record]
    assert patience_s == SETTINGS.screening_patience_s
    assert Say(GREETING) in greeted
    assert isinstance(asked[-1], AskModel)
    assert dialogue.patience_s == SETTINGS.silence_reminder_s


def test_assistant_that_asks_again_is_told_again():
    dialogue, _ = screened()

    again = dialogue.receive(CallerSpoke("Sorry, your name and reason?", 5_000))

    assert Say(MESSAGE) in again


def test_person_without_a_greeting_is_answered_by_the_model():
    dialogue, _ = screened(greeting="", caller_speaks_first=True)

    assert isinstance(dialogue.receive(CallerSpoke("Hello?", 9_000))[-1], AskModel)


def test_nobody_comes_to_the_telephone():
    dialogue, _ = screened()

    commands = dialogue.receive(CallerSilent(63_000))

    assert commands == [EndCall("caller_silent")]


def test_agent_without_the_message_leaves_it_to_the_model():
    _, commands = screened(screening_message="")

    assert isinstance(commands[-1], AskModel)


def test_question_late_in_a_call_is_the_model_s():
    turns = [Turn(n, "caller", "And?", n) for n in range(1, 6)]
    turns.append(Turn(6, "agent", "Nothing.", 6))

    commands = Dialogue(SETTINGS, turns).receive(CallerSpoke(APPLE, 9_000))

    assert isinstance(commands[-1], AskModel)


def test_message_that_was_talked_over_still_waits():
    dialogue, _ = screened()
    dialogue.receive(CallerInterrupted("Brightside, about", 900, 3_000))

    held = dialogue.receive(CallerSpoke("Please hold.", 4_000))

    assert [type(command) for command in held] == [Record]


def test_waiting_goes_on_in_another_session():
    dialogue, _ = screened()
    dialogue.receive(CallerSpoke("Please hold.", 5_000))
    dialogue.receive(SessionLost(6_000))

    resumed = Dialogue(SETTINGS, dialogue.turns)

    assert resumed.receive(CallOpened(7_000)) == []
    assert not resumed.owes_answer
    assert Say(GREETING) in resumed.receive(CallerSpoke("Hello?", 9_000))
