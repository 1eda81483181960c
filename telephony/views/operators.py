"""What operators see of dialling: what waits, and what nobody knows."""

import logging

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.operators import for_superusers, page
from telephony.forms.outgoing import SettleForm, StuckForm
from telephony.models import Call
from telephony.services import due_calls, lost_calls, placing

MOST_SHOWN = 200

logger = logging.getLogger(__name__)


@require_safe
@for_superusers
def dialling(request):
    """The queue's depth, and the calls that stand still on their way to the carrier:
    above all those of which nobody knows whether they rang."""
    form = StuckForm(request.GET or None)
    placement, before = form.chosen(now())
    return page(
        request,
        "admin/dialling.html",
        _("Dialling"),
        depth=due_calls.depth(now()),
        form=form,
        calls=lost_calls.unsettled(placement, before)[:MOST_SHOWN],
        can_be_settled=placement == Call.Placement.UNKNOWN,
        outcomes=SettleForm.OUTCOMES,
    )


@require_POST
@for_superusers
def settle(request, pk):
    call = get_object_or_404(lost_calls.unknown(), pk=pk)
    form = SettleForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say what became of the call, and how you know."))
    elif placing.settle(call, by=None, at=now(), **form.cleaned_data) is None:
        messages.error(request, _("By now it is known what became of the call."))
    else:
        logger.info("call %s: settled by operator %s", pk, request.user.pk)
        messages.success(request, _("Settled."))
    return redirect("dialling")
