"""A machine answers: leave the agent's message after the beep, or hang up."""

from django.db import transaction

from telephony import session, tasks, twilio, twiml
from telephony.addresses import webhook_url
from telephony.models import Call, CallEvent, Turn
from telephony.services import calls

MACHINES = ("machine", "fax")  # what the carrier's words for them begin with
EVENT = "voicemail"


def detection_of(call: Call) -> twilio.MachineDetection | None:
    """What the carrier shall find out about who answers this call."""
    agent = call.agent
    if not agent.voicemail_detection:
        return None
    return twilio.MachineDetection(
        webhook_url("detected", call.pk), until_beep=bool(agent.voicemail_message)
    )


def hear_of(call: Call, answered_by: str) -> None:
    """The carrier tells who answered. Repeating is safe."""
    Call.unscoped.filter(pk=call.pk).update(answered_by=answered_by)
    is_with_agent = not call.has_ended and call.handed_over_at is None
    if is_with_agent and _is_screened(call):
        return  # the machine is an assistant that has gone for its person
    if answered_by.startswith(MACHINES) and is_with_agent:
        # First the reason: the session that is broken off would have another.
        calls.note_told_reason(call, Call.EndReason.VOICEMAIL, "")
        transaction.on_commit(lambda: _ring_the_bell(call), robust=True)


def _is_screened(call: Call) -> bool:
    """Whether the agent has told an assistant who calls, and why."""
    message = session.screening_of(call, at=call.started_at)
    told = Turn.unscoped.filter(call=call, speaker=Turn.Speaker.AGENT, text=message)
    return bool(message) and told.exists()


def _ring_the_bell(call: Call) -> None:
    tasks.leave_message.apply_async([str(call.pk)], retry=False)


def leave_message(call_id, at) -> bool:
    """Say the message, once, and hang up; False if that was done before."""
    call = calls.with_signer().get(pk=call_id)
    _event, is_first = CallEvent.unscoped.get_or_create(
        call=call, status=EVENT, sequence=-1, defaults={"owner": call.owner, "at": at}
    )
    if not is_first or call.has_ended:
        return False
    words = session.voicemail_of(call, at=at)
    if words:
        document = twiml.hang_up(words, call.agent)
        twilio.say_instead(call.carrier_account, call.sid, document)
    else:
        twilio.end_call(call.carrier_account, call.sid)
    return True
