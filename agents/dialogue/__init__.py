"""The live conversation as a pure state machine: events in, commands out.

It never awaits, asks no clock and throws no dice, so a whole phone call is a list
in a test. Whoever runs it (a socket, a webhook) turns what happens on the line into
events, carries out the commands in their order, and keeps the turns.
"""

from agents.chat import ToolCall
from agents.dialogue.machine import Dialogue
from agents.dialogue.script import (
    AskModel,
    CallerHungUp,
    CallerInterrupted,
    CallerSilent,
    CallerSpoke,
    CallOpened,
    Command,
    EndCall,
    Event,
    KeysPressed,
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
    ToolUse,
    TransferCall,
    Turn,
    UseTool,
)
from agents.dialogue.speech import (
    SPEECH_CHARACTERS_PER_SECOND,
    contains_phrase,
    heard_part,
)
from agents.dialogue.tools import TRANSFER_CALL

__all__ = [
    "TRANSFER_CALL",
    "AskModel",
    "CallOpened",
    "CallerHungUp",
    "CallerInterrupted",
    "CallerSilent",
    "CallerSpoke",
    "Command",
    "Dialogue",
    "EndCall",
    "Event",
    "KeysPressed",
    "Record",
    "ReplyFailed",
    "ReplyFinished",
    "ReplyLate",
    "ReplyToken",
    "SPEECH_CHARACTERS_PER_SECOND",
    "Say",
    "SessionLost",
    "Settings",
    "StopModel",
    "StopTool",
    "TimeShort",
    "TimeUp",
    "ToolAnswered",
    "ToolAsked",
    "ToolCall",
    "ToolUse",
    "TransferCall",
    "Turn",
    "UseTool",
    "contains_phrase",
    "heard_part",
]
