"""What an agent learnt in a call, as it noted it."""

import re

from telephony.models import Call, CallFact

MAX_FACTS = 50
NO_NAME = "Not noted: the name needs a letter."
TOO_MANY = "Not noted: too many facts in one call."


def note(call: Call, name: str, value: str) -> str:
    """Keep one fact of the call; the same name again replaces it. Says what was done.

    Repeating is safe.
    """
    name = re.sub(r"\W+", "_", name.strip().lower()).strip("_")
    if not name:
        return NO_NAME
    facts = CallFact.objects.for_owner(call.owner_id).filter(call=call)
    if facts.exclude(name=name).count() >= MAX_FACTS:
        return TOO_MANY
    CallFact.unscoped.update_or_create(
        call=call, name=name, defaults={"owner_id": call.owner_id, "value": value}
    )
    return f"Noted: {name}."
