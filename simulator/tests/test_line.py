"""The line: who hears what, and when. No sockets, a quick clock."""

import asyncio

import pytest

from simulator.line import NOTHING, Interruption, Line, Pace, Words

PACE = Pace(speed=0.02)  # 750 characters a second
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


def make_line(pace=PACE):
    events = []
    return Line(pace, lambda kind, **data: events.append((kind, data))), events


def taken(line):
    found = []
    while not line.inputs.empty():
        found.append(line.inputs.get_nowait())
    return found


async def test_cut_in_hears_exactly_the_characters_asked_for():
    line, events = make_line()

    speaking = asyncio.create_task(line.play("Twelve and some more words."))
    await line.cut_in("No", after_chars=10)

    assert await speaking is False
    assert taken(line) == [Interruption("Twelve and", 667), Words("No")]
    assert ("agent_cleared", {"heard": "Twelve and"}) in events


async def test_typed_interruption_hears_what_was_said_by_then():
    line, _ = make_line()
    speaking = asyncio.create_task(line.play("word " * 40))
    async with asyncio.timeout(5):
        while len(line.heard) < 30:
            await asyncio.sleep(PACE.speaking_s(1))

    await line.cut_in_now("Stop")

    interruption, words = taken(line)
    assert await speaking is False
    assert ("word " * 40).startswith(interruption.heard)
    assert 30 <= len(interruption.heard) < 200
    assert words == Words("Stop")


async def test_speech_that_does_not_yield_goes_on():
    line, _ = make_line()
    speaking = asyncio.create_task(
        line.play("By law you hear this.", yields_to=NOTHING)
    )

    await line.cut_in("But", after_chars=3)

    assert await speaking is True
    assert taken(line) == [Words("But", during_speech=True)]


async def test_words_too_late_to_cut_in_are_said_in_turn():
    line, events = make_line()
    cutting = asyncio.create_task(line.cut_in("Later", after_chars=99))

    await asyncio.sleep(0)
    assert await line.play("Short.") is True
    line.finish_turn(gives_turn=True)
    await cutting

    assert [kind for kind, _ in events] == ["agent_text", "agent_done", "caller"]
    assert taken(line) == [Words("Later")]


async def test_say_waits_for_the_agent_to_finish():
    line, events = make_line()
    saying = asyncio.create_task(line.say("Me now"))

    await line.play("First the agent.")
    line.finish_turn(gives_turn=True)
    await saying

    assert [kind for kind, _ in events] == ["agent_text", "agent_done", "caller"]


async def test_silence_is_noticed_only_when_nobody_has_begun_to_speak():
    line, _ = make_line(Pace(speed=0.05))
    line.listen()

    assert await line.next_input(1) is None
    saying = asyncio.create_task(line.say("A long answer that outlasts the silence"))
    given = await line.next_input(1)
    await saying

    assert given == Words("A long answer that outlasts the silence")


async def test_who_breaks_off_is_heard_by_nobody():
    line, events = make_line()
    line.listen()

    await line.break_off("I would like")

    assert events == [("caller", {"text": "I woul"})]
    assert taken(line) == []


@pytest.mark.parametrize(
    ("pace", "seconds"),
    [
        (Pace(0), 0.1),
        (Pace(0.5), 5),
        (Pace(0, has_real_silences=True), 10),
        (Pace(0, is_person=True), 10),
    ],
)
def test_silences_are_as_long_as_is_wanted(pace, seconds):
    assert pace.silence_s(10) == seconds
