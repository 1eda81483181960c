from datetime import time

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import get_current_timezone_name, localdate, now
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import may
from accounts.undo import offer_undo
from agents.limits import DAYS
from telephony.dialling.recurrence import Frequency, preview
from telephony.forms.recurring import RecurringCallFilterForm, RecurringCallForm
from telephony.forms.scheduled import ScheduledCallFilterForm
from telephony.models import RecurringCall, ScheduledCall
from telephony.services import recurring
from voiceops.htmx import full_or_partial, go_to
from voiceops.paging import newest_first

PER_PAGE = 50
PREVIEWED = 5
UNPROCESSABLE = 422


@login_required
@require_safe
@vary_on_headers("HX-Request")
def recurring_call_list(request):
    form = RecurringCallFilterForm(request.GET)
    template = full_or_partial(request, "telephony/recurring_call_list.html", "results")
    if not form.is_valid():
        return render(request, template, {"form": form}, status=UNPROCESSABLE)
    rows = RecurringCall.objects.for_owner(request.workspace).select_related("agent")
    page = newest_first(form.apply(rows), size=PER_PAGE, **_position(form))
    return render(request, template, {"form": form, "page": page, **_links(form, page)})


def _position(form):
    return {name: form.cleaned_data[name] for name in ("before", "after")}


def _links(form, page):
    return {
        "newer": page.newer and "?" + form.query(after=page.newer),
        "older": page.older and "?" + form.query(before=page.older),
    }


@login_required
@may("place_calls")
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def recurring_call_create(request):
    form = RecurringCallForm(
        request.POST or None,
        owner=request.workspace,
        instance=_usual(),
        initial=request.GET.dict(),
    )
    if _is_saved(request, form) and (row := _created(request, form)):
        messages.success(request, _("The call recurs from now on."))
        return go_to(request, row.get_absolute_url())
    return _form(request, form, row=None)


def _usual():
    """What a new one begins with: every week on this day, at nine."""
    today = localdate()
    return RecurringCall(
        frequency=Frequency.WEEKLY.value,
        days=[DAYS[today.weekday()]],
        time=time(9),
        timezone=get_current_timezone_name(),
        starts_on=today,
    )


def _is_saved(request, form):
    """Whether it is to be saved, and can be; not if only its times are asked for."""
    return "preview" not in request.POST and form.is_valid()


def _created(request, form):
    try:
        return recurring.create(form.instance, by=request.user, at=now())
    except recurring.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        return None


@login_required
@may("place_calls")
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def recurring_call_change(request, pk):
    row = _row(request, pk)
    # A form writes into its instance: the page goes on showing what is stored.
    form = RecurringCallForm(
        request.POST or None, owner=request.workspace, instance=_row(request, pk)
    )
    if _is_saved(request, form) and _changed(form, row):
        messages.success(request, _("Saved. What was scheduled is scheduled anew."))
        return go_to(request, row.get_absolute_url())
    return _form(request, form, row=row)


def _changed(form, row):
    try:
        return recurring.change(row, form.changes, at=now())
    except recurring.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        return None


def _form(request, form, *, row):
    """The form with the next times; by htmx only those, or the inputs of an agent."""
    is_previewed = "preview" in request.POST
    template = "telephony/recurring_call_form.html"
    if is_previewed or request.method != "POST":
        part = "preview" if is_previewed else "variables"
        template = full_or_partial(request, template, part)
    rule = form.rule
    context = {
        "form": form,
        "row": row,
        "times": rule and preview(rule, now(), PREVIEWED),
        "number": PREVIEWED,
    }
    is_refused = request.method == "POST" and not is_previewed
    return render(
        request, template, context, status=UNPROCESSABLE if is_refused else None
    )


@login_required
@require_safe
@vary_on_headers("HX-Request")
def recurring_call_detail(request, pk):
    row = _row(request, pk)
    form = ScheduledCallFilterForm(request.GET)
    calls = ScheduledCall.objects.for_owner(request.workspace)
    if is_understood := form.is_valid():
        made = form.apply(calls.filter(recurring_call=row))
        page = newest_first(made, size=PER_PAGE, **_position(form))
    else:
        page = newest_first(calls.none(), size=PER_PAGE)
    context = {
        "row": row,
        "page": page,
        "times": [] if row.is_paused else preview(row.rule, now(), PREVIEWED),
        **_links(form, page),
    }
    template = full_or_partial(request, "telephony/recurring_call_detail.html", "calls")
    return render(
        request, template, context, status=None if is_understood else UNPROCESSABLE
    )


@login_required
@may("place_calls")
@require_POST
def recurring_call_pause(request, pk):
    row = recurring.pause(_row(request, pk), at=now())
    messages.success(request, _("Paused. What was scheduled for it is canceled."))
    return redirect(row)


@login_required
@may("place_calls")
@require_POST
def recurring_call_resume(request, pk):
    row = recurring.resume(_row(request, pk), at=now())
    messages.success(request, _("It goes on with its next time."))
    return redirect(row)


@login_required
@may("place_calls")
@require_POST
def recurring_call_delete(request, pk):
    row = _row(request, pk)
    recurring.delete(row, at=now())
    offer_undo(request, row, _("The recurring call is deleted."))
    return redirect("telephony:recurring_call_list")


def _row(request, pk):
    rows = RecurringCall.objects.for_owner(request.workspace)
    return get_object_or_404(rows.select_related("owner", "agent", "created_by"), pk=pk)
