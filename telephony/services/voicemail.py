"""A machine answers: leave the agent's message after the beep, or hang up."""

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.timezone import now

from telephony import session, tasks, twilio, twiml
from telephony.addresses import webhook_url
from telephony.models import Call, CallEvent, Turn
from telephony.services import calls

MACHINES = ("machine", "fax")  # what the carrier's words for them begin with
NOTICED, TOLD = "voicemail", "voicemail-told"
# A machine records silence as long, then it hangs up by itself or nobody listens to it.
WORTH_TELLING = timedelta(seconds=30)
GIVE_UP_AFTER = timedelta(minutes=2)
# A task that got lost, or found no carrier, is made up for by the clock.
WAIT_FOR_TASK = timedelta(seconds=3)
BATCH = 50

logger = logging.getLogger(__name__)


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
        with transaction.atomic():
            # First the reason: the session that is broken off would have another.
            calls.note_told_reason(call, Call.EndReason.VOICEMAIL, "")
            calls.record_event(call, status=NOTICED, at=now())
            transaction.on_commit(lambda: _ring_the_bell(call), robust=True)


def is_being_left(call: Call, at: datetime) -> bool:
    """Whether a message is on its way to the machine, which must not be hung up on."""
    noticed = CallEvent.unscoped.filter(call=call, status=NOTICED)
    return noticed.filter(at__gt=at - GIVE_UP_AFTER).exists()


def _is_screened(call: Call) -> bool:
    """Whether the agent has told an assistant who calls, and why."""
    message = session.screening_of(call, at=call.started_at)
    told = Turn.unscoped.filter(call=call, speaker=Turn.Speaker.AGENT, text=message)
    return bool(message) and told.exists()


def _ring_the_bell(call: Call) -> None:
    tasks.leave_message.apply_async([str(call.pk)], retry=False)


def leave_message(call_id, at: datetime) -> bool:
    """Say the message and hang up; False if that was tried before, or is to be again.

    Written down before it is tried. After a clear no it may be tried again, after an
    answer that got lost never: a message begins anew when it is asked for twice.
    """
    call = calls.with_signer().get(pk=call_id)
    told, is_first = CallEvent.unscoped.get_or_create(
        call=call, status=TOLD, sequence=-1, defaults={"owner": call.owner, "at": at}
    )
    if not is_first or call.has_ended:
        return False
    try:
        _tell(call, at)
    except (twilio.Unreachable, twilio.Throttled) as error:  # it did nothing
        logger.warning("call %s: a voicemail is not told yet: %s", call.pk, error)
        told.delete()
        return False
    return True


def _tell(call: Call, at: datetime) -> None:
    """The message; nothing but the end when it comes too late for that."""
    noticed = CallEvent.unscoped.filter(call=call, status=NOTICED)
    is_late = noticed.filter(at__lt=at - WORTH_TELLING).exists()
    words = "" if is_late else session.voicemail_of(call, at=at)
    if words:
        document = twiml.hang_up(words, call.agent)
        twilio.say_instead(call.carrier_account, call.sid, document)
    else:
        twilio.end_call(call.carrier_account, call.sid)


def leave_waiting(at: datetime) -> None:
    """Tell the voicemails that nobody has told, soon enough for somebody to hear it."""
    events = CallEvent.unscoped.filter(call=OuterRef("pk"))
    noticed = events.filter(
        status=NOTICED, at__gt=at - GIVE_UP_AFTER, at__lt=at - WAIT_FOR_TASK
    )
    waiting = Call.unscoped.filter(
        Exists(noticed),
        ~Exists(events.filter(status=TOLD)),
        ended_at=None,
        status__in=Call.OPEN,
        end_reason=Call.EndReason.VOICEMAIL,
    )
    for call in waiting[:BATCH]:
        _ring_the_bell(call)
