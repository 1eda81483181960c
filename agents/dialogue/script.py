"""The words of the conversation: its settings, turns, events and commands.

All `at_ms` are milliseconds since the call was answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agents.chat import Message, ToolCall


@dataclass(frozen=True)
class Settings:
    """What an agent is told to do; every text may be empty, which means: say nothing.

    `known` is what is known of the caller: data, shown to the model apart from the
    instructions. `history_limit` is the number of latest turns the model is shown, None
    for all. Silence is asked about `silence_reminders` times, each after
    `silence_reminder_s`, and ends the call after `silence_timeout_s` in all; reminders
    that would not come before that are left out. An assistant that asks who calls is
    told `screening_message`, and its person waited for. `tools` are those that the
    model is offered, by name, with what is said while each is at work.
    """

    greeting: str = ""
    instructions: str = ""
    known: str = ""
    end_call_phrases: tuple[str, ...] = ()
    end_call_message: str = ""
    caller_speaks_first: bool = False
    dtmf: bool = True
    silence_message: str = "Are you still there?"
    silence_reminders: int = 1
    silence_reminder_s: int = 10
    silence_timeout_s: int = 30
    filler: str = "One moment, please."
    apology: str = "I am sorry, something went wrong here. Please call again later."
    time_warning: str = "I am sorry, we have to come to an end soon."
    time_up_message: str = "I am sorry, our time is up. Thank you for calling. Goodbye."
    screening_message: str = ""
    screening_patience_s: int = 60
    history_limit: int | None = None
    tools: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ToolUse:
    """What a tool was asked and what became of it.

    `status` is running, ok, failed, timed_out, refused, or abandoned: the call ended,
    or the caller spoke on, before it was done.
    """

    name: str
    arguments: str
    status: str = "running"
    elapsed_ms: int = 0


@dataclass(frozen=True)
class Turn:
    """One utterance, numbered from 1 in the order of the transcript.

    `at_ms` is when its first word was heard or sent. `reply_ms`, on replies only, is
    the time from the caller's words to the model's first; a filler does not shorten it.
    A tool's turn has its answer as text, which is what the model is shown. `by` is the
    name of the person of the team who wanted it; an instruction is theirs to the agent,
    and nobody on the line hears it.
    """

    number: int
    speaker: str  # "caller", "agent", "tool" or "instruction"
    text: str
    at_ms: int
    reply_ms: int | None = None
    interrupted: bool = False
    tool: ToolUse | None = None
    by: str = ""


@dataclass(frozen=True)
class CallOpened:
    """The line is up; the carrier itself speaks the greeting."""

    at_ms: int


@dataclass(frozen=True)
class CallerSpoke:
    text: str
    at_ms: int


@dataclass(frozen=True)
class CallerInterrupted:
    """The caller talked over the agent, who was heard up to `heard`, for `heard_ms`."""

    heard: str | None
    heard_ms: int | None
    at_ms: int


@dataclass(frozen=True)
class KeysPressed:
    digits: str
    at_ms: int


@dataclass(frozen=True)
class ReplyToken:
    reply: int
    text: str
    at_ms: int


@dataclass(frozen=True)
class ToolAsked:
    """The model wants a tool; it is used when the reply is finished."""

    reply: int
    call: ToolCall
    at_ms: int


@dataclass(frozen=True)
class ToolAnswered:
    """What became of the tool of this turn; `text` is for the model."""

    turn: int
    status: str
    text: str
    elapsed_ms: int
    at_ms: int


@dataclass(frozen=True)
class ReplyLate:
    """Nothing was said yet to the caller's words and the pause is getting long."""

    reply: int
    at_ms: int


@dataclass(frozen=True)
class ReplyFinished:
    reply: int
    at_ms: int


@dataclass(frozen=True)
class ReplyFailed:
    reply: int
    reason: str
    at_ms: int


@dataclass(frozen=True)
class CallerSilent:
    """Nothing was heard for as long as the dialogue has patience."""

    at_ms: int


@dataclass(frozen=True)
class TimeShort:
    """The longest call time is nearly reached."""

    at_ms: int


@dataclass(frozen=True)
class TimeUp:
    at_ms: int


@dataclass(frozen=True)
class PersonSpoke:
    """Somebody of the team, `by`, has the agent say `text` next.

    `wish` names the request, as in the other three; it comes back as `Fulfilled`.
    """

    wish: str
    text: str
    by: str
    at_ms: int


@dataclass(frozen=True)
class PersonInstructed:
    """Somebody of the team tells the agent something that the caller does not hear."""

    wish: str
    text: str
    by: str
    at_ms: int


@dataclass(frozen=True)
class PersonTransferred:
    """Somebody of the team hands the caller over."""

    wish: str
    to: str
    by: str
    at_ms: int


@dataclass(frozen=True)
class PersonEnded:
    """Somebody of the team wants the call ended, with the agent's last words."""

    wish: str
    detail: str
    at_ms: int


@dataclass(frozen=True)
class CallerHungUp:
    at_ms: int


@dataclass(frozen=True)
class SessionLost:
    """The socket is gone. The call may go on in a new dialogue made of the turns."""

    at_ms: int


Event = (
    CallOpened
    | CallerSpoke
    | CallerInterrupted
    | KeysPressed
    | ReplyToken
    | ToolAsked
    | ToolAnswered
    | ReplyLate
    | ReplyFinished
    | ReplyFailed
    | CallerSilent
    | TimeShort
    | TimeUp
    | PersonSpoke
    | PersonInstructed
    | PersonTransferred
    | PersonEnded
    | CallerHungUp
    | SessionLost
)


@dataclass(frozen=True)
class Say:
    """Words for the caller, spaces kept; `last` closes what the agent says for now."""

    text: str
    last: bool = False


@dataclass(frozen=True)
class Record:
    """Insert the turn of that number, or replace it."""

    turn: Turn


@dataclass(frozen=True)
class AskModel:
    """Without tools, the model must answer from what it knows by now."""

    reply: int
    messages: tuple[Message, ...]
    may_use_tools: bool = True


@dataclass(frozen=True)
class StopModel:
    reply: int


@dataclass(frozen=True)
class UseTool:
    """Let the tool work; its answer belongs to the turn of this number."""

    turn: int
    call: ToolCall


@dataclass(frozen=True)
class StopTool:
    turn: int


@dataclass(frozen=True)
class Fulfilled:
    """What a person of the team wanted is done."""

    wish: str


@dataclass(frozen=True)
class EndCall:
    """Hang up once all is said: agent_ended, model_failed, caller_silent, time_up,
    hung_up_here.

    `detail` is the agent's own word for why.
    """

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class TransferCall:
    """Hand the caller over once all is said; where to is the carrier's side's to know.

    `to` and `reason` are the model's words.
    """

    to: str
    reason: str


Command = (
    Say
    | Record
    | AskModel
    | StopModel
    | UseTool
    | StopTool
    | Fulfilled
    | EndCall
    | TransferCall
)
