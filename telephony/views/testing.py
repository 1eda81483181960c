from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.decorators import can_write
from agents.models import VoiceAgent
from agents.services import provider_of
from telephony.services import testing

SESSION_KEY = "test_call"


@login_required
@require_safe
def agent_test_choose(request):
    agents = VoiceAgent.objects.for_owner(request.workspace).select_related("prompt")
    found = list(agents.order_by("name"))
    if len(found) == 1:
        return redirect("telephony:agent_test", found[0].pk)
    return render(request, "telephony/agent_test_choose.html", {"agents": found})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def agent_test(request, pk):
    agents = VoiceAgent.objects.for_owner(request.workspace).select_related("prompt")
    agent = get_object_or_404(agents, pk=pk)
    if request.method == "POST":
        return start_test_call(request, agent)
    return render_test(request, agent, call=running_test_call(request, agent))


@can_write
def start_test_call(request, agent):
    if not settings.SIMULATOR:
        raise Http404
    try:
        call = testing.open_test_call(agent)
    except testing.CallNotStarted as error:
        return render_test(request, agent, error=error, status=502)
    # In the session, not the address: who knows the token can speak in the call.
    request.session[SESSION_KEY] = [str(agent.pk), call.sid, call.token]
    url = reverse("telephony:agent_test", args=[agent.pk])
    return redirect(f"{url}?call={call.sid}")


def running_test_call(request, agent):
    """The call that the address names, if this session started it with this agent."""
    agent_id, sid, token = request.session.get(SESSION_KEY) or [None] * 3
    if sid is None or (agent_id, sid) != (str(agent.pk), request.GET.get("call")):
        return None
    return testing.SimulatedCall(sid, token)


def render_test(request, agent, *, call=None, error=None, status=200):
    context = {
        "agent": agent,
        "call": call,
        "error": error,
        "provider": provider_of(request.workspace, agent.model),
        "is_enabled": settings.SIMULATOR,
        "caller_number": testing.CALLER_NUMBER,
    }
    return render(request, "telephony/agent_test.html", context, status=status)
