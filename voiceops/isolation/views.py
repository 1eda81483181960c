from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.operators import for_superusers, page
from voiceops.isolation import background
from voiceops.isolation.walk import VERBS

WAIT_S = 5


@require_http_methods(["GET", "HEAD", "POST"])
@for_superusers
def isolation(request):
    """The last check's table; a POST starts another one."""
    if request.method == "POST":
        if not background.start():
            messages.info(request, _("A check is under way."))
        return redirect(request.path)
    return page(
        request,
        "admin/isolation.html",
        _("Isolation of workspaces"),
        is_running=background.is_running(),
        outcome=background.latest(),
        verbs=VERBS,
        wait_s=WAIT_S,
    )
