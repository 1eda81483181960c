from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts import deleted
from accounts.decorators import can_write
from accounts.forms import DeletedFilterForm, RestoreForm
from voiceops.htmx import full_or_partial

PER_PAGE = 50
CONFLICT, UNPROCESSABLE = 409, 422


@login_required
@require_safe
@vary_on_headers("HX-Request")
def deleted_list(request):
    template = full_or_partial(request, "accounts/deleted_list.html", "results")
    form = DeletedFilterForm(request.GET)
    if not form.is_valid():
        return render(request, template, {"form": form}, status=UNPROCESSABLE)
    page = deleted.newest_first(
        request.workspace,
        form.kinds,
        size=PER_PAGE,
        before=form.cleaned_data["before"],
        after=form.cleaned_data["after"],
    )
    context = {
        "form": form,
        "rows": [(row, request.membership.may[row.kind.right]) for row in page.rows],
        "newer": page.newer and form.query(after=page.newer),
        "older": page.older and form.query(before=page.older),
    }
    return render(request, template, context)


@login_required
@require_POST
@can_write
def deleted_restore(request, pk):
    found = deleted.find(request.workspace, pk)
    if found is None:
        raise Http404
    row, kind = found
    if not request.membership.may[kind.right]:
        raise PermissionDenied
    form = RestoreForm(request.POST)
    if not form.is_valid():
        return _refused(request, row, kind, form, status=UNPROCESSABLE)
    try:
        restored = deleted.restore(row, kind, name=form.cleaned_data["name"])
    except deleted.RestoredIncompletely as problem:
        messages.warning(request, str(problem))
        restored = problem.row
    except deleted.Gone:
        raise Http404 from None
    except deleted.Refused as refusal:
        form.tell(refusal)
        return _refused(request, row, kind, form, refusal)
    else:
        name = getattr(restored, kind.name_field)
        messages.success(request, _("“%(name)s” is restored.") % {"name": name})
    return redirect(_page_of(restored))


def _page_of(row):
    return row if hasattr(row, "get_absolute_url") else "accounts:deleted_list"


def _refused(request, row, kind, form, refusal=None, status=CONFLICT):
    """Why it stays deleted, and what can be done about that."""
    needed = getattr(refusal, "kind", None)
    context = {
        "row": deleted.Deleted.of(row, kind),
        "form": form,
        "refusal": refusal,
        "may_restore_needed": needed and request.membership.may[needed.right],
    }
    return render(request, "accounts/deleted_restore.html", context, status=status)
