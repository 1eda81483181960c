"""What an agent learnt in a call or a conversation by text, as it noted it."""

import re

from telephony.models import Call, CallFact, Conversation, ConversationFact

MAX_FACTS = 50
NO_NAME = "Not noted: the name needs a letter."
TOO_MANY = "Not noted: there are too many facts already."


def note(learnt_in: Call | Conversation, name: str, value: str) -> str:
    """Keep one fact; the same name again replaces it. Says what was done.

    Repeating is safe.
    """
    kept, place = _where(learnt_in)
    name = re.sub(r"\W+", "_", name.strip().lower()).strip("_")
    if not name:
        return NO_NAME
    facts = kept.objects.for_owner(learnt_in.owner_id).filter(**place)
    if facts.exclude(name=name).count() >= MAX_FACTS:
        return TOO_MANY
    kept.unscoped.update_or_create(
        name=name,
        defaults={"owner_id": learnt_in.owner_id, "value": value},
        **place,
    )
    return f"Noted: {name}."


def _where(learnt_in: Call | Conversation) -> tuple[type, dict]:
    if isinstance(learnt_in, Call):
        return CallFact, {"call": learnt_in}
    return ConversationFact, {"conversation": learnt_in}
