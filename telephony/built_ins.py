"""What agents can do during a call here: a function for each built-in tool.

The names and what the model is told of them stand in `agents/tools/built_in.py`; what
a function returns is what the model is shown.
"""

from functools import partial

from agents.tools import BuiltIn
from telephony.models import Call
from telephony.services import facts
from voiceops.threads import in_thread


def of_call(call: Call) -> dict[str, BuiltIn]:
    """The built-in tools of a call, by name."""
    return {"note_fact": partial(_note_fact, call)}


async def _note_fact(call: Call, given: dict) -> str:
    return await in_thread(facts.note, call, given["name"], given["value"])
