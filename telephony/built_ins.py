"""What agents can do here: a function for each built-in tool.

The names and what the model is told of them stand in `agents/tools/built_in.py`; what
a function returns is what the model is shown.
"""

from functools import partial

from django.utils.timezone import now

from agents import texting
from agents.tools import BuiltIn
from telephony.models import Call, Conversation
from telephony.services import call_texts, facts, wishes
from telephony.services.wishes import Party
from voiceops.threads import in_thread

ONLY_A_TEST = "Taken down, in this test call only. Confirm it to them."


def of_call(call: Call) -> dict[str, BuiltIn]:
    """The built-in tools of a call, by name; a test call leaves no trace elsewhere."""
    if call.is_test:
        return {
            "note_fact": partial(_note_fact, call),
            "do_not_call": _only_a_test,
            "book_follow_up": _only_a_test,
            "send_text": _only_a_test,
        }
    party = wishes.party_of_call(call)
    return {
        "note_fact": partial(_note_fact, call),
        "do_not_call": partial(_do_not_call, party),
        "book_follow_up": partial(_book_follow_up, party),
        "send_text": partial(_send_text, call),
    }


def of_conversation(conversation: Conversation) -> dict[str, BuiltIn]:
    """Those of a conversation by text."""
    party = wishes.party_of_conversation(conversation)
    return {
        "note_fact": partial(_note_fact, conversation),
        "do_not_call": partial(_do_not_call, party),
        "book_follow_up": partial(_book_follow_up, party),
        "hand_over": _hand_over,
    }


async def _note_fact(learnt_in: Call | Conversation, given: dict) -> str:
    return await in_thread(facts.note, learnt_in, given["name"], given["value"])


async def _only_a_test(given: dict) -> str:
    return ONLY_A_TEST


async def _do_not_call(party: Party, given: dict) -> str:
    return await in_thread(wishes.stop_contacting, party, given["reason"])


async def _book_follow_up(party: Party, given: dict) -> str:
    book = partial(wishes.book_follow_up, party, at=now(), **given)
    return await in_thread(book)


async def _send_text(call: Call, given: dict) -> str:
    return await in_thread(partial(call_texts.send, call, given["text"], at=now()))


async def _hand_over(given: dict) -> str:
    """The agent gives it away when it has said so."""
    return texting.HANDED_OVER
