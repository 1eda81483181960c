from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from agents.models import VoiceAgent
from analytics import dashboard as pictures
from analytics import figures, services
from analytics.drilldown import calls_url, files
from analytics.forms import NO_DAYS, DashboardForm
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
    before = compared and pictures.headline(
        compared, pictures.sums(compared, Series.CALLS)
    )
    lines = figures.timelines_by_kind(question, "total", "outcomes")
    return {
        "days": question.period,
        "days_before": compared and compared.period,
        "now": now,
        "before": before,
        "changes": pictures.changes(now, before),
        "chart": pictures.chart(question, compared, lines, form.of_days),
        "week": pictures.week(question, lines),
        "reasons": pictures.reasons(question, calls),
        "agents": pictures.agents(question, form.fields["agent"].rows, form.of_agent),
        "calls_url": calls_url(question),
        "answered_url": calls_url(question, answered="yes"),
        "a_year": form.address(period="12m", **NO_DAYS),
        "files": files(question),
    }


@login_required
@require_safe
def dashboard_live(request):
    context = live_now(request.workspace)
    return render(request, "analytics/dashboard.html#live", context)


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
