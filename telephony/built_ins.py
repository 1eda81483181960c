"""What agents can do during a call here: a function for each built-in tool.

The names and what the model is told of them stand in `agents/tools/built_in.py`; what
a function returns is what the model is shown.
"""

from functools import partial

from django.utils.timezone import now

from agents.tools import BuiltIn
from telephony.models import Call
from telephony.services import call_texts, facts, wishes
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
    return {
        "note_fact": partial(_note_fact, call),
        "do_not_call": partial(_do_not_call, call),
        "book_follow_up": partial(_book_follow_up, call),
        "send_text": partial(_send_text, call),
    }


async def _note_fact(call: Call, given: dict) -> str:
    return await in_thread(facts.note, call, given["name"], given["value"])


async def _only_a_test(given: dict) -> str:
    return ONLY_A_TEST


async def _do_not_call(call: Call, given: dict) -> str:
    return await in_thread(wishes.stop_contacting, call, given["reason"])


async def _book_follow_up(call: Call, given: dict) -> str:
    book = partial(wishes.book_follow_up, call, at=now(), **given)
    return await in_thread(book)


async def _send_text(call: Call, given: dict) -> str:
    return await in_thread(partial(call_texts.send, call, given["text"], at=now()))
