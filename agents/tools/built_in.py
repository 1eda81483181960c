"""The tools that every installation has: their names and what the model is told.

What they do lies elsewhere: the dialogue itself ends and transfers calls, the others
are functions of telephony (`telephony/built_ins.py`). One is listed here only when it
can be done. Some are for agents that call, some for those that text, some for both.
"""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

CALLS, TEXTS = "calls", "texts"  # how an agent talks: `Agent.TALKS_BY`
DO_NOT_CALL, HAND_OVER = "do_not_call", "hand_over"
MAX_TEXT = 480  # characters of a text that is sent during a call


@dataclass(frozen=True)
class Description:
    """A built-in tool; one that `needs` a field of the agent comes with it, unchosen.

    `meanwhile` is the agent's field that has what is said to the caller.
    """

    name: str
    title: str | Promise
    help: str | Promise
    told: str
    parameters: dict[str, Any]
    ways: tuple[str, ...] = (CALLS, TEXTS)
    is_of_dialogue: bool = False
    needs: str = ""
    meanwhile: str = ""


def _text(description: str, longest: int) -> dict[str, Any]:
    return {"type": "string", "description": description, "maxLength": longest}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


DESCRIPTIONS = {
    one.name: one
    for one in (
        Description(
            name="end_call",
            title=_("End the call"),
            help=_("The agent hangs up when the conversation is over."),
            told="Hang up. Use it only when the conversation is over and you have "
            "said goodbye.",
            parameters=_object(reason=_text("Why the call ends, in a few words.", 200)),
            ways=(CALLS,),
            is_of_dialogue=True,
        ),
        Description(
            name="transfer_call",
            title=_("Transfer the call"),
            help=_("The agent puts the caller through to its transfer number."),
            told="Put the caller through to a person. Do not announce it: the caller "
            "is told so. If nobody answers, you learn of it and go on.",
            parameters=_object(
                reason=_text("Why a person is needed, in a few words.", 200)
            ),
            ways=(CALLS,),
            is_of_dialogue=True,
            needs="transfer_number",
            meanwhile="transfer_message",
        ),
        Description(
            name="note_fact",
            title=_("Note a fact"),
            help=_("The agent writes down what it learns, such as a name or a date."),
            told="Write down one thing that you learnt from the other party, such as "
            "their name, a date or a number. Noting the same name again replaces its "
            "value.",
            parameters=_object(
                name=_text("What it is, in snake_case: party_size.", 60),
                value=_text("What they said.", 500),
            ),
        ),
        Description(
            name=DO_NOT_CALL,
            title=_("Do not contact again"),
            help=_("Who asks for it is put on the do-not-contact list at once."),
            told="Put the other party on the do-not-contact list. Use it as soon as "
            "they ask not to be called or texted any more, and confirm it to them.",
            parameters=_object(reason=_text("What they said, in a few words.", 200)),
        ),
        Description(
            name="book_follow_up",
            title=_("Book a call back"),
            help=_(
                "The agent schedules a call to the other party, if the rules allow."
            ),
            told="Have the other party called back at a time that they have chosen. "
            "Repeat day and time to them first.",
            parameters=_object(
                time=_text("On their own clock, as 2026-03-05T15:30.", 16),
                zone=_text(
                    "The IANA time zone of the city that they named, such as "
                    "America/Denver; empty if they named none.",
                    64,
                ),
            ),
        ),
        Description(
            name="send_text",
            title=_("Send a text"),
            help=_(
                "The agent texts the other party of the call, from the call's number."
            ),
            told="Send the other party a text, to the number of this call. Use it when "
            "they want something in writing, such as an address or a link, or agree to "
            "get it. It carries your words as they are: no greeting is added.",
            parameters=_object(text=_text("What the text says.", MAX_TEXT)),
            ways=(CALLS,),
        ),
        Description(
            name=HAND_OVER,
            title=_("Hand over to a person"),
            help=_("A person of the team goes on with the conversation."),
            told="Have a person go on with this conversation. Use it when they want a "
            "person or when you cannot help.",
            parameters=_object(
                reason=_text("Why a person is needed, in a few words.", 200)
            ),
            ways=(TEXTS,),
        ),
    )
}


def offered_to(agent: Any) -> list[Description]:
    """Those that the agent can be given."""
    return [one for one in _of(agent) if not one.needs]


def given_to(agent: Any) -> list[Description]:
    """Those that the agent was given, and those that come with a field of it."""
    return [
        one
        for one in _of(agent)
        if (getattr(agent, one.needs) if one.needs else one.name in agent.tools)
    ]


def _of(agent: Any) -> list[Description]:
    return [one for one in DESCRIPTIONS.values() if agent.TALKS_BY in one.ways]
