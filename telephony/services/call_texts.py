"""Texts that a voice agent sends during a call: to the other party, and nobody else.

What is answered is read by the model, so it says what became of the text.
"""

from dataclasses import replace
from datetime import datetime

from django.db import transaction

from telephony.dialling import numbers
from telephony.dialling.rules import decide_number
from telephony.models import Call, Message
from telephony.services import conversations, dialling, sending
from telephony.services.wishes import NO_NUMBER, ONLY_A_TEST
from telephony.transcripts import other_party

MOST_TEXTS = 5  # of one call
NOTHING = "Not sent: the text is empty."
NOT_FROM_HERE = "Not sent: the number of this call sends no texts any more. Say so."
SENT_ALREADY = "This text was sent already: it is not sent twice."
TOO_MANY = "Not sent: this call has had its texts. Tell them the rest."
ON_ITS_WAY = "It is on its way. Confirm it, but not that it has arrived."


def send(call: Call, text: str, *, at: datetime) -> str:
    """Have the other party texted from the call's number, by the calling rules.

    Repeating is safe: a call sends the same words once.
    """
    if call.is_test:
        return ONLY_A_TEST
    phone, number, body = call.phone, other_party(call), text.strip()
    if numbers.parse(number) is None:
        return NO_NUMBER
    if not body:
        return NOTHING
    if phone is None or phone.is_deleted:
        return NOT_FROM_HERE
    facts = replace(dialling.facts_of_number(call.owner, at), number=number)
    decision = decide_number(facts)
    if not decision.is_allowed:
        return f"Not sent: {decision.reason} Say that it cannot be texted."
    with transaction.atomic():
        # Two texts at once wait for each other here.
        conversation = conversations.locked(phone, number)
        if why := conversations.why_no_texts(conversation):
            return f"Not sent: {why} Say so."
        sent = Message.unscoped.filter(call=call)
        if sent.filter(body=body).exists():
            return SENT_ALREADY
        if sent.count() >= MOST_TEXTS:
            return TOO_MANY
        sending.write(
            conversation, [body], sent_by=Message.SentBy.AGENT, call=call, at=at
        )
    return ON_ITS_WAY
