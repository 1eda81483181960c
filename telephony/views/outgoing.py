from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import may
from telephony.forms.outgoing import CallForm, SettleForm
from telephony.models import Call
from telephony.services import placing
from telephony.twilio import CarrierError
from voiceops.htmx import full_or_partial, go_to

UNPROCESSABLE = 422


@login_required
@may("place_calls")
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def call_create(request):
    if request.method == "POST":
        return _call_now(request)
    form = CallForm(None, owner=request.workspace, initial=request.GET.dict())
    template = full_or_partial(request, "telephony/call_create.html", "variables")
    return render(request, template, {"form": form})


def _call_now(request):
    form = CallForm(request.POST, owner=request.workspace)
    context = {"form": form}
    if form.is_valid():
        call = placing.call_now(
            agent=form.cleaned_data["agent"],
            number=form.cleaned_data["number"],
            variables=form.variables,
            by=request.user,
            at=now(),
        )
        if not call.has_ended:
            return go_to(request, call.get_absolute_url())
        context["refused"] = call
    return render(request, "telephony/call_create.html", context, status=UNPROCESSABLE)


@login_required
@may("place_calls")
@require_POST
def call_hang_up(request, pk):
    call = _call(request, pk)
    try:
        placing.hang_up(call, by=request.user)
    except (placing.CannotHangUp, CarrierError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The call is being ended."))
    return redirect(call)


@login_required
@may("place_calls")
@require_POST
def call_settle(request, pk):
    """A person says what became of a call whose answer was lost."""
    call, form = _call(request, pk), SettleForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say what became of the call, and how you know."))
        return redirect(call)
    settled = placing.settle(call, by=request.user, at=now(), **form.cleaned_data)
    if settled is None:
        messages.error(request, _("By now it is known what became of the call."))
        return redirect(call)
    messages.success(request, _("Settled."))
    return redirect(settled)


def _call(request, pk):
    calls = Call.objects.for_owner(request.workspace)
    related = calls.select_related(
        "carrier_account",
        "agent__owner",
        "agent__phone__carrier_account",
        "agent__prompt",
        "agent__prompt_version",
    )
    return get_object_or_404(related, pk=pk)
