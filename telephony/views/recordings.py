from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from telephony.models import Call
from telephony.sound import sound_of
from telephony.twilio import CarrierError


@login_required
@require_safe
def call_recording(request, pk):
    calls = Call.objects.for_owner(request.workspace).select_related("carrier_account")
    call = get_object_or_404(calls, pk=pk)
    try:
        return sound_of(call)
    except CarrierError as error:
        context = {"call": call, "error": error}
        return render(request, "telephony/call_recording.html", context, status=502)
