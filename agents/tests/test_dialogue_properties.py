"""Any order of events keeps the promises of the dialogue."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from agents.dialogue import (
    AskModel,
    CallerHungUp,
    CallerInterrupted,
    CallerSilent,
    CallerSpoke,
    CallOpened,
    Dialogue,
    EndCall,
    Fulfilled,
    KeysPressed,
    PersonEnded,
    PersonInstructed,
    PersonSpoke,
    PersonTransferred,
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
    TimeShort,
    TimeUp,
    ToolAnswered,
    ToolAsked,
    ToolCall,
    TransferCall,
    UseTool,
)
from agents.dialogue.machine import MAX_ROUNDS

TOOLS = {
    "look_up": "Let me look.",
    "book": "",
    "end_call": "",
    "transfer_call": "Hold on.",
}
SETTINGS = Settings(
    greeting="Hello, this is Luigi's.",
    instructions="You answer for Luigi's.",
    end_call_phrases=("goodbye",),
    end_call_message="Thanks for calling.",
    filler="One moment.",
    apology="Sorry.",
    tools=TOOLS,
)
KINDS = [
    SETTINGS,
    Settings(),
    Settings(filler="", apology="", tools=TOOLS),
    Settings(greeting="Hi.", caller_speaks_first=True, history_limit=3, tools=TOOLS),
    replace(SETTINGS, screening_message="Luigi's, about your table."),
]

SLOW = [HealthCheck.too_slow]  # the machine may be busy with other tests
WORDS = st.sampled_from(
    [
        "",
        " ",
        "yes",
        "Goodbye.",
        " we open",
        "at nine",
        "One moment.",
        "Let me look.",
        "Say your name and the reason for your call.",
    ]
)
# Mostly the newest: what it is said of is known only while the events are played.
AGO = st.sampled_from([0, 0, 0, 0, 1, 2])
CALLS = st.builds(
    ToolCall,
    st.just("x"),
    st.sampled_from([*TOOLS, "no_such_tool"]),
    st.sampled_from(['{"reason": "done", "to": "sales"}', "nonsense"]),
)
CALLER = st.one_of(
    st.builds(CallerSpoke, WORDS, st.just(0)),
    st.builds(
        CallerInterrupted,
        st.none() | WORDS,
        st.none() | st.integers(0, 2_000),
        st.just(0),
    ),
    st.builds(KeysPressed, st.sampled_from(["", "1", "#"]), st.just(0)),
    st.builds(CallerSilent, st.just(0)),
    st.builds(TimeShort, st.just(0)),
)
MODEL = st.one_of(
    st.builds(ReplyToken, AGO, WORDS, st.just(0)),
    st.builds(ReplyToken, AGO, WORDS, st.just(0)),
    st.builds(ToolAsked, AGO, CALLS, st.just(0)),
    st.builds(ReplyFinished, AGO, st.just(0)),
    st.builds(ReplyFinished, AGO, st.just(0)),
    st.builds(ReplyLate, AGO, st.just(0)),
    st.builds(ReplyFailed, AGO, st.just("cut"), st.just(0)),
)
ANSWERS = st.builds(
    ToolAnswered,
    AGO,
    st.sampled_from(["ok", "ok", "failed", "timed_out"]),
    st.sampled_from(["", "Two tables."]),
    st.integers(0, 9_000),
    st.just(0),
)
# Each wish is given a number of its own when it is played.
PEOPLE = st.one_of(
    st.builds(PersonSpoke, st.just(""), WORDS, st.just("Alice"), st.just(0)),
    st.builds(PersonInstructed, st.just(""), WORDS, st.just("Alice"), st.just(0)),
)
ENDS = st.sampled_from(
    [
        TimeUp(0),
        CallerHungUp(0),
        SessionLost(0),
        PersonEnded("", "Alice ended it.", 0),
        PersonTransferred("", "+15550100", "Alice", 0),
    ]
)
EVENTS = st.one_of(
    CALLER, MODEL, MODEL, MODEL, ANSWERS, PEOPLE, st.builds(CallOpened, AGO)
)


@hypothesis_settings(max_examples=400, deadline=None, suppress_health_check=SLOW)
@given(
    st.lists(EVENTS, max_size=50), st.lists(ENDS, max_size=2), st.sampled_from(KINDS)
)
def test_any_order_of_events_keeps_the_promises(events, ends, settings):
    line = Line(Dialogue(settings))

    line.play([*events, *ends, *events[:5]])

    line.check()


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(
    st.lists(EVENTS, max_size=30), st.lists(EVENTS, max_size=30), st.sampled_from(KINDS)
)
def test_a_session_lost_anywhere_goes_on_in_another(before, after, settings):
    first = Line(Dialogue(settings))
    first.play([*before, SessionLost(0)])
    kept = first.dialogue.turns

    second = Line(Dialogue(settings, kept), kept)
    second.play([CallOpened(0), *after])

    second.check()
    assert not kept or not greets_again(second.dialogue.turns, len(kept), settings)
    heard = [turn for turn in kept if turn.speaker != "instruction"]
    if heard and heard[-1].speaker == "caller":
        assert second.asked_at_once or settings.screening_message


def greets_again(turns, known, settings):
    """Whether a turn after the `known` greets; a person behind an assistant may be."""
    message, before = settings.screening_message, ""
    for turn in turns:
        if turn.speaker != "agent":
            continue
        was_screened = message and before and message.startswith(before)
        if turn.number > known and turn.text == settings.greeting and not was_screened:
            return bool(turn.text)
        before = turn.text
    return False


class Conversations(RuleBasedStateMachine):
    """Calls that mostly go as calls do: what happens is about what is there."""

    def __init__(self):
        super().__init__()
        self.line = Line(Dialogue(SETTINGS))
        self.line.play([CallOpened(0)])

    def is_asked(self):
        return self.line.asked is not None

    def is_at_work(self):
        return bool(self.line.at_work)

    @rule(event=CALLER)
    def caller(self, event):
        self.line.play([event])

    @rule(event=PEOPLE)
    def person(self, event):
        self.line.play([event])

    @rule(heard=st.none() | WORDS, times=st.integers(1, 2))
    def interruption(self, heard, times):
        self.line.play([CallerInterrupted(heard, 300, 0)] * times)

    @precondition(is_asked)
    @rule(text=WORDS, late=st.booleans())
    def token(self, text, late):
        late_first = [ReplyLate(0, 0)] if late else []
        self.line.play([*late_first, ReplyToken(0, text, 0)])

    @precondition(is_asked)
    @rule(calls=st.lists(CALLS, min_size=1, max_size=3))
    def tools(self, calls):
        self.line.play([*(ToolAsked(0, c, 0) for c in calls), ReplyFinished(0, 0)])

    @precondition(is_asked)
    @rule(event=st.sampled_from([ReplyFinished(0, 0), ReplyFailed(0, "cut", 0)]))
    def end_of_reply(self, event):
        self.line.play([event])

    @precondition(is_at_work)
    @rule(answer=ANSWERS)
    def tool_answers(self, answer):
        self.line.play([answer])

    @rule(event=EVENTS)
    def anything(self, event):
        self.line.play([event])

    @precondition(lambda self: self.is_asked() or self.is_at_work())
    @rule(end=ENDS)
    def end(self, end):
        self.line.play([end])
        self.line.check()
        self.line = Line(Dialogue(SETTINGS))

    @invariant()
    def promises_are_kept(self):
        self.line.check()


TestConversations = Conversations.TestCase
TestConversations.settings = hypothesis_settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=SLOW
)


class Line:
    """Plays events, carries out commands like a relay, and refuses impossible ones."""

    def __init__(self, dialogue, turns=()):
        self.dialogue = dialogue
        self.asked = None  # the model request that is open
        self.replies = 0
        self.rounds = 0
        self.at_work = []  # turns of tools
        self.answered = []
        self.wishes = 0
        self.wished = []  # by people of the team, not fulfilled yet
        self.is_closed = True
        self.has_left = False
        self.was_interrupted = False
        self.asked_at_once = False
        self.speeches = [dialogue.settings.greeting, ""]
        self.recorded = {turn.number: turn for turn in turns}
        self.resumed = set(self.recorded)

    def play(self, events):
        for number, drawn in enumerate(events):
            event = self.meant(drawn)
            had_ended, is_news = self.dialogue.has_ended, self.is_news(event)
            if is_news:  # what is none makes nobody speak, so it ends no interruption
                self.was_interrupted = isinstance(event, CallerInterrupted)
            if isinstance(event, WISHES) and not had_ended:
                self.wished.append(event.wish)
            commands = self.dialogue.receive(event)
            assert not (had_ended and commands)
            assert is_news or not commands
            for command in commands:
                self.carry_out(command, event)
            if isinstance(event, ReplyFinished | ReplyFailed):
                self.finish(event.reply)
            assert self.dialogue.is_busy == (self.asked is not None or self.awaits())
            self.asked_at_once |= number == 0 and self.asked is not None

    def meant(self, event):
        """The event about a reply or a tool that there was."""
        match event:
            case ToolAnswered(ago, status, text, elapsed_ms, at_ms):
                known = [*self.answered, *self.at_work]
                turn = known[-1 - ago] if ago < len(known) else 99
                return ToolAnswered(turn, status, text, elapsed_ms, at_ms)
            case ReplyToken() | ToolAsked() | ReplyFinished() | ReplyLate():
                return type(event)(
                    self.replies - event.reply, *list(vars(event).values())[1:]
                )
            case ReplyFailed(ago, reason, at_ms):
                return ReplyFailed(self.replies - ago, reason, at_ms)
            case PersonSpoke() | PersonInstructed() | PersonEnded():
                return self.numbered(event)
            case PersonTransferred():
                return self.numbered(event)
        return event

    def numbered(self, event):
        self.wishes += 1
        return replace(event, wish=str(self.wishes))

    def is_news(self, event):
        """Whether anything may be done about it."""
        match event:
            case ReplyToken(reply) | ToolAsked(reply):
                return reply == self.asked
            case ReplyFinished(reply) | ReplyFailed(reply):
                return reply == self.asked
            case ReplyLate(reply):
                return reply == self.replies and self.dialogue.is_busy
            case ToolAnswered(turn):
                return turn in self.at_work
        return True

    def awaits(self):
        return self.dialogue._tools.is_awaited

    def carry_out(self, command, event):
        assert not self.has_left
        match command:
            case AskModel(reply, messages, may_use_tools):
                if isinstance(event, ReplyFinished):  # its tools could not be used
                    self.finish(event.reply)
                assert self.asked is None and reply == self.replies + 1
                self.asked = self.replies = reply
                heard = isinstance(event, CallerSpoke | KeysPressed | CallOpened)
                self.rounds = 1 if heard else self.rounds + 1
                assert may_use_tools == (self.rounds <= MAX_ROUNDS)
                check_messages(messages)
            case StopModel(reply):
                assert self.asked == reply
                self.asked = None
            case UseTool(turn, call):
                assert self.recorded[turn].tool.status == "running"
                assert call.name in self.dialogue.settings.tools
                self.at_work.append(turn)
            case StopTool(turn):
                self.at_work.remove(turn)
            case Say(text, last):
                self.speeches[-1] += text
                self.is_closed = last
                if last:
                    self.speeches.append("")
            case Record(turn):
                assert turn.number <= len(self.recorded) + 1
                before = self.recorded.get(turn.number)
                assert not (before and before.interrupted)  # cut once, for good
                if isinstance(event, ToolAnswered) and turn.number == event.turn:
                    self.at_work.remove(turn.number)
                    self.answered.append(turn.number)
                self.recorded[turn.number] = turn
            case Fulfilled(wish):
                self.wished.remove(wish)  # once
            case EndCall() | TransferCall():
                assert self.is_closed
                self.has_left = True

    def finish(self, reply):
        if reply == self.asked:
            self.asked = None

    def check(self):
        turns = self.dialogue.turns
        assert tuple(self.recorded[n] for n in sorted(self.recorded)) == turns
        assert [turn.number for turn in turns] == list(range(1, len(turns) + 1))
        for turn in turns:
            if turn.speaker == "agent" and turn.number not in self.resumed:
                assert self.has_said(turn)
            if turn.tool and turn.tool.status == "running":
                assert not self.dialogue.has_ended
        assert self.is_closed or self.dialogue.is_busy
        if not (self.dialogue.has_ended or self.asked or self.was_interrupted):
            assert self.wished == []
        if self.dialogue.has_ended:
            assert self.asked is None and self.at_work == []

    def has_said(self, turn):
        return any(
            speech.strip() == turn.text
            or (turn.interrupted and speech.strip().startswith(turn.text))
            for speech in self.speeches
        )


WISHES = (PersonSpoke, PersonInstructed, PersonTransferred, PersonEnded)


def check_messages(messages):
    """What every provider insists on: each call is answered at once, by its id."""
    due = []
    for message in messages:
        if message["role"] == "tool":
            due.remove(message["tool_call_id"])
            continue
        assert due == []
        due = [call["id"] for call in message.get("tool_calls", [])]
        assert message["content"] or due
    assert due == []


@pytest.mark.parametrize("rounds", range(1, 4))
def test_property_test_reaches_tools(rounds):
    """The driver itself: rounds of tools can be played through it."""
    line = Line(Dialogue(SETTINGS))
    line.play([CallOpened(0), CallerSpoke("A table?", 0)])
    for _ in range(rounds):
        call = ToolCall("x", "book", "{}")
        line.play([ToolAsked(0, call, 0), ReplyFinished(0, 0)])
        line.play([ToolAnswered(0, "ok", "Yes.", 5, 0)])

    assert (line.asked, len(line.answered)) == (rounds + 1, rounds)
