from itertools import islice

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import may
from accounts.undo import offer_undo
from agents.models import VoiceAgent
from telephony.forms.campaigns import (
    CampaignFilterForm,
    CampaignForm,
    CampaignNameForm,
    ColumnsForm,
    ContactFilterForm,
    EstimateForm,
    LineForm,
    RedialForm,
    TemplateForm,
)
from telephony.models import (
    Campaign,
    CampaignEvent,
    CampaignFile,
    RefusedRow,
    ScheduledCall,
)
from telephony.services import (
    campaign_estimates,
    campaign_results,
    campaign_turns,
    campaigns,
)
from telephony.tables import table_of
from voiceops.filters import query_of
from voiceops.htmx import full_or_partial, go_to
from voiceops.paging import by_number, newest_first
from voiceops.spreadsheets import as_csv

PER_PAGE = 50
UNPROCESSABLE = 422
REFUSED_SHOWN = 10
EVENTS_SHOWN = 100
SAMPLE_ROWS = 3
Contact = ScheduledCall.Status
# The tiles of one that was started: (icon, which contacts, what they are called).
TILES = [
    ("clock", Contact.PENDING, gettext_lazy("Waiting")),
    ("phone-call", ContactFilterForm.IN_FLIGHT, gettext_lazy("On the telephone")),
    ("circle-check", Contact.COMPLETED, gettext_lazy("Completed")),
    ("phone-missed", Contact.NO_ANSWER, gettext_lazy("No answer")),
    ("phone-off", Contact.BUSY, gettext_lazy("Busy")),
    ("circle-x", Contact.FAILED, gettext_lazy("Failed")),
    ("circle-slash", Contact.BLOCKED, gettext_lazy("Blocked")),
    ("triangle-alert", Contact.EXPIRED, gettext_lazy("Expired")),
    ("circle-question-mark", Contact.UNKNOWN, gettext_lazy("Unknown")),
    ("circle-slash", Contact.CANCELED, gettext_lazy("Canceled")),
]
ALWAYS_SHOWN = 6  # of the tiles


@login_required
@require_safe
@vary_on_headers("HX-Request")
def campaign_list(request):
    form = CampaignFilterForm(request.GET)
    template = full_or_partial(request, "telephony/campaign_list.html", "results")
    if not form.is_valid():
        return render(request, template, {"form": form}, status=UNPROCESSABLE)
    wanted = form.cleaned_data
    page = newest_first(
        form.apply(_campaigns(request)),
        size=PER_PAGE,
        before=wanted["before"],
        after=wanted["after"],
    )
    narrowed = {"status": wanted["status"], "q": wanted["q"]}
    context = {
        "form": form,
        "page": page,
        "is_narrowed": any(narrowed.values()),
        "newer": page.newer and query_of(**narrowed, after=page.newer),
        "older": page.older and query_of(**narrowed, before=page.older),
    }
    return render(request, template, context)


def _campaigns(request):
    campaigns_here = Campaign.objects.for_owner(request.workspace)
    return campaigns_here.select_related("agent")


def _campaign(request, pk):
    related = _campaigns(request).select_related(
        "owner",
        "created_by",
        "redials",
        "agent__phone__carrier_account",
        "agent__prompt",
        "agent__prompt_version",
    )
    return get_object_or_404(related, pk=pk)


# -- Making one ------------------------------------------------------------------------


@login_required
@may("place_calls")
@require_http_methods(["GET", "HEAD", "POST"])
def campaign_create(request):
    form = CampaignForm(
        request.POST or None, request.FILES or None, owner=request.workspace
    )
    if form.is_valid() and (campaign := _created(request, form)):
        return go_to(request, _columns_of(campaign))
    return _form(request, form, campaign=None)


def _columns_of(campaign):
    return reverse("telephony:campaign_columns", args=[campaign.pk])


def _created(request, form):
    name, table = form.cleaned_data["file"]
    try:
        return campaigns.create(
            form.instance, file_name=name, table=table, by=request.user
        )
    except campaigns.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        return None


def _form(request, form, *, campaign):
    return render(
        request,
        "telephony/campaign_form.html",
        {"form": form, "campaign": campaign},
        status=UNPROCESSABLE if form.is_bound else None,
    )


@login_required
@require_safe
def campaign_template(request):
    """A list to fill in, with a column for each placeholder of the agent's."""
    form = TemplateForm(request.GET)
    wanted = []
    if form.is_valid() and form.cleaned_data["agent"]:
        agents = VoiceAgent.objects.for_owner(request.workspace)
        related = agents.select_related("prompt", "prompt_version")
        agent = get_object_or_404(related, pk=form.cleaned_data["agent"])
        wanted = agent.wanted_variables
    return as_csv([["to", *wanted, "timezone"]], "campaign-template.csv")


@login_required
@may("place_calls")
@require_http_methods(["GET", "HEAD", "POST"])
def campaign_change(request, pk):
    campaign = _campaign(request, pk)
    # A form writes into its instance: the page goes on showing what is stored.
    options = {"owner": request.workspace, "instance": _campaign(request, pk)}
    if campaign.can_be_changed:
        data = request.POST or None
        form = CampaignForm(data, request.FILES or None, **options)
    else:
        form = CampaignNameForm(request.POST or None, **options)
    if form.is_valid() and _changed(request, form, campaign):
        messages.success(request, _("Saved."))
        has_list = bool(form.cleaned_data.get("file"))
        there = _columns_of(campaign) if has_list else campaign.get_absolute_url()
        return go_to(request, there)
    return _form(request, form, campaign=campaign)


def _changed(request, form, campaign):
    try:
        if uploaded := form.cleaned_data.get("file"):
            name, table = uploaded
            campaigns.replace_file(
                campaign, file_name=name, table=table, by=request.user
            )
        return campaigns.change(campaign, form.changes)
    except campaigns.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        return None


@login_required
@may("place_calls")
@require_http_methods(["GET", "HEAD", "POST"])
def campaign_columns(request, pk):
    campaign = _campaign(request, pk)
    files = CampaignFile.objects.for_owner(request.workspace)
    file = files.filter(campaign=campaign).first()
    if file is None or not campaign.can_be_changed:
        return redirect(campaign)
    samples = [
        cells for _line, cells in islice(table_of(file.text).rows(), SAMPLE_ROWS)
    ]
    form = ColumnsForm(request.POST or None, campaign=campaign, samples=samples)
    if form.is_valid() and _mapped(form, campaign):
        return go_to(request, campaign.get_absolute_url())
    return render(
        request,
        "telephony/campaign_columns.html",
        {"form": form, "campaign": campaign, "file": file, "samples": samples},
        status=UNPROCESSABLE if form.is_bound else None,
    )


def _mapped(form, campaign):
    try:
        return campaigns.map_columns(campaign, form.mapping)
    except campaigns.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        return None


# -- Looking at one --------------------------------------------------------------------


@login_required
@require_safe
@vary_on_headers("HX-Request")
def campaign_detail(request, pk):
    campaign = _campaign(request, pk)
    counts = campaigns.counts(campaign) if campaign.has_started else {}
    seen = _stamp(campaign, counts)
    if request.htmx and request.GET.get("seen") == seen:
        return HttpResponse(status=204)  # nothing new: what is being read stays put
    events = CampaignEvent.objects.for_owner(request.workspace)
    context = {
        "campaign": campaign,
        "seen": seen,
        "is_live": _is_moving(campaign, counts),
        "events": events.filter(campaign=campaign)
        .select_related("by")
        .order_by("-pk")[:EVENTS_SHOWN],
    }
    if campaign.has_started:
        context |= _progress(campaign, counts)
    elif campaign.status == Campaign.Status.READY:
        context |= _preview(request, campaign)
    template = full_or_partial(request, "telephony/campaign_detail.html", "campaign")
    return render(request, template, context)


def _is_moving(campaign, counts):
    """Whether the page may show something else by itself."""
    is_over = campaign.is_over or not campaign.has_started
    is_reading = campaign.status == Campaign.Status.CHECKING
    in_flight = any(counts.get(status) for status in ScheduledCall.IN_FLIGHT)
    return not is_over or is_reading or campaign.has_leftovers or in_flight


def _stamp(campaign, counts):
    """Another one whenever the page would show something else."""
    tally = [f"{status}{count}" for status, count in sorted(counts.items())]
    told = (campaign.status, campaign.rows_read, campaign.updated_at.timestamp())
    return "-".join(map(str, (*told, *tally)))


def _progress(campaign, counts):
    over = sum(n for status, n in counts.items() if status in _OVER)
    in_flight = sum(counts.get(status, 0) for status in ScheduledCall.IN_FLIGHT)
    all_counts = counts | {ContactFilterForm.IN_FLIGHT: in_flight}
    tiles = [
        (icon, words, all_counts.get(which, 0), which) for icon, which, words in TILES
    ]
    is_running = campaign.status == Campaign.Status.RUNNING
    return {
        "done": over,
        "tiles": [tile for n, tile in enumerate(tiles) if n < ALWAYS_SHOWN or tile[2]],
        "wait": campaign_turns.wait_of(campaign, now()) if is_running else None,
        "unknown": counts.get(Contact.UNKNOWN, 0),
        "can_redial": RedialForm(None, counts=counts).has_any,
    }


_OVER = {*Contact} - {Contact.PENDING, Contact.DIALING, Contact.IN_PROGRESS}


def _preview(request, campaign):
    refused = RefusedRow.objects.for_owner(request.workspace).filter(campaign=campaign)
    usual = {name for name, value in campaign.agent.variables.items() if value}
    named = {*campaign.mapping.get("variables", {}), *usual}
    wanted = campaign.agent.wanted_variables
    form = EstimateForm(request.GET or None)
    return {
        "refused": refused.order_by("line")[:REFUSED_SHOWN],
        "refused_by_kind": _by_kind(refused),
        "missing": [] if campaign.redials else [n for n in wanted if n not in named],
        "estimate": campaign_estimates.estimate(campaign, **form.assumed),
        "estimate_form": form,
        "has_file": campaigns.has_file(campaign),
    }


def _by_kind(refused):
    """How many rows were refused for what, in the order of the kinds."""
    found = dict(refused.order_by().values_list("kind").annotate(Count("pk")))
    return [(kind.label, found[kind]) for kind in RefusedRow.Kind if kind in found]


@login_required
@require_safe
@vary_on_headers("HX-Request")
def campaign_contacts(request, pk):
    campaign = _campaign(request, pk)
    form = ContactFilterForm(request.GET)
    template = full_or_partial(request, "telephony/campaign_contacts.html", "results")
    context = {"campaign": campaign, "form": form}
    if not form.is_valid():
        return render(request, template, context, status=UNPROCESSABLE)
    wanted = form.cleaned_data
    page = by_number(
        form.apply(campaigns.contacts_of(campaign)),
        "line",
        size=PER_PAGE,
        before=wanted["before"],
        after=wanted["after"],
    )
    narrowed = {"status": wanted["status"], "q": wanted["q"]}
    context |= {
        "page": page,
        "at": now(),
        "is_narrowed": any(narrowed.values()),
        "newer": page.newer and query_of(**narrowed, before=page.newer),
        "older": page.older and query_of(**narrowed, after=page.older),
    }
    return render(request, template, context)


@login_required
@require_safe
def campaign_refused(request, pk):
    campaign, form = _campaign(request, pk), LineForm(request.GET)
    place = form.cleaned_data if form.is_valid() else {}
    refused = RefusedRow.objects.for_owner(request.workspace).filter(campaign=campaign)
    page = by_number(refused, "line", size=PER_PAGE, **place)
    context = {
        "campaign": campaign,
        "page": page,
        "newer": page.newer and query_of(before=page.newer),
        "older": page.older and query_of(after=page.older),
    }
    return render(request, "telephony/campaign_refused.html", context)


@login_required
@require_safe
def campaign_refused_export(request, pk):
    rows = campaign_results.refused(_campaign(request, pk))
    return as_csv(rows, "refused-rows.csv")


@login_required
@require_safe
def campaign_results_export(request, pk):
    return as_csv(campaign_results.rows(_campaign(request, pk)), "results.csv")


# -- What people do with one -----------------------------------------------------------


@login_required
@may("place_calls")
@require_POST
def campaign_start(request, pk):
    return _do(request, pk, campaigns.start, _("The campaign is running."))


@login_required
@may("place_calls")
@require_POST
def campaign_pause(request, pk):
    return _do(request, pk, campaigns.pause, _("The campaign is paused."))


@login_required
@may("place_calls")
@require_POST
def campaign_resume(request, pk):
    return _do(request, pk, campaigns.resume, _("The campaign is running again."))


@login_required
@may("place_calls")
@require_POST
def campaign_cancel(request, pk):
    return _do(request, pk, campaigns.cancel, _("The campaign is canceled."))


def _do(request, pk, verb, done):
    campaign = _campaign(request, pk)
    try:
        verb(campaign, by=request.user)
    except campaigns.Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect(campaign)


@login_required
@may("place_calls")
@require_http_methods(["GET", "HEAD", "POST"])
def campaign_redial(request, pk):
    campaign = _campaign(request, pk)
    form = RedialForm(request.POST or None, counts=campaigns.counts(campaign))
    if form.is_valid() and (again := _redialled(request, form, campaign)):
        return go_to(request, again.get_absolute_url())
    return render(
        request,
        "telephony/campaign_redial.html",
        {
            "form": form,
            "campaign": campaign,
            "others": campaign.redialled_by.for_owner(request.workspace),
        },
        status=UNPROCESSABLE if form.is_bound else None,
    )


def _redialled(request, form, campaign):
    try:
        return campaigns.redial(
            campaign, by=request.user, at=now(), **form.cleaned_data
        )
    except campaigns.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        return None


@login_required
@may("place_calls")
@require_POST
def campaign_delete(request, pk):
    campaign = _campaign(request, pk)
    campaigns.delete(campaign, by=request.user)
    text = _("“%(name)s” is deleted.") % {"name": campaign.name}
    offer_undo(request, campaign, text)
    return redirect("telephony:campaign_list")
