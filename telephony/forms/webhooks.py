"""What the carrier sends. Its names of things end here."""

import json
import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from django import forms
from django.utils.timezone import now

from telephony.models import Call, Message, Recording
from telephony.words import speakable

MESSAGE_SID = r"^(SM|MM)[0-9a-f]{32}$"
MEDIA_SID = re.compile(r"/Media/(ME[0-9a-f]{32})$")
MAX_TEXT_CHARACTERS = 10_000  # of many SMS in one; WhatsApp's have 4,096
MAX_MEDIA = 10
CALL_SID = r"^CA[0-9a-f]{32}$"
RECORDING_SID = r"^RE[0-9a-f]{32}$"
MAX_SPEECH_CHARACTERS = 5000
MAX_INTEGER = 2**31 - 1


class CarrierText(forms.CharField):
    """Free text: cleaned and cut to size, never refused, for a caller is waiting."""

    def __init__(self, *, cut_to: int):
        super().__init__(required=False)
        self.cut_to = cut_to

    def to_python(self, value):
        return speakable(super().to_python(value))[: self.cut_to]


class CarrierTime(forms.Field):
    """RFC 2822; None for anything else. A clock that runs ahead is not believed."""

    def __init__(self):
        super().__init__(required=False)

    def to_python(self, value):
        try:
            at = parsedate_to_datetime(value)
        except (TypeError, ValueError):
            return None
        return min(at if at.tzinfo else at.replace(tzinfo=UTC), now())


def _count(**options) -> forms.IntegerField:
    return forms.IntegerField(
        min_value=0, max_value=MAX_INTEGER, required=False, **options
    )


class VoiceForm(forms.Form):
    """A call has come in."""

    CallSid = forms.RegexField(CALL_SID)
    From = CarrierText(cut_to=100)
    To = CarrierText(cut_to=100)


class FallbackForm(forms.Form):
    """Something of ours went wrong in a call: the carrier's code for it."""

    CallSid = forms.RegexField(CALL_SID)
    ErrorCode = CarrierText(cut_to=10)


class GatherForm(forms.Form):
    """What the caller said or pressed, or neither; `after` and `silent_s` are ours."""

    SpeechResult = CarrierText(cut_to=MAX_SPEECH_CHARACTERS)
    Digits = CarrierText(cut_to=100)
    after = _count()
    silent_s = _count()


class StatusForm(forms.Form):
    """How a call is getting on."""

    CallSid = forms.RegexField(CALL_SID)
    CallStatus = forms.ChoiceField(choices=Call.Status.choices)
    SequenceNumber = _count()
    CallDuration = _count()
    Timestamp = CarrierTime()


class DetectedForm(forms.Form):
    """Who has answered a call, as the carrier heard it."""

    AnsweredBy = CarrierText(cut_to=30)


class RecordingForm(forms.Form):
    """How a recording is getting on. -1 seconds: it has not ended."""

    RecordingSid = forms.RegexField(RECORDING_SID)
    RecordingStatus = forms.ChoiceField(choices=Recording.Status.choices)
    RecordingDuration = forms.IntegerField(max_value=MAX_INTEGER, required=False)
    RecordingChannels = forms.IntegerField(min_value=1, max_value=2, required=False)

    def clean_RecordingDuration(self):
        duration_s = self.cleaned_data["RecordingDuration"]
        return None if duration_s is None or duration_s < 0 else duration_s


class RelayEndedForm(forms.Form):
    """A live session is over; what became of the call is in `CallStatus`.

    `session`, which of the call's it was, is ours.
    """

    SessionStatus = CarrierText(cut_to=20)
    ErrorCode = CarrierText(cut_to=10)
    CallStatus = CarrierText(cut_to=12)
    CallDuration = _count()
    session = _count()
    HandoffData = CarrierText(cut_to=MAX_SPEECH_CHARACTERS)

    def clean_HandoffData(self):
        """Why we ended it, in one word."""
        try:
            return json.loads(self.cleaned_data["HandoffData"])["reason"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return ""


class HandedOverForm(forms.Form):
    """A person was called for the caller: what became of it.

    `session`, after which of the call's, is ours.
    """

    DialCallStatus = CarrierText(cut_to=20)
    DialBridged = CarrierText(cut_to=5)
    CallStatus = CarrierText(cut_to=12)
    CallDuration = _count()
    session = _count()

    @property
    def has_talked(self):
        """Who hangs up while something is whispered was not joined to the caller."""
        is_answered = self.cleaned_data["DialCallStatus"] in ("completed", "answered")
        return is_answered and self.cleaned_data["DialBridged"] != "false"


class TextForm(forms.Form):
    """A text has come in. Of its media only the carrier's names are believed."""

    MessageSid = forms.RegexField(MESSAGE_SID)
    From = CarrierText(cut_to=100)
    To = CarrierText(cut_to=100)
    Body = CarrierText(cut_to=MAX_TEXT_CHARACTERS)
    NumMedia = _count()
    NumSegments = _count()
    OptOutType = CarrierText(cut_to=10)

    def clean_From(self):
        if not self.cleaned_data["From"]:
            raise forms.ValidationError("nobody")
        return self.cleaned_data["From"]

    @property
    def media(self):
        count = min(self.cleaned_data["NumMedia"] or 0, MAX_MEDIA)
        return [one for one in map(self._medium, range(count)) if one]

    def _medium(self, number):
        found = MEDIA_SID.search(self.data.get(f"MediaUrl{number}", ""))
        kind = speakable(self.data.get(f"MediaContentType{number}", ""))[:100]
        return {"sid": found[1], "content_type": kind} if found else None


class TextStatusForm(forms.Form):
    """How a text of ours is getting on."""

    MessageSid = forms.RegexField(MESSAGE_SID)
    MessageStatus = forms.ChoiceField(
        choices=[(status, status) for status in Message.RANK]
    )
    ErrorCode = _count()
