from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from voiceops.isolation import background
from voiceops.isolation.walk import VERBS

WAIT_S = 5


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@admin.site.admin_view
def isolation(request):
    """The last check's table; a POST starts another one. For superusers."""
    if not request.user.is_superuser:
        raise PermissionDenied
    if request.method == "POST":
        if not background.start():
            messages.info(request, _("A check is under way."))
        return redirect(request.path)
    context = {
        **admin.site.each_context(request),
        "title": _("Isolation of workspaces"),
        "is_running": background.is_running(),
        "outcome": background.latest(),
        "verbs": VERBS,
        "wait_s": WAIT_S,
    }
    return render(request, "admin/isolation.html", context)
