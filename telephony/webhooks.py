"""What the carrier calls. The signature is checked before anything else.

A webhook that must speak always answers a document, whatever broke behind it.
"""

import logging
import re
from contextlib import suppress
from functools import wraps

from django.db import Error as DatabaseError
from django.http import HttpResponse, HttpResponseForbidden
from django.utils.timezone import now
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from agents.models import VoiceAgent
from telephony import announcements, gather, session, twiml, words
from telephony.addresses import relay_url, webhook_url
from telephony.forms.webhooks import (
    CALL_SID,
    DetectedForm,
    FallbackForm,
    GatherForm,
    HandedOverForm,
    RecordingForm,
    RelayEndedForm,
    StatusForm,
    TextForm,
    TextStatusForm,
    VoiceForm,
)
from telephony.models import Call, Message
from telephony.models.texts import WHATSAPP
from telephony.services import (
    calls,
    recordings,
    rehearsals,
    texts,
    transfers,
    voicemail,
)
from telephony.signatures import signed_by_twilio
from telephony.transcripts import our_number
from voiceops import metrics, trails

REFUSALS = {
    Call.EndReason.NO_ACTIVE_AGENT: words.NOBODY_ANSWERS,
    Call.EndReason.NUMBER_REMOVED: words.NOT_IN_SERVICE,
    Call.EndReason.WRONG_NUMBER: words.NOT_IN_SERVICE,
    Call.EndReason.SUSPENDED: words.TAKES_NO_CALLS,
}

logger = logging.getLogger(__name__)


def signed_line(token):
    """Whose number is called; the address says so, not what the request claims."""
    return calls.line_of(token) if calls.TOKEN.fullmatch(token) else None


def signed_call(call_id):
    return calls.with_signer().filter(pk=call_id).first()


def about_this_call(view):
    """Let through only what is about the call that its address is for."""

    @wraps(view)
    def checked(request, call):
        sid = request.POST.get("CallSid", "")
        # Of a call that we placed, the carrier may tell before it has answered us.
        if not re.fullmatch(CALL_SID, sid) or not call.adopt(sid):
            return HttpResponseForbidden()
        trails.about_call(call.pk)
        return view(request, call)

    return checked


def about_a_leg_of_this_call(view):
    """Let through only what is about somebody whom this call was handed over to."""

    @wraps(view)
    def checked(request, call):
        if request.POST.get("ParentCallSid", call.sid) != call.sid:
            return HttpResponseForbidden()
        trails.about_call(call.pk)
        return view(request, call)

    return checked


def always_speaks(view):
    """Answer an apology and hang up when anything breaks: a caller is waiting."""

    @wraps(view)
    def guarded(request, **route):
        try:
            return view(request, **route)
        except Exception:  # the caller must hear something, whatever it was
            logger.exception("webhook %s failed", view.__name__)
            metrics.note_apology()
            _note_our_error(request)
            return document(twiml.hang_up(words.apology()))

    return guarded


def _note_our_error(request):
    signer = getattr(request, "signer", None)
    if signer is not None:
        with suppress(DatabaseError):  # perhaps it is what broke
            sid = request.POST.get("CallSid", "").replace("\0", "")
            calls.note_our_error(signer.owner_id, sid)


def document(text):
    return HttpResponse(text, content_type="text/xml")


@csrf_exempt
@require_POST
@always_speaks
@signed_by_twilio(signed_line)
def voice(request, line):
    """A call comes in: who answers, and how. Asked twice, it answers the same."""
    return _answering(request, line)


def _answering(request, line):
    form = VoiceForm(request.POST)
    if not form.is_valid():
        logger.warning("a call with fields that make no sense: %s", list(form.errors))
        return document(twiml.hang_up(words.apology()))
    try:
        call = calls.receive_call(
            line,
            sid=form.cleaned_data["CallSid"],
            from_number=form.cleaned_data["From"],
            to_number=form.cleaned_data["To"],
            at=now(),
        )
    except calls.CallOver:
        return HttpResponseForbidden()
    trails.about_call(call.pk)
    if line.test_line and "rehearsal" in request.GET:
        rehearsals.adopt(call, request.GET["rehearsal"])
    return document(_opening(call))


def _opening(call):
    if call.agent is None:
        return twiml.hang_up(str(REFUSALS.get(call.end_reason, words.NOBODY_ANSWERS)))
    begins, status_url = _beginning(call), recordings.recording_url(call)
    return twiml.recorded(begins, status_url=status_url) if status_url else begins


def _beginning(call):
    if call.transport == VoiceAgent.Transport.GATHER:
        return _gathering(call, gather.open_call(call))
    return _connecting(call, session.greeting_of(call, at=call.started_at))


def _connecting(call, greeting):
    action = webhook_url("relay_ended", call.pk, session=call.times_resumed)
    return twiml.connect(
        call.agent,
        relay_url=relay_url(call.relay_token),
        action_url=action,
        greeting=greeting,
    )


def _reconnecting(call, *, had_begun):
    """The call goes on in another session; who was greeted is not greeted again."""
    return _connecting(call, "") if had_begun else _opening(call)


@csrf_exempt
@require_POST
@always_speaks
@signed_by_twilio(signed_line)
def fallback(request, line):
    """The carrier got no sense out of another address of ours: take the call up where
    it stands, perhaps in another process than the one that failed."""
    form = FallbackForm(request.POST)
    if not form.is_valid():
        return document(twiml.hang_up(words.apology()))
    given = form.cleaned_data
    call = calls.with_signer().filter(owner=line.owner_id, sid=given["CallSid"]).first()
    if call is None:
        return _answering(request, line)
    trails.about_call(call.pk)
    return document(_taken_up(call, given["ErrorCode"]))


def _taken_up(call, error_code):
    calls.record_event(call, status="fallback", at=now(), detail=error_code)
    if call.agent is None:
        return _opening(call)
    if call.has_ended or call.end_reason:
        return twiml.hang_up()
    if call.handed_over_at is not None:
        transfers.end(
            call,
            session=call.times_resumed,
            has_talked=calls.has_joined(call),
            dial_status="",
            call_status=call.status,
            duration_s=None,
            at=now(),
        )
        return _back_with_agent(call)
    if call.transport == VoiceAgent.Transport.GATHER:
        answer, after = gather.take_up(call, at=now())
        if isinstance(answer, gather.Wait):
            return twiml.wait(webhook_url("gather", call.pk, after=after))
        return _gathering(call, answer)
    had_begun = calls.has_begun(call)
    was_connected = call.relay_connected_at is not None
    if was_connected and not calls.resume_session(call, session=call.times_resumed):
        calls.note_session_lost(call)
        return twiml.hang_up(words.apology())
    return _reconnecting(call, had_begun=had_begun)


@csrf_exempt
@require_POST
@always_speaks
@signed_by_twilio(signed_call)
@about_this_call
def answered(request, call):
    """A call that we placed is answered: what is said, and by whom."""
    if call.has_ended or call.agent is None:
        return document(twiml.hang_up())
    calls.record_answer(call, at=now())
    return document(_opening(call))


@csrf_exempt
@require_POST
@always_speaks
@signed_by_twilio(signed_call)
@about_this_call
def call_fallback(request, call):
    """The same for a call that we placed."""
    form = FallbackForm(request.POST)
    if not form.is_valid() or call.agent is None:
        return document(twiml.hang_up(words.apology()))
    if not call.has_ended:
        calls.record_answer(call, at=now())
    return document(_taken_up(call, form.cleaned_data["ErrorCode"]))


@csrf_exempt
@require_POST
@always_speaks
@signed_by_twilio(signed_call)
@about_this_call
def gather_turn(request, call):
    """What the caller said, pressed, or did not say; the model's answer to it."""
    form = GatherForm({**request.POST.dict(), **request.GET.dict()})
    if not form.is_valid() or call.answered_at is None or call.agent is None:
        return HttpResponseForbidden()
    given = form.cleaned_data
    heard = gather.Heard(
        given["SpeechResult"], given["Digits"], silent_s=given["silent_s"] or 0
    )
    answer = gather.take_turn(call, heard, after=given["after"] or 0, at=now())
    if (
        given["after"] or 0
    ) <= 1:  # not with the greeting, which nobody should wait for
        announcements.started(call)
    if isinstance(answer, gather.Wait):
        query = request.GET.dict()
        return document(twiml.wait(webhook_url("gather", call.pk, **query)))
    return document(_gathering(call, answer))


def _gathering(call, answer):
    if isinstance(answer, gather.Goodbye):
        return twiml.hang_up(answer.words, call.agent)
    if isinstance(answer, gather.HandOver):
        return _handing_over(call, session=call.times_resumed, says=answer.words)
    left_s = answer.patience_s - answer.silent_s
    timeout_s = max(1, min(gather.LISTEN_S, left_s))
    silent_s = answer.silent_s + timeout_s
    return twiml.listen(
        call.agent,
        answer.words,
        is_greeting=answer.after <= 1,
        action_url=webhook_url("gather", call.pk, after=answer.after),
        silence_url=webhook_url(
            "gather", call.pk, after=answer.after, silent_s=silent_s
        ),
        timeout_s=timeout_s,
    )


@csrf_exempt
@require_POST
@always_speaks
@signed_by_twilio(signed_call)
@about_this_call
def relay_ended(request, call):
    """The live session is over: by us, by the caller, or because it broke."""
    form = RelayEndedForm({**request.POST.dict(), **request.GET.dict()})
    if not form.is_valid():
        return document(twiml.hang_up())
    given = form.cleaned_data
    had_ended = call.has_ended or call.end_reason not in ("", *calls.GUESSED)
    had_begun = calls.has_begun(call)
    goes_on = calls.record_session_end(
        call,
        session_status=given["SessionStatus"],
        call_status=given["CallStatus"],
        error_code=given["ErrorCode"],
        duration_s=given["CallDuration"],
        session=given["session"] or 0,
        at=now(),
    )
    if given["SessionStatus"] == "ended" and given["HandoffData"] == "transfer":
        return document(_handing_over(call, session=given["session"] or 0))
    if goes_on:
        return document(_reconnecting(call, had_begun=had_begun))
    if given["SessionStatus"] == "completed":
        return document(twiml.nothing())
    is_abrupt = given["SessionStatus"] == "failed" and not had_ended
    return document(twiml.hang_up(words.apology() if is_abrupt else ""))


def _handing_over(call, *, session, says=""):
    ended_url = webhook_url("handed_over", call.pk, session=session)
    if not transfers.begin(call, session=session, at=now()):
        # One request has the time for one reply of the model.
        is_gathered = call.transport == VoiceAgent.Transport.GATHER
        return twiml.wait(ended_url) if is_gathered else _back_with_agent(call)
    return twiml.hand_over(
        call.agent,
        says,
        number=transfers.number_of(call),
        caller_id=our_number(call),
        answered_url=webhook_url("whisper", call.pk, session=session),
        action_url=ended_url,
        longest_s=call.LONGEST_HANDED_OVER_S,
    )


def _back_with_agent(call):
    if call.has_ended or call.end_reason or call.agent is None:
        return twiml.hang_up()
    if call.transport == VoiceAgent.Transport.GATHER:
        return _gathering(call, gather.go_on(call, at=now()))
    return _reconnecting(call, had_begun=True)


@csrf_exempt
@require_POST
@signed_by_twilio(signed_call)
@about_a_leg_of_this_call
def whisper(request, call):
    """The person has answered to whom the call is handed over: what they hear first.

    Whatever breaks, the two are joined: that is what a document without words does.
    """
    try:
        return document(_whispering(request, call))
    except Exception:
        logger.exception("call %s: nothing whispered", call.pk)
        return document(twiml.nothing())


def _whispering(request, call):
    form = HandedOverForm({**request.POST.dict(), **request.GET.dict()})
    if not form.is_valid() or call.agent is None:
        return twiml.nothing()
    number, at = form.cleaned_data["session"] or 0, now()
    transfers.record_answer(call, session=number, at=at)
    return twiml.say(session.whisper_of(call, at=at), call.agent)


@csrf_exempt
@require_POST
@always_speaks
@signed_by_twilio(signed_call)
@about_this_call
def handed_over(request, call):
    """The person has hung up, or could not be reached."""
    form = HandedOverForm({**request.POST.dict(), **request.GET.dict()})
    if not form.is_valid():
        return document(twiml.hang_up())
    given = form.cleaned_data
    transfers.end(
        call,
        session=given["session"] or 0,
        has_talked=form.has_talked,
        dial_status=given["DialCallStatus"],
        call_status=given["CallStatus"],
        duration_s=given["CallDuration"],
        at=now(),
    )
    return document(_back_with_agent(call))


@csrf_exempt
@require_POST
@signed_by_twilio(signed_line)
def phone_status(request, line):
    """The end of a call to a number. An unknown call: nothing to retry."""
    form = StatusForm(request.POST)
    if not form.is_valid():
        return HttpResponse(status=400)
    sid = form.cleaned_data["CallSid"]
    call = Call.unscoped.filter(owner=line.owner_id, sid=sid).first()
    if call is not None:
        trails.about_call(call.pk)
        _record(call, form.cleaned_data)
    return HttpResponse(status=204)


@csrf_exempt
@require_POST
@signed_by_twilio(signed_call)
@about_this_call
def call_status(request, call):
    """How one call is getting on."""
    form = StatusForm(request.POST)
    if not form.is_valid():
        return HttpResponse(status=400)
    _record(call, form.cleaned_data)
    return HttpResponse(status=204)


@csrf_exempt
@require_POST
@signed_by_twilio(signed_call)
@about_this_call
def detected(request, call):
    """Whether a person or a machine has answered."""
    form = DetectedForm(request.POST)
    if form.is_valid():
        voicemail.hear_of(call, form.cleaned_data["AnsweredBy"])
    return HttpResponse(status=204)


@csrf_exempt
@require_POST
@signed_by_twilio(signed_call)
@about_this_call
def recording(request, call):
    """How the recording of a call is getting on. Its address is not believed."""
    form = RecordingForm(request.POST)
    if not form.is_valid():
        return HttpResponse(status=400)
    given = form.cleaned_data
    recordings.record_recording(
        call,
        sid=given["RecordingSid"],
        status=given["RecordingStatus"],
        duration_s=given["RecordingDuration"],
        channels=given["RecordingChannels"],
    )
    return HttpResponse(status=204)


def signed_message(message_id):
    related = Message.unscoped.select_related(
        "carrier_account", "conversation__owner", "conversation__phone"
    )
    return related.filter(pk=message_id).first()


@csrf_exempt
@require_POST
@signed_by_twilio(signed_line)
def text(request, line):
    """A text comes in. It is kept; the answer, if there is one, is sent apart."""
    form = TextForm(request.POST)
    if not form.is_valid():
        return HttpResponse(status=400)
    given, phone = form.cleaned_data, line.phone
    is_ours = phone is not None and phone.deleted_at is None
    if is_ours and given["To"].removeprefix(WHATSAPP) == phone.number:
        texts.receive(
            phone,
            sid=given["MessageSid"],
            address=given["From"],
            to_address=given["To"],
            body=given["Body"],
            media=form.media,
            opt_out=given["OptOutType"],
            segments=given["NumSegments"],
            at=now(),
        )
    else:
        logger.warning("a text for a number that is not here (any more)")
    return document(twiml.nothing())


@csrf_exempt
@require_POST
@signed_by_twilio(signed_message)
def text_status(request, message):
    """How one text of ours is getting on, perhaps before its answer has come."""
    form = TextStatusForm(request.POST)
    if not form.is_valid():
        return HttpResponse(status=400)
    if not message.adopt(form.cleaned_data["MessageSid"]):
        return HttpResponseForbidden()
    texts.record_status(
        message,
        status=form.cleaned_data["MessageStatus"],
        error_code=form.cleaned_data["ErrorCode"],
        at=now(),
    )
    return HttpResponse(status=204)


def _record(call, given):
    """The carrier's times are whole seconds: none is before the call began."""
    sequence = given["SequenceNumber"]
    calls.record_status(
        call,
        status=given["CallStatus"],
        sequence=-1 if sequence is None else sequence,
        duration_s=given["CallDuration"],
        at=max(given["Timestamp"] or now(), call.started_at),
    )
