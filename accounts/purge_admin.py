"""Purging in the admin: first told what goes and what is kept, then for ever."""

from django.contrib import messages
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.deleted import restorable_since
from accounts.deleted.purging import BATCH, examine, purge_rows


def purge(modeladmin, request, queryset):
    """Purge the deleted ones among the chosen rows, once the operator has read what."""
    chosen = list(queryset.select_related("owner")[: BATCH + 1])
    if len(chosen) > BATCH:
        words = _("Choose at most %(count)d at once, or use manage.py purge_deleted.")
        messages.error(request, words % {"count": BATCH})
        return None
    rows = [row for row in chosen if row.is_deleted]
    if "confirmed" in request.POST:
        _purge(request, rows)
        return None
    verdicts = [examine(row) for row in rows]
    context = {
        **modeladmin.admin_site.each_context(request),
        "title": _("Purge what was deleted"),
        "goes": [verdict for verdict in verdicts if verdict.goes],
        "kept": [verdict for verdict in verdicts if not verdict.goes],
        "not_deleted": len(chosen) - len(rows),
        "restorable_since": restorable_since(),
        "back": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/purge.html", context)


def _purge(request, rows):
    verdicts = purge_rows(rows) if rows else []
    count = sum(verdict.goes for verdict in verdicts)
    words = ngettext("%(count)d is purged.", "%(count)d are purged.", count)
    messages.success(request, words % {"count": count})
    for verdict in verdicts:
        if not verdict.goes:
            kept = _("“%(name)s” is kept: something needs it now.")
            messages.warning(request, kept % {"name": verdict.name})
