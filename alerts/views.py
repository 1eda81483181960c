from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.http import Http404
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import may
from accounts.undo import offer_undo
from alerts import digest, episodes, replay, services, standing, suggestions
from alerts.forms import MUTES, AlertForm, HistoryForm, MetricForm, MuteForm
from alerts.metrics import KINDS, Metric
from alerts.models import Alert, Episode
from voiceops.htmx import full_or_partial, go_to
from voiceops.paging import newest_first

PER_PAGE = 50
can_manage = may("manage_alerts")


def _alert(request, pk):
    alerts = Alert.objects.for_owner(request.workspace).select_related("agent")
    return get_object_or_404(alerts, pk=pk)


@login_required
@require_safe
def alert_list(request):
    standings = standing.of_workspace(request.workspace, now())
    offered = [] if standings else suggestions.offered(request.workspace)
    context = {"standings": standings, "offered": offered}
    return render(request, "alerts/alert_list.html", context)


@login_required
@can_manage
@require_http_methods(["GET", "HEAD", "POST"])
def alert_create(request):
    """First what is watched, then when it is bad."""
    chosen = MetricForm(request.POST or request.GET)
    if not chosen.is_valid():
        choices = [(Metric(key), kind) for key, kind in KINDS.items()]
        return render(request, "alerts/alert_choose.html", {"choices": choices})
    alert = suggestions.suggested(chosen.cleaned_data["metric"], request.workspace)
    return _edit(request, alert, _("The alert is made."))


@login_required
@can_manage
@require_http_methods(["GET", "HEAD", "POST"])
def alert_change(request, pk):
    return _edit(request, _alert(request, pk), _("The alert is saved."))


def _edit(request, alert, done):
    form = AlertForm(request.POST or None, owner=request.workspace, instance=alert)
    if request.method == "POST" and _save(form):
        messages.success(request, done)
        return go_to(request, alert.get_absolute_url())
    is_new = alert._state.adding
    context = {
        "form": form,
        "metric": Metric(alert.metric),
        "kind": KINDS[alert.metric],
        "alert": None if is_new else _alert(request, alert.pk),
        "times": _times_fired(alert) if request.method != "POST" else None,
        "days": replay.DAYS,
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "alerts/alert_form.html", context, status=status)


def _save(form):
    if not form.is_valid():
        return False
    try:
        services.save(form.instance)
    except services.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        return False
    return True


@login_required
@require_POST
@can_manage
def alert_preview(request):
    """How often an alert like this would have fired; nothing is stored."""
    chosen = MetricForm(request.POST)
    times = None
    if chosen.is_valid():
        alert = Alert(owner=request.workspace, metric=chosen.cleaned_data["metric"])
        form = AlertForm(request.POST, owner=request.workspace, instance=alert)
        times = _times_fired(alert) if form.is_valid() else None
    context = {"times": times, "days": replay.DAYS}
    return render(request, "alerts/alert_form.html#preview", context)


def _times_fired(alert):
    """None where its fields are not right yet."""
    try:
        services.tidy(alert)
    except services.Refused:
        return None
    return replay.times_fired(alert, alert.owner, now())


@login_required
@require_POST
@can_manage
def alert_suggested(request):
    """Make one of those that most workspaces want, as it is."""
    chosen = MetricForm(request.POST)
    if not chosen.is_valid():
        raise Http404
    alert = suggestions.suggested(chosen.cleaned_data["metric"], request.workspace)
    try:
        services.save(alert)
    except services.Refused as refusal:
        messages.error(request, str(refusal))
        return go_to(request, reverse("alerts:alert_list"))
    messages.success(request, _("The alert is made: change what does not fit."))
    return go_to(request, alert.get_absolute_url())


@login_required
@require_safe
@vary_on_headers("HX-Request")
def alert_detail(request, pk):
    alert = _alert(request, pk)
    place = HistoryForm(request.GET)
    rows = Episode.objects.for_owner(request.workspace).filter(alert=alert)
    if place.is_valid():
        page = newest_first(rows, size=PER_PAGE, **place.cleaned_data)
    else:
        page = newest_first(rows.none(), size=PER_PAGE)
    context = {
        "alert": alert,
        "standing": standing.of(alert, now()),
        "page": page,
        "history": standing.told(alert, page.rows),
        "people": episodes.recipients(alert),
        "mutes": MUTES,
    }
    template = full_or_partial(request, "alerts/alert_detail.html", "history")
    status = 200 if place.is_valid() else 422
    return render(request, template, context, status=status)


def _back_to(request, alert, text):
    messages.success(request, text)
    return go_to(request, alert.get_absolute_url())


@login_required
@require_POST
@can_manage
def alert_activate(request, pk):
    alert = _alert(request, pk)
    services.activate(alert)
    return _back_to(request, alert, _("The alert is watched again."))


@login_required
@require_POST
@can_manage
def alert_deactivate(request, pk):
    alert = _alert(request, pk)
    services.deactivate(alert)
    return _back_to(request, alert, _("The alert is switched off."))


@login_required
@require_POST
@can_manage
def alert_mute(request, pk):
    alert, form = _alert(request, pk), MuteForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("For how long?"))
        return go_to(request, alert.get_absolute_url())
    services.mute(alert, until=now() + form.length)
    return _back_to(request, alert, _("Nobody is told of it until then."))


@login_required
@require_POST
@can_manage
def alert_unmute(request, pk):
    alert = _alert(request, pk)
    services.unmute(alert)
    return _back_to(request, alert, _("It is told again."))


@login_required
@require_POST
@can_manage
def alert_test(request, pk):
    alert = _alert(request, pk)
    count = services.send_test(alert)
    text = ngettext(
        "A test goes to %(count)d person.", "A test goes to %(count)d people.", count
    )
    return _back_to(request, alert, text % {"count": count})


@login_required
@require_POST
@can_manage
def alert_delete(request, pk):
    alert = _alert(request, pk)
    services.delete(alert)
    offer_undo(request, alert, _("The alert is deleted."))
    return go_to(request, reverse("alerts:alert_list"))


# -- The weekly e-mail -----------------------------------------------------------------


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def digest_off(request, token):
    """Out of the weekly e-mail with nothing but its link.

    Mail programs post here by themselves (RFC 8058), so without a CSRF token; what
    scanners of mail open changes nothing.
    """
    try:
        member = digest.member_of(token)
    except signing.BadSignature:
        raise Http404 from None
    if request.method == "POST" and member:
        digest.switch_off(member)
    context = {"member": member, "is_off": member is None or not member.gets_digest}
    return render(request, "alerts/digest_off.html", context)
