from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import may
from telephony.forms.scheduled import (
    CalendarForm,
    ScheduledCallFilterForm,
    ScheduledCallForm,
)
from telephony.models import Call, ScheduledCall
from telephony.periods import Month, Week
from telephony.services import calendar, contacts, scheduled
from voiceops.htmx import full_or_partial, go_to
from voiceops.paging import newest_first

PER_PAGE = 50
SHOWN_A_DAY = {Month: 3, Week: 20}
UNPROCESSABLE = 422


@login_required
@require_safe
@vary_on_headers("HX-Request")
def scheduled_call_list(request):
    form = ScheduledCallFilterForm(request.GET)
    template = full_or_partial(request, "telephony/scheduled_call_list.html", "results")
    if not form.is_valid():
        return _not_understood(request, template, form)
    rows = ScheduledCall.objects.for_owner(request.workspace).select_related("agent")
    rows = rows.apart()
    wanted = form.cleaned_data
    page = newest_first(
        form.apply(rows),
        size=PER_PAGE,
        before=wanted["before"],
        after=wanted["after"],
    )
    context = {
        "form": form,
        "page": page,
        "newer": page.newer and "?" + form.query(after=page.newer),
        "older": page.older and "?" + form.query(before=page.older),
        **_views(form, wanted["first_day"] or localdate()),
    }
    return render(request, template, context)


@login_required
@require_safe
@vary_on_headers("HX-Request")
def scheduled_call_calendar(request):
    form = CalendarForm(request.GET)
    template = full_or_partial(
        request, "telephony/scheduled_call_calendar.html", "calendar"
    )
    if not form.is_valid():
        return _not_understood(request, template, form)
    period, today = form.period, localdate()
    rows = ScheduledCall.objects.for_owner(request.workspace).apart()
    days = calendar.days_with_calls(
        request.workspace,
        form.apply(rows),
        period.days,
        shown=SHOWN_A_DAY[type(period)],
    )
    kind = type(period).__name__.lower()
    is_in_view = period.first <= today <= period.last
    context = {
        "form": form,
        "period": period,
        "kind": kind,
        "today": today,
        "days": [(day, _day_query(form, day.date)) for day in days],
        "is_empty": not any(day.count for day in days),
        "earlier": "?" + form.query(**{kind: period.earlier}),
        "later": "?" + form.query(**{kind: period.later}),
        "list_query": "?" + form.query(),
        "current": "?" + form.query(**{kind: type(period).of(today)}),
        **_views(form, today if is_in_view else period.first),
    }
    return render(request, template, context)


def _not_understood(request, template, form):
    links = _views(type(form)({}), localdate())
    return render(request, template, {"form": form, **links}, status=UNPROCESSABLE)


def _day_query(form, day):
    """The list of the day's calls, by the same filters."""
    return "?" + form.query(**{"from": day, "to": day})


def _views(form, day):
    """The week and the month of the day, by the same filters."""
    return {
        "week": "?" + form.in_calendar(week=Week.of(day)),
        "month": "?" + form.in_calendar(month=Month.of(day)),
    }


@login_required
@may("place_calls")
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def scheduled_call_create(request):
    form = ScheduledCallForm(
        request.POST or None, owner=request.workspace, initial=request.GET.dict()
    )
    if form.is_valid() and (row := _scheduled(request, form)):
        messages.success(request, _("The call is scheduled."))
        return go_to(request, row.get_absolute_url())
    return _form(request, form, row=None)


def _scheduled(request, form):
    try:
        return scheduled.schedule(form.instance, by=request.user, at=now())
    except scheduled.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        return None


@login_required
@may("place_calls")
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def scheduled_call_change(request, pk):
    row = _row(request, pk)
    if not row.is_pending:
        messages.error(request, str(scheduled.NotPending()))
        return redirect(row)
    # A form writes into its instance: the page goes on showing what is stored.
    form = ScheduledCallForm(
        request.POST or None, owner=request.workspace, instance=_row(request, pk)
    )
    if form.is_valid() and _changed(form, row):
        messages.success(request, _("Saved."))
        return go_to(request, row.get_absolute_url())
    return _form(request, form, row=row)


def _changed(form, row):
    try:
        return scheduled.change(row, form.changes, at=now())
    except scheduled.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
    except scheduled.NotPending as error:
        form.add_error(None, str(error))
    return None


def _form(request, form, *, row):
    template = full_or_partial(
        request, "telephony/scheduled_call_form.html", "variables"
    )
    if request.method == "POST":
        template = "telephony/scheduled_call_form.html"
    return render(
        request,
        template,
        {"form": form, "row": row},
        status=UNPROCESSABLE if request.method == "POST" else None,
    )


@login_required
@require_safe
@vary_on_headers("HX-Request")
def scheduled_call_detail(request, pk):
    row, at = _row(request, pk), now()
    attempts = Call.objects.for_owner(request.workspace).filter(scheduled_call=row)
    context = {
        "row": row,
        "attempts": attempts.order_by("attempt"),
        "contact": contacts.find(request.workspace, row.to_number),
        "decision": scheduled.decide_next(row, at),
        "at": at,
    }
    template = full_or_partial(request, "telephony/scheduled_call_detail.html", "row")
    return render(request, template, context)


@login_required
@may("place_calls")
@require_POST
def scheduled_call_cancel(request, pk):
    row = _row(request, pk)
    try:
        scheduled.cancel(row, by=request.user)
    except scheduled.NotPending as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The call is canceled."))
    return redirect(row)


def _row(request, pk):
    rows = ScheduledCall.objects.for_owner(request.workspace)
    return get_object_or_404(
        rows.select_related(
            "agent__owner",
            "agent__phone__carrier_account",
            "agent__prompt",
            "agent__prompt_version",
            "created_by",
            "recurring_call",
            "campaign",
        ),
        pk=pk,
    )
