from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from analytics import services
from telephony.models import Call
from telephony.services import history

MOST_RECENT = 8
MOST_LIVE = 6


@login_required
@require_safe
@vary_on_headers("HX-Request")
def dashboard(request):
    owner = request.workspace
    steps = services.onboarding_steps(owner)
    context = {
        "steps": steps,
        "steps_done": [step.state for step in steps].count("done"),
        "figures": services.figures(owner, since=timezone.now() - services.WEEK),
        "recent_calls": recent_calls(owner),
        **live_now(owner),
    }
    return render(request, "analytics/dashboard.html", context)


@login_required
@require_safe
def dashboard_live(request):
    context = live_now(request.workspace)
    return render(request, "analytics/dashboard.html#live", context)


def recent_calls(owner):
    calls = Call.objects.for_owner(owner).select_related("agent").order_by("-pk")
    return history.note_typical_replies(owner, list(calls[:MOST_RECENT]))


def live_now(owner):
    calls = history.live_calls(owner)
    return {"live_calls": calls[:MOST_LIVE], "live_count": calls.count()}
