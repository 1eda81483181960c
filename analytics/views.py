from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from agents.models import MessageAgent, VoiceAgent
from analytics import costs as spending
from analytics import dashboard as pictures
from analytics import figures, services
from analytics.budgets.views import this_month
from analytics.drilldown import calls_url, files, files_of_costs
from analytics.forms import NO_DAYS, CostsForm, DashboardForm
from analytics.models import Series
from telephony.models import Call, Phone
from telephony.services import history
from voiceops.paging import counted

MOST_RECENT = 8
MOST_LIVE = 6


@login_required
@require_safe
@vary_on_headers("HX-Request")
def dashboard(request):
    owner = request.workspace
    form = DashboardForm(request.GET, owner=owner)
    if "" in request.GET.values():  # sent by the form: the page has a shorter address
        return redirect(reverse("analytics:dashboard") + form.address())
    is_valid = form.is_valid()
    if is_valid:  # the person's own zone comes back with the next request
        timezone.activate(ZoneInfo(form.question.period.zone))
    steps = services.onboarding_steps(owner)
    context = {
        "form": form,
        "steps": steps,
        "steps_done": [step.state for step in steps].count("done"),
        "recent_calls": recent_calls(owner),
        **(pictured(form) if is_valid else {}),
        **live_now(owner),
    }
    status = 200 if is_valid else 422
    return render(request, "analytics/dashboard.html", context, status=status)


def pictured(form):
    """All that is shown of the figures of the chosen days."""
    question, compared = form.question, form.compared
    calls = pictures.sums(question, Series.CALLS)
    now = pictures.headline(question, calls)
    until_now = compared and compared.as_far_as(question, timezone.now())
    before = until_now and pictures.headline(
        until_now, pictures.sums(until_now, Series.CALLS)
    )
    lines = figures.timelines_by_kind(question, "total", "outcomes")
    return {
        "days": question.period,
        "days_before": compared and compared.period,
        "is_going_on": until_now != compared,
        "now": now,
        "before": before,
        "changes": pictures.changes(now, before),
        "chart": pictures.chart(question, compared, lines, form.of_days),
        "week": pictures.week(question, lines),
        "reasons": pictures.reasons(question, calls),
        "agents": pictures.agents(question, form.fields["agent"].rows, form.of_agent),
        "calls_url": calls_url(question),
        "answered_url": calls_url(question, answered="yes"),
        "costs_url": reverse("analytics:costs") + form.address(),
        "a_year": form.address(period="12m", **NO_DAYS),
        "files": files(question),
    }


@login_required
@require_safe
def dashboard_live(request):
    context = live_now(request.workspace)
    return render(request, "analytics/dashboard.html#live", context)


# -- Costs -----------------------------------------------------------------------------


@login_required
@require_safe
def costs(request):
    form = CostsForm(request.GET, owner=request.workspace)
    if "" in request.GET.values():
        return redirect(reverse("analytics:costs") + form.address())
    is_valid = form.is_valid()
    if is_valid:
        timezone.activate(ZoneInfo(form.question.period.zone))
    context = {"form": form, **(told_costs(form) if is_valid else {})}
    status = 200 if is_valid else 422
    return render(request, "analytics/costs.html", context, status=status)


def told_costs(form):
    """The spend of the chosen days, in one currency."""
    question, compared = form.question, form.compared
    calls, texts = spending.totals(question)
    found = {one.currency: one for one in spending.spent(calls, texts)}
    currency = form.cleaned_data["currency"] or next(iter(found), "")
    now = found.get(currency) or spending.nothing(calls, texts, currency)
    until_now = compared and compared.as_far_as(question, timezone.now())
    before = until_now and spent_before(until_now, currency)
    agents = form.fields["agent"].rows | message_agents(form.owner)
    phones = form.fields["phone"].rows
    return {
        "days": question.period,
        "days_before": compared and compared.period,
        "is_going_on": until_now != compared,
        "now": now,
        "before": before,
        "changes": cost_changes(now, before) if before else {},
        "month": this_month(form.owner),
        "currencies": [
            (one.currency, one.amount, form.of_currency(one.currency))
            for one in found.values()
        ],
        "chart": spending.chart(question, currency, form.of_days),
        "agents": spending.rows(
            question, currency, "agent", agents, lambda agent: agent.get_absolute_url()
        ),
        "phones": spending.rows(
            question, currency, "phone", phones, lambda phone: form.of_phone(phone.pk)
        ),
        "calls_url": calls_url(question, answered="yes"),
        "a_year": form.address(period="12m", **NO_DAYS),
        "files": files_of_costs(question),
    }


def spent_before(question, currency):
    calls, texts = spending.totals(question)
    found = [one for one in spending.spent(calls, texts) if one.currency == currency]
    return found[0] if found else spending.nothing(calls, texts, currency)


def cost_changes(now, before):
    names = ("amount", "of_calls", "of_texts", "average_call", "average_minute")
    return {
        name: pictures.change_of(getattr(now, name), getattr(before, name))
        for name in names
    }


def message_agents(owner):
    return MessageAgent.objects.for_owner(owner, with_deleted=True).in_bulk()


# -- One agent, one number -------------------------------------------------------------


@login_required
@require_safe
def agent_figures(request, pk):
    """The last 30 days of an agent, for its page."""
    agent = get_object_or_404(VoiceAgent.objects.for_owner(request.workspace), pk=pk)
    return of_one(request, agent=agent.pk)


@login_required
@require_safe
def phone_figures(request, pk):
    """The last 30 days of a number, for its page."""
    phone = get_object_or_404(Phone.objects.for_owner(request.workspace), pk=pk)
    return of_one(request, phone=phone.pk)


def of_one(request, **asked):
    """On the workspace's own clock."""
    form = DashboardForm(asked, owner=request.workspace)
    form.full_clean()
    question = form.question
    calls = pictures.sums(question, Series.CALLS)
    context = {
        "now": pictures.headline(question, calls),
        "trend": pictures.trend(question),
        "versions": pictures.versions(calls) if question.agent_id else [],
        "calls_url": calls_url(question),
        "dashboard_url": reverse("analytics:dashboard") + form.address(),
    }
    return render(request, "analytics/of_one.html", context)


def recent_calls(owner):
    calls = Call.objects.for_owner(owner).select_related("agent").order_by("-pk")
    return history.note_typical_replies(owner, list(calls[:MOST_RECENT]))


def live_now(owner):
    calls = history.live_calls(owner)
    return {"live_calls": calls[:MOST_LIVE], "live_count": counted(calls)}
