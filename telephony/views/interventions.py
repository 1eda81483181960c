"""Taking part in a call that is going on."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.views.decorators.http import require_POST, require_safe

from accounts.decorators import may
from telephony.forms.interventions import FORMS
from telephony.models import Call
from telephony.services import taking_part
from telephony.services.carrier import InvalidNumber

SHOWN = 1
UNPROCESSABLE = 422


@login_required
@require_safe
def call_interventions(request, pk):
    """What was wanted last and what came of it, for the call's page."""
    call = _call(request, pk)
    if taking_part.refusal(call):
        # Nobody can take part any more: the forms go.
        gone = {"HX-Retarget": "#take-part", "HX-Reswap": "delete"}
        return HttpResponse(headers=gone)
    outcomes = taking_part.latest_of(call, SHOWN)
    if request.GET.get("seen") == stamp(outcomes):
        return HttpResponse(status=204)  # nothing new: it is not read out again
    return _outcomes(request, call)


def stamp(outcomes):
    return "-".join(f"{wish.pk}:{wish.standing}" for wish in outcomes)


@login_required
@may("place_calls")
@require_POST
def call_take_part(request, pk):
    call, kind = _call(request, pk), request.POST.get("kind")
    if kind not in FORMS:
        return HttpResponseBadRequest()
    why_not = _try(call, kind, FORMS[kind](request.POST), by=request.user)
    if not request.htmx:
        if why_not:
            messages.error(request, why_not)
        return redirect(call)
    response = _outcomes(request, call, why_not)
    if not why_not:
        response["HX-Trigger"] = "took-part"
    return response


def _try(call, kind, form, *, by):
    """Ask for it; the reason why that cannot be done, or ""."""
    if not form.is_valid():
        return " ".join(m for errors in form.errors.values() for m in errors)
    try:
        taking_part.ask(call, kind=kind, text=form.words, by=by, at=now())
    except (taking_part.CannotTakePart, InvalidNumber) as error:
        return str(error)
    return ""


def _outcomes(request, call, why_not=""):
    outcomes = taking_part.latest_of(call, SHOWN)
    context = {
        "call": call,
        "why_not": why_not,
        "outcomes": outcomes,
        "seen": stamp(outcomes),
    }
    status = UNPROCESSABLE if why_not else 200
    return render(request, "telephony/_outcomes.html", context, status=status)


def _call(request, pk):
    calls = Call.objects.for_owner(request.workspace)
    return get_object_or_404(calls.select_related("agent", "owner"), pk=pk)
