from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import can_write
from accounts.undo import offer_undo
from agents.models import VoiceAgent
from telephony.forms.rehearsals import TestScriptForm
from telephony.models import Call, Rehearsal, TestScript, Turn
from telephony.rehearsing.callers import Caller
from telephony.rehearsing.words import expectation_in_words
from telephony.services import rehearsal_history, rehearsals, testing
from voiceops.htmx import full_or_partial, go_to

UNPROCESSABLE = 422
RUNS_OF_A_SCRIPT = 20


@login_required
@require_safe
@vary_on_headers("HX-Request")
def agent_rehearsals(request, pk):
    agent = _agent(request, pk)
    runs = rehearsal_history.latest_runs(agent)
    context = {
        "agent": agent,
        "standings": rehearsal_history.standings(agent, runs),
        "versions": rehearsal_history.versions_of(runs),
        "is_running": any(run.is_open for run in runs),
        "has_simulator": testing.has_simulator(),
    }
    template = full_or_partial(request, "telephony/agent_rehearsals.html", "results")
    return render(request, template, context)


@login_required
@require_POST
@can_write
def agent_rehearse(request, pk):
    agent = _agent(request, pk)
    try:
        count = len(rehearsals.run_all(agent, by=request.user))
    except rehearsals.Refused as refusal:
        messages.error(request, str(refusal))
    else:
        words = ngettext("%(n)d test is run.", "%(n)d tests are run.", count)
        messages.success(request, words % {"n": count})
    return go_to(request, reverse("telephony:agent_rehearsals", args=[agent.pk]))


@login_required
@can_write
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def test_script_create(request, pk):
    agent = _agent(request, pk)
    caller = request.GET.get("caller", "")
    initial = {"caller": caller} if caller in Caller.values else {}
    form = TestScriptForm(
        request.POST or None,
        owner=request.workspace,
        instance=TestScript(owner=request.workspace, agent=agent),
        initial=initial,
    )
    return _save(request, form, "telephony/test_script_create.html", {"agent": agent})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def test_script_detail(request, pk):
    script = _script(request, pk)
    runs = Rehearsal.objects.for_owner(request.workspace).filter(script=script)
    context = {
        "script": script,
        "agent": script.agent,
        "runs": runs.defer("played", "parts").order_by("-pk")[:RUNS_OF_A_SCRIPT],
    }
    if request.method == "POST":
        return _change(request, pk, context)
    form = TestScriptForm(owner=request.workspace, instance=_script(request, pk))
    page = "telephony/test_script_detail.html"
    return render(request, page, {**context, "form": form})


@can_write
def _change(request, pk, context):
    # A form writes into its instance: the page goes on showing what is stored.
    instance = _script(request, pk)
    form = TestScriptForm(request.POST, owner=request.workspace, instance=instance)
    return _save(request, form, "telephony/test_script_detail.html", context)


def _save(request, form, page, context):
    if not form.is_bound:
        return render(request, page, {**context, "form": form})
    template = full_or_partial(request, page, "form")
    if form.wants_rows:
        return render(request, template, {**context, "form": form.add_rows()})
    if form.is_valid() and (saved := _saved(form)):
        messages.success(request, _("“%(name)s” is saved.") % {"name": saved.name})
        return go_to(request, saved.get_absolute_url())
    context = {**context, "form": form}
    return render(request, template, context, status=UNPROCESSABLE)


def _saved(form):
    try:
        return rehearsals.save_script(form.instance)
    except rehearsals.Refused as refusal:
        field = refusal.field if refusal.field in form.fields else None
        form.add_error(field, str(refusal))
        return None


@login_required
@require_POST
@can_write
def test_script_run(request, pk):
    script = _script(request, pk)
    try:
        run = rehearsals.run(script, by=request.user)
    except rehearsals.Refused as refusal:
        messages.error(request, str(refusal))
        return go_to(request, script.get_absolute_url())
    return go_to(request, run.get_absolute_url())


@login_required
@require_POST
@can_write
def test_script_delete(request, pk):
    script = _script(request, pk)
    rehearsals.delete_script(script)
    offer_undo(request, script, _("“%(name)s” is deleted.") % {"name": script.name})
    url = reverse("telephony:agent_rehearsals", args=[script.agent_id])
    return go_to(request, url)


@login_required
@require_safe
@vary_on_headers("HX-Request")
def rehearsal_detail(request, pk):
    rows = Rehearsal.objects.for_owner(request.workspace)
    related = rows.select_related("script", "agent", "call", "started_by")
    run = get_object_or_404(related, pk=pk)
    before = rehearsal_history.before(run)
    turns = Turn.objects.for_owner(request.workspace).filter(call=run.call_id)
    context = {
        "run": run,
        "before": before,
        "change": rehearsal_history.change_between(before, run),
        "findings": _findings(run, before),
        "turns": turns if run.call_id else [],
        "caller": _caller_words(run),
    }
    template = full_or_partial(request, "telephony/rehearsal_detail.html", "run")
    return render(request, template, context)


def _findings(run, before):
    """Each expectation in words, with its verdict now and before."""
    told = before.results if before else []
    passed_before = [_plain(result) for result in told if result["passed"]]
    failed_before = [_plain(result) for result in told if not result["passed"]]
    return [
        {
            "words": expectation_in_words(result),
            "passed": result["passed"],
            "seen": result["seen"],
            "broke": not result["passed"] and _plain(result) in passed_before,
            "mended": result["passed"] and _plain(result) in failed_before,
        }
        for result in run.results
    ]


def _plain(result):
    return {name: v for name, v in result.items() if name not in ("passed", "seen")}


def _caller_words(run):
    caller = run.played.get("caller")
    return Caller(caller).label if caller in Caller.values else ""


@login_required
@require_POST
@can_write
def call_make_test(request, pk):
    calls = Call.objects.for_owner(request.workspace).select_related("agent", "owner")
    call = get_object_or_404(calls, pk=pk)
    try:
        script = rehearsals.script_of(call)
    except rehearsals.Refused as refusal:
        messages.error(request, str(refusal))
        return go_to(request, call.get_absolute_url())
    words = _("The test is made. Look through what is expected, then run it.")
    messages.success(request, words)
    return go_to(request, script.get_absolute_url())


def _agent(request, pk):
    return get_object_or_404(VoiceAgent.objects.for_owner(request.workspace), pk=pk)


def _script(request, pk):
    scripts = TestScript.objects.for_owner(request.workspace)
    return get_object_or_404(scripts.select_related("agent", "owner"), pk=pk)
