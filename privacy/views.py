"""Pages about what is kept."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import may
from privacy import downloads, erasures, exports, leaving, person, retention
from privacy.forms import ForgetForm, RetentionForm
from privacy.models import Erasure, Export
from voiceops.htmx import full_or_partial, go_to
from voiceops.paging import MOST_COUNTED

UNPROCESSABLE = 422
READABLE = {"indent": 2, "ensure_ascii": False}
LATEST = 20  # receipts that are listed
WHAT = {
    "transcript": _lazy("calls with a transcript"),
    "recording": _lazy("calls with a recording"),
    "message": _lazy("texts"),
    "event": _lazy("calls with events"),
}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def kept(request):
    """For how long what is kept; POST changes it, or shows what that would remove."""
    if request.method == "POST":
        return _save(request)
    return _page(request, _form(request))


def _form(request, data=None):
    # A row of its own: a refused value must not be saved by accident.
    owner = request.workspace
    return RetentionForm(data, instance=retention.find(owner), owner=owner)


@may("manage_workspace")
def _save(request):
    form = _form(request, request.POST)
    if not form.is_valid():
        return _page(request, form, status=UNPROCESSABLE)
    if "preview" in request.POST:
        return _page(request, form, previewed=_preview(request, form))
    retention.save(request.workspace, **form.cleaned_data)
    messages.success(request, _("Saved: what is older is removed bit by bit."))
    return go_to(request, reverse("privacy:kept"))


def _preview(request, form):
    counts = retention.preview(request.workspace, now(), **form.cleaned_data)
    return [(WHAT[kind], count, count > MOST_COUNTED) for kind, count in counts.items()]


def _page(request, form, *, previewed=None, status=200):
    context = {
        "form": form,
        "previewed": previewed,
        "most": MOST_COUNTED,
        "grace": leaving.GRACE.days,
        "export": exports.latest(request.workspace),
        "erasures": erasures.latest(request.workspace, LATEST),
    }
    return render(request, "privacy/kept.html", context, status=status)


# -- Forget this number ----------------------------------------------------------------


@login_required
@may("erase")
@require_http_methods(["GET", "HEAD", "POST"])
def forget(request):
    """Ask for a number, then say what goes, then do it."""
    if request.method != "POST":
        return _ask(request, ForgetForm(initial=request.GET.dict()))
    form = ForgetForm(request.POST)
    if not form.is_valid():
        return _ask(request, form, status=UNPROCESSABLE)
    number = form.cleaned_data["number"]
    if why := erasures.refusal(request.workspace, number):
        form.add_error("number", why)
        return _ask(request, form, status=UNPROCESSABLE)
    if "confirmed" not in request.POST:
        found = erasures.preview(request.workspace, number)
        return _ask(request, form, number=number, found=found)
    try:
        erasure = erasures.ask(request.workspace, number)
    except erasures.Refused as refusal:
        form.add_error("number", str(refusal))
        return _ask(request, form, status=UNPROCESSABLE)
    return go_to(request, erasure.get_absolute_url())


def _ask(request, form, *, number="", found=None, status=200):
    context = {"form": form, "number": number, "found": found, "most": MOST_COUNTED}
    return render(request, "privacy/forget.html", context, status=status)


@login_required
@require_safe
@vary_on_headers("HX-Request")
def erasure_detail(request, pk):
    """The receipt; while it is at work, how far it has come."""
    erasure = get_object_or_404(Erasure.objects.for_owner(request.workspace), pk=pk)
    receipt = erasures.receipt(erasure)
    context = {
        "erasure": erasure,
        "receipt": receipt,
        "erased": [(WORDS[kind], n) for kind, n in receipt["erased"].items()],
    }
    template = full_or_partial(request, "privacy/erasure_detail.html", "receipt")
    return render(request, template, context)


WORDS = {
    "calls": _lazy("Calls that lost the number"),
    "transcripts": _lazy("Transcripts and summaries"),
    "recordings": _lazy("Recordings"),
    "texts": _lazy("Texts, with pictures and files"),
    "scheduled_calls": _lazy("Scheduled calls and rows of campaigns"),
    "recurring_calls": _lazy("Recurring calls"),
    "contacts": _lazy("Contacts"),
    "list_lines": _lazy("Lines of campaigns’ lists"),
    "deliveries": _lazy("Deliveries to webhooks"),
    "kept_answers": _lazy("Kept answers of the API"),
    "exports": _lazy("Files of exports"),
    "audit_entries": _lazy("Entries of the audit log, masked"),
    "other_rows": _lazy("Other rows in which the number stood, masked"),
}


# -- Everything as a file --------------------------------------------------------------


@login_required
@require_POST
@may("export")
def export_create(request):
    exports.ask(request.workspace, by=request.user)
    messages.success(request, _("The file is being made: look here again soon."))
    return go_to(request, reverse("privacy:kept"))


@login_required
@may("export")
@require_safe
def export_download(request, pk):
    ready = Export.objects.for_owner(request.workspace).filter(
        status=Export.Status.DONE
    )
    export = get_object_or_404(ready, pk=pk)
    return downloads.file_of(export)


# -- Going -----------------------------------------------------------------------------


@login_required
@require_POST
@may("delete_workspace")
def workspace_delete(request):
    """Have the workspace deleted after some days; its name is typed to confirm."""
    try:
        leaving.plan(
            request.workspace,
            by=request.membership,
            typed=request.POST.get("name", ""),
        )
    except leaving.Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(
            request, _("The workspace will be deleted. You can take that back here.")
        )
    return go_to(request, reverse("privacy:kept"))


@login_required
@require_POST
@may("delete_workspace")
def workspace_keep(request):
    if leaving.take_back(request.workspace, by=request.membership):
        messages.success(request, _("The workspace stays."))
    else:
        messages.error(request, _("It is too late: it is being deleted."))
    return go_to(request, reverse("privacy:kept"))


@login_required
@reauthentication_required
@require_safe
def person_export(request):
    """What is kept of the person who asks, as a file."""
    answer = JsonResponse(person.told(request.user), json_dumps_params=READABLE)
    answer["Content-Disposition"] = 'attachment; filename="voiceops-account.json"'
    return answer


@login_required
@reauthentication_required
@require_http_methods(["GET", "HEAD", "POST"])
def person_delete(request):
    """One's own account; workspaces that nobody else is in go with it."""
    if request.method == "POST":
        try:
            leaving.delete_person(request.user, typed=request.POST.get("email", ""))
        except leaving.Refused as refusal:
            messages.error(request, str(refusal))
            return go_to(request, request.path)
        logout(request)
        return go_to(request, reverse("account_login"))
    context = {
        "held": leaving.held_by(request.user),
        "going": leaving.going_with(request.user),
    }
    return render(request, "privacy/person_delete.html", context)
