from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts import audit_export
from accounts.audit_words import tell
from accounts.forms import AuditFilterForm
from accounts.models import AuditEntry
from voiceops.htmx import full_or_partial
from voiceops.paging import newest_first
from voiceops.spreadsheets import as_csv

PER_PAGE = 50


@login_required
@require_safe
@vary_on_headers("HX-Request")
def audit_log(request):
    form = AuditFilterForm(request.GET, owner=request.workspace)
    template = full_or_partial(request, "accounts/audit_log.html", "results")
    if not form.is_valid():
        return _answer(request, template, {"form": form}, form, status=422)
    page = newest_first(
        form.apply(AuditEntry.objects.for_owner(request.workspace)),
        size=PER_PAGE,
        before=form.cleaned_data["before"],
        after=form.cleaned_data["after"],
    )
    context = {
        "form": form,
        "page": page,
        "told": tell(page.rows, request.workspace),
        "newer_url": page.newer and _address(form.query(after=page.newer)),
        "older_url": page.older and _address(form.query(before=page.older)),
        "export_url": _address(form.query(), "accounts:audit_log_export"),
    }
    return _answer(request, template, context, form)


@login_required
@require_safe
def audit_log_export(request):
    """The filtered entries as CSV; the whole of them, whatever page is shown."""
    form = AuditFilterForm(request.GET, owner=request.workspace)
    if not form.is_valid():
        return render(request, "accounts/audit_log.html", {"form": form}, status=422)
    entries = form.apply(AuditEntry.objects.for_owner(request.workspace))
    return as_csv(audit_export.rows(entries), "audit-log.csv")


def _answer(request, template, context, form, status=200):
    response = render(request, template, context, status=status)
    if request.htmx:  # the shortest address of the same page
        response["HX-Push-Url"] = _address(form.query())
    return response


def _address(query, name="accounts:audit_log"):
    url = reverse(name)
    return f"{url}?{query}" if query else url
