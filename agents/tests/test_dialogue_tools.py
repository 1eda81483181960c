"""Tools in the conversation: asked for, at work, answered, left behind."""

import json
from dataclasses import replace

import pytest

from agents.dialogue import (
    AskModel,
    CallerHungUp,
    CallerInterrupted,
    CallerSilent,
    CallerSpoke,
    CallOpened,
    Dialogue,
    EndCall,
    Record,
    ReplyFailed,
    ReplyFinished,
    ReplyLate,
    ReplyToken,
    Say,
    SessionLost,
    Settings,
    StopModel,
    StopTool,
    TimeUp,
    ToolAnswered,
    ToolAsked,
    ToolCall,
    ToolUse,
    TransferCall,
    Turn,
    UseTool,
)
from agents.dialogue.machine import MAX_ROUNDS
from agents.dialogue.tools import (
    END_ASKED_ALREADY,
    END_TOO_EARLY,
    MAX_CALLS,
    TOO_MANY_TOOLS,
    UNKNOWN_TOOL,
)

SETTINGS = Settings(
    instructions="You answer for Luigi's.",
    end_call_phrases=("goodbye",),
    end_call_message="Thanks for calling.",
    filler="One moment.",
    apology="Sorry.",
    time_up_message="Our time is up.",
    tools={"look_up": "Let me look.", "book": "", "end_call": "", "transfer_call": ""},
)
CLOSE = Say("", last=True)
LOOK_UP = ToolCall("1", "look_up", '{"day": "Friday"}')
BOOK = ToolCall("2", "book", '{"day": "Friday"}')
QUESTION = Turn(1, "caller", "Is there a table on Friday?", 1_000)


def ends_with(reason):
    return ToolCall("3", "end_call", json.dumps({"reason": reason}))


def play(dialogue, *events):
    return [command for event in events for command in dialogue.receive(event)]


def asked_call(*calls, said="", settings=SETTINGS):
    """A call in which the model answers the first question with these tool calls."""
    dialogue = Dialogue(settings)
    play(dialogue, CallOpened(0), CallerSpoke(QUESTION.text, 1_000))
    if said:
        dialogue.receive(ReplyToken(1, said, 1_300))
    play(dialogue, *(ToolAsked(1, call, 1_400) for call in calls))
    return dialogue, dialogue.receive(ReplyFinished(1, 1_500))


def tool_turn(number, call, status="running", text="", elapsed_ms=0):
    use = ToolUse(call.name, call.arguments, status, elapsed_ms)
    return Turn(number, "tool", text, 1_500, tool=use)


def ok(turn, text="Two tables are free.", at_ms=2_500):
    return ToolAnswered(turn, "ok", text, 900, at_ms)


def last_messages(commands):
    return commands[-1].messages


def test_tool_is_used_and_its_answer_spoken():
    dialogue, begun = asked_call(LOOK_UP)

    assert begun == [
        Say("Let me look."),
        CLOSE,
        Record(Turn(2, "agent", "Let me look.", 1_500)),
        Record(tool_turn(3, LOOK_UP)),
        UseTool(3, LOOK_UP),
    ]
    answered = dialogue.receive(ok(3))
    use = {
        "id": "call00003",
        "type": "function",
        "function": {"name": "look_up", "arguments": LOOK_UP.arguments},
    }
    assert answered == [
        Record(tool_turn(3, LOOK_UP, "ok", "Two tables are free.", 900)),
        AskModel(
            2,
            (
                {"role": "system", "content": SETTINGS.instructions},
                {"role": "user", "content": QUESTION.text},
                {
                    "role": "assistant",
                    "content": "Let me look.",
                    "tool_calls": [use],
                },
                {
                    "role": "tool",
                    "tool_call_id": "call00003",
                    "content": "Two tables are free.",
                },
            ),
        ),
    ]
    said = play(
        dialogue, ReplyToken(2, "Yes, two tables.", 2_800), ReplyFinished(2, 2_900)
    )
    reply = Turn(4, "agent", "Yes, two tables.", 2_800, reply_ms=1_800)
    assert said == [Say("Yes, two tables."), CLOSE, Record(reply)]
    assert not dialogue.is_busy


def test_models_own_words_stand_for_the_meanwhile():
    _, begun = asked_call(LOOK_UP, said="I'll see.")

    assert begun[:2] == [
        CLOSE,
        Record(Turn(2, "agent", "I'll see.", 1_300, reply_ms=300)),
    ]


def test_tool_without_words_says_nothing_and_closes_nothing():
    _, begun = asked_call(BOOK)

    assert begun == [Record(tool_turn(2, BOOK)), UseTool(2, BOOK)]


def test_several_tools_are_awaited_together():
    dialogue, begun = asked_call(LOOK_UP, BOOK)
    first = dialogue.receive(ok(4, "Booked."))
    second = dialogue.receive(ok(3))

    assert [c.turn for c in begun if isinstance(c, UseTool)] == [3, 4]
    assert first == [Record(tool_turn(4, BOOK, "ok", "Booked.", 900))]
    assert isinstance(second[-1], AskModel)
    roles = [m["role"] for m in last_messages(second)]
    assert roles == ["system", "user", "assistant", "tool", "tool"]
    ids = [c["id"] for c in last_messages(second)[2]["tool_calls"]]
    assert ids == [m["tool_call_id"] for m in last_messages(second)[3:]]


def test_answer_given_twice_counts_once():
    dialogue, _ = asked_call(BOOK)
    dialogue.receive(ok(2))

    assert dialogue.receive(ok(2, "Again.")) == []


def test_caller_who_speaks_on_leaves_the_reply_but_not_the_tool():
    dialogue, _ = asked_call(LOOK_UP)

    spoke_on = dialogue.receive(CallerSpoke("On Saturday, I mean.", 2_000))
    answered = dialogue.receive(ok(3))

    assert [type(command) for command in spoke_on] == [Record, AskModel]
    contents = [message["content"] for message in last_messages(spoke_on)]
    assert contents[-2:] == [
        "No answer yet. It is still working.",
        "On Saturday, I mean.",
    ]
    assert answered == [
        Record(tool_turn(3, LOOK_UP, "ok", "Two tables are free.", 900))
    ]
    assert dialogue.messages()[-2]["content"] == "Two tables are free."


def test_interruption_of_the_meanwhile_shortens_it_and_the_tool_goes_on():
    dialogue, _ = asked_call(LOOK_UP)

    cut = dialogue.receive(CallerInterrupted("let me", 300, 1_900))

    assert cut == [Record(Turn(2, "agent", "Let me", 1_500, interrupted=True))]
    assert isinstance(dialogue.receive(ok(3))[-1], AskModel)


def test_interruption_of_the_sentence_before_the_reply_leaves_the_reply_unheard():
    dialogue, _ = asked_call(LOOK_UP)
    play(dialogue, ok(3), ReplyToken(2, "Yes, two tables", 2_600))

    commands = dialogue.receive(CallerInterrupted("Let me", 300, 2_650))

    assert commands[:3] == [
        Record(Turn(2, "agent", "Let me", 1_500, interrupted=True)),
        StopModel(2),
        CLOSE,
    ]
    assert commands[3].turn.text == ""


def test_pause_of_a_slow_tool_is_filled_once():
    dialogue, _ = asked_call(BOOK)

    late = play(dialogue, ReplyLate(1, 4_000), ReplyLate(1, 7_000))
    dialogue.receive(ok(2))
    again = dialogue.receive(ReplyLate(2, 9_000))
    said = play(dialogue, ReplyToken(2, "Done.", 9_500), ReplyFinished(2, 9_600))

    assert (late, again) == ([Say("One moment. ")], [])
    assert said[-1].turn.text == "One moment. Done."


def test_silence_while_a_tool_works_is_nothing():
    dialogue, _ = asked_call(BOOK)

    assert dialogue.receive(CallerSilent(60_000)) == []
    assert dialogue.is_busy


def test_tool_that_does_not_exist_is_refused_and_the_model_asked_again():
    unknown = ToolCall("9", "rm_rf", "{}")

    _, commands = asked_call(unknown)

    assert commands[0] == Record(tool_turn(2, unknown, "refused", UNKNOWN_TOOL))
    assert commands[1].messages[-1]["content"] == UNKNOWN_TOOL


def test_too_many_tools_at_once_are_refused():
    _, commands = asked_call(*[BOOK] * (MAX_CALLS + 2))

    refused = [c for c in commands if isinstance(c, Record) and c.turn.text]
    assert [c.turn.text for c in refused] == [TOO_MANY_TOOLS] * 2
    assert len([c for c in commands if isinstance(c, UseTool)]) == MAX_CALLS


def use_tools_for_ever(dialogue, rounds):
    for number in range(2, rounds + 1):
        play(dialogue, ok(dialogue.turns[-1].number))
        play(dialogue, ToolAsked(number, BOOK, 3_000), ReplyFinished(number, 3_100))


def test_after_so_many_rounds_the_model_has_to_answer():
    dialogue, _ = asked_call(BOOK)
    use_tools_for_ever(dialogue, MAX_ROUNDS)

    asked = dialogue.receive(ok(dialogue.turns[-1].number))[-1]

    assert (asked.reply, asked.may_use_tools) == (MAX_ROUNDS + 1, False)
    last = play(
        dialogue,
        ReplyToken(asked.reply, "I cannot book it.", 4_000),
        ToolAsked(asked.reply, BOOK, 4_000),
        ReplyFinished(asked.reply, 4_100),
    )
    assert last[-1].turn.text == "I cannot book it."


def test_model_that_only_ever_uses_tools_gives_up_in_words():
    dialogue, _ = asked_call(BOOK)
    use_tools_for_ever(dialogue, MAX_ROUNDS + 1)

    assert dialogue.has_ended
    assert dialogue.turns[-1].text == SETTINGS.apology


def test_rounds_are_counted_anew_for_what_is_said_next():
    dialogue, _ = asked_call(BOOK)
    use_tools_for_ever(dialogue, MAX_ROUNDS)

    asked = dialogue.receive(CallerSpoke("Hello?", 9_000))[-1]

    assert asked.may_use_tools


def test_failed_reply_uses_none_of_its_tools():
    dialogue = Dialogue(SETTINGS)
    dialogue.receive(CallerSpoke("Hello?", 1_000))

    commands = play(
        dialogue, ToolAsked(1, BOOK, 1_200), ReplyFailed(1, "cut", 1_300), ok(2)
    )

    assert commands[-1] == EndCall("model_failed")
    assert not any(isinstance(command, UseTool) for command in commands)


def test_end_call_ends_with_the_last_words_and_the_reason():
    _, commands = asked_call(ends_with("table booked"), said="See you on Friday.")

    goodbye = Turn(4, "agent", "Thanks for calling.", 1_500)
    assert commands[-4:] == [
        Say("Thanks for calling."),
        CLOSE,
        Record(goodbye),
        EndCall("agent_ended", "table booked"),
    ]
    assert [c.turn.tool.status for c in commands if is_tool(c)] == ["running", "ok"]


def is_tool(command):
    return isinstance(command, Record) and command.turn.tool is not None


@pytest.mark.parametrize("arguments", ["", "[]", '{"reason": 7}', "{" * 99_999])
def test_end_call_with_nonsense_ends_without_a_reason(arguments):
    _, commands = asked_call(replace(ends_with(""), arguments=arguments))

    assert commands[-1] == EndCall("agent_ended", "")


def test_end_call_waits_for_the_other_tools():
    dialogue, begun = asked_call(BOOK, ends_with("booked"))

    ended = dialogue.receive(ok(2))

    assert EndCall("agent_ended", "booked") not in begun
    assert ended[-1] == EndCall("agent_ended", "booked")


def test_end_call_beside_a_tool_that_failed_is_not_taken():
    dialogue, _ = asked_call(BOOK, ends_with("booked"))

    commands = dialogue.receive(ToolAnswered(2, "failed", "No such day.", 80, 2_000))

    assert commands[1].turn.text == END_TOO_EARLY
    assert isinstance(commands[-1], AskModel)


def test_second_way_to_end_is_refused():
    transfer = ToolCall("4", "transfer_call", '{"to": "sales", "reason": "price"}')

    dialogue, commands = asked_call(ends_with("done"), transfer)

    assert commands[1].turn.text == END_ASKED_ALREADY
    assert not dialogue.has_ended


def test_caller_who_speaks_on_calls_the_end_off():
    dialogue, _ = asked_call(BOOK, ends_with("booked"))

    play(dialogue, CallerSpoke("Wait!", 1_800), ok(2))

    assert not dialogue.has_ended
    assert dialogue.turns[2].tool.status == "abandoned"


def test_end_call_phrase_beside_a_tool_ends_once_it_is_done():
    dialogue, _ = asked_call(BOOK, said="Booked. Goodbye!")

    assert dialogue.receive(ok(3))[-1] == EndCall("agent_ended")


def test_transfer_is_the_last_command():
    transfer = ToolCall("4", "transfer_call", '{"to": "sales", "reason": "price"}')

    dialogue, commands = asked_call(transfer, said="I'll put you through.")

    assert commands[-1] == TransferCall("sales", "price")
    assert dialogue.has_ended


def test_transfer_is_announced_and_closed_before_it_is_made():
    transfer = ToolCall("4", "transfer_call", '{"reason": "price"}')
    settings = replace(SETTINGS, tools={"transfer_call": "I connect you."})

    dialogue, commands = asked_call(transfer, said="Of course.", settings=settings)

    assert [c for c in commands if not isinstance(c, Record)] == [
        Say(" I connect you."),
        CLOSE,
        TransferCall("", "price"),
    ]
    assert [(turn.speaker, turn.text) for turn in dialogue.turns[1:]] == [
        ("agent", "Of course. I connect you."),
        ("tool", ""),
    ]
    assert play(dialogue, CallerSpoke("Wait!", 2_000), ReplyToken(1, "No", 2_100)) == []


def test_agent_goes_on_where_the_transfer_came_to_nothing():
    used = ToolUse("transfer_call", "{}", "failed")
    turns = [QUESTION, Turn(2, "agent", "I connect you.", 1_500)]
    turns.append(Turn(3, "tool", "Nobody answered.", 1_600, tool=used))

    commands = Dialogue(SETTINGS, turns).receive(CallOpened(30_000))

    assert [type(command) for command in commands] == [AskModel]
    assert commands[0].messages[-1]["content"] == "Nobody answered."


@pytest.mark.parametrize("end", [CallerHungUp(2_000), SessionLost(2_000)])
def test_end_calls_off_what_is_at_work(end):
    dialogue, _ = asked_call(BOOK)

    commands = dialogue.receive(end)

    assert commands == [StopTool(2), Record(tool_turn(2, BOOK, "abandoned"))]
    assert dialogue.receive(ok(2)) == []


def test_time_up_calls_off_what_is_at_work_and_says_so():
    dialogue, _ = asked_call(BOOK)

    commands = dialogue.receive(TimeUp(600_000))

    assert commands[0] == Say("Our time is up.")
    assert commands[-2:] == [
        Record(tool_turn(2, BOOK, "abandoned")),
        EndCall("time_up"),
    ]


def test_resumed_call_knows_that_its_tool_was_cut_off():
    turns = [QUESTION, tool_turn(2, BOOK)]

    commands = Dialogue(SETTINGS, turns).receive(CallOpened(5_000))

    assert commands[0] == Record(tool_turn(2, BOOK, "abandoned"))
    assert commands[1].messages[-1] == {
        "role": "tool",
        "tool_call_id": "call00002",
        "content": "It was cut off before an answer came.",
    }


def test_history_never_shows_arguments_that_are_no_object():
    turns = [QUESTION, tool_turn(2, replace(BOOK, arguments='{"day": '), "refused")]

    message = Dialogue(SETTINGS, turns).messages()[2]

    assert message["tool_calls"][0]["function"]["arguments"] == "{}"
