from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import can_write
from agents.models import VoiceAgent
from hooks.models import Delivery
from telephony.forms.calls import CallFilterForm
from telephony.forms.interventions import TakePartForm
from telephony.forms.outgoing import SettleForm
from telephony.models import Call, CallEvent, CallFact, Turn
from telephony.services import (
    after_call,
    contacts,
    costs,
    history,
    recordings,
    taking_part,
)
from telephony.transcripts import other_party, timeline, typical_ms
from voiceops.htmx import full_or_partial, go_to
from voiceops.ids import made_at
from voiceops.paging import counted

PER_PAGE = 50
CALLS_OF_AN_AGENT = 5
DELIVERIES_OF_A_CALL = 20
INTERVENTIONS_OF_A_CALL = 50
# More calls at once than anybody reads; the page says that there are more.
MOST_LIVE = 200
# The carrier tells in pieces how a call ended, and in any order.
SETTLING_TIME = timedelta(seconds=10)


@login_required
@require_safe
@vary_on_headers("HX-Request")
def call_list(request):
    form = CallFilterForm(request.GET, owner=request.workspace)
    template = full_or_partial(request, "telephony/call_list.html", "results")
    if not form.is_valid():
        response = render(request, template, {"form": form}, status=422)
        return with_address(request, response, form)
    if zone := form.cleaned_data["timezone"]:
        timezone.activate(zone)  # the person's own comes back with the next request
    calls = Call.objects.for_owner(request.workspace).select_related("agent")
    page = form.page_of(calls, PER_PAGE)
    history.note_typical_replies(request.workspace, page.rows)
    context = {
        "form": form,
        "page": page,
        "searched_until": searched_until(form, page),
        **links(form, page),
    }
    return with_address(request, render(request, template, context), form)


def with_address(request, response, form):
    """The response, telling htmx the shortest address of the same page."""
    if request.htmx:
        response["HX-Push-Url"] = address(form.query())
    return response


def searched_until(form, page):
    """When the oldest call was made that a search has reached, if it stopped there."""
    is_going_back = not form.cleaned_data["after"]
    return made_at(page.stopped_at) if page.stopped_at and is_going_back else None


def links(form, page):
    return {
        "newer_url": page.newer and address(form.query(after=page.newer)),
        "older_url": page.older and address(form.query(before=page.older)),
    }


def address(query):
    url = reverse("telephony:call_list")
    return f"{url}?{query}" if query else url


@login_required
@require_safe
@vary_on_headers("HX-Request")
def call_detail(request, pk):
    calls = Call.objects.for_owner(request.workspace)
    call = get_object_or_404(
        calls.select_related(
            "agent", "phone", "after_call", "placed_by", "scheduled_call"
        ),
        pk=pk,
    )
    after = getattr(call, "after_call", None)
    is_final = is_settled(call) and (after is None or after.is_analyzed)
    turns = list(Turn.objects.for_owner(request.workspace).filter(call=call))
    events = list(CallEvent.objects.for_owner(request.workspace).filter(call=call))
    facts = list(CallFact.objects.for_owner(request.workspace).filter(call=call))
    interventions = taking_part.latest_of(call, INTERVENTIONS_OF_A_CALL)
    seen = stamp(call, turns, [*events, *facts, *interventions], after)
    if request.htmx and not is_final and request.GET.get("seen") == seen:
        return HttpResponse(status=204)  # nothing new: what is being read stays put
    context = {
        "call": call,
        "turns": turns,
        "facts": facts,
        "contact": contacts.find(request.workspace, other_party(call)),
        "timeline": timeline(call, events),
        "typical_reply_ms": typical_ms(
            turn.reply_ms for turn in turns if turn.reply_ms is not None
        ),
        "seen": seen,
        "settling": SettleForm(),
        "interventions": interventions,
        "taking_part": _taking_part(request, call),
        "is_final": is_final,
        "after_call": after,
        **_costs(call),
        **_recording(call),
        "deliveries": Delivery.objects.for_owner(request.workspace)
        .filter(call=call)
        .select_related("endpoint")
        .order_by("-pk")[:DELIVERIES_OF_A_CALL],
    }
    template = full_or_partial(request, "telephony/call_detail.html", "call")
    return render(request, template, context)


def _costs(call):
    parts = list(call.costs.for_owner(call.owner_id))
    return {"costs": parts, "cost_standing": costs.standing_of(call, parts)}


def _recording(call):
    sound = recordings.to_hear(call)
    was_removed = sound is None and recordings.was_removed(call)
    return {"recording": sound, "recording_was_removed": was_removed}


def _taking_part(request, call):
    """The forms for it; None for those who may not, and where nothing can be done."""
    if taking_part.refusal(call) or not request.membership.may["place_calls"]:
        return None
    return TakePartForm(initial={"number": call.agent.transfer_number})


def stamp(call, turns, events, after):
    """Another one whenever the page would show something else."""
    rows = [call, *turns, *events, *([after] if after else [])]
    written = [row.updated_at.timestamp() for row in rows]
    states = (call.status, call.placement, call.end_reason, call.duration_s)
    told = (*states, len(turns), len(events))
    return "-".join(map(str, (*told, max(written))))


def is_settled(call):
    """Whether the carrier has had the time to tell all about the call's end."""
    return call.has_ended and now() - call.ended_at > SETTLING_TIME


@login_required
@require_POST
@can_write
def call_analyze(request, pk):
    call = get_object_or_404(Call.objects.for_owner(request.workspace), pk=pk)
    if not (call.has_ended and after_call.analyze_again(call)):
        messages.error(request, _("This call cannot be analyzed at the moment."))
    return go_to(request, call.get_absolute_url())


@login_required
@require_safe
def call_by_sid(request, sid):
    """The call with this SID of the carrier's, for those who know no other id."""
    if "\0" in sid:  # PostgreSQL takes none, not even to look for it
        raise Http404
    call = get_object_or_404(Call.objects.for_owner(request.workspace), sid=sid)
    return redirect(call)


@login_required
@require_safe
@vary_on_headers("HX-Request")
def call_live(request):
    calls = history.live_calls(request.workspace)
    found = list(history.with_last_words(calls, request.workspace)[: MOST_LIVE + 1])
    context = {
        "calls": found[:MOST_LIVE],
        "has_more": len(found) > MOST_LIVE,
        "is_paused": "paused" in request.GET,
    }
    template = full_or_partial(request, "telephony/call_live.html", "live")
    return render(request, template, context)


@login_required
@require_safe
def call_live_badge(request):
    count = counted(history.live_calls(request.workspace))
    return render(request, "telephony/call_live_badge.html", {"count": count})


@login_required
@require_safe
def agent_calls(request, pk):
    """The latest calls of an agent, for its page."""
    agents = VoiceAgent.objects.for_owner(request.workspace)
    agent = get_object_or_404(agents, pk=pk)
    calls = Call.objects.for_owner(request.workspace).filter(agent=agent)
    context = {"agent": agent, "calls": calls.order_by("-pk")[:CALLS_OF_AN_AGENT]}
    return render(request, "telephony/agent_calls.html", context)
