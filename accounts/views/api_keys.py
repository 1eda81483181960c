from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import services
from accounts.decorators import may
from accounts.forms import ApiKeyForm
from accounts.models import AccessToken
from voiceops.htmx import go_to


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def api_key_list(request):
    if request.method == "POST":
        return _create_api_key(request)
    return _api_key_page(request, form=ApiKeyForm())


@may("manage_keys")
def _create_api_key(request):
    """Make a key. This answer alone shows its secret, so it is not a redirect."""
    form = ApiKeyForm(request.POST)
    if not form.is_valid():
        return _api_key_page(request, form=form, status=422)
    key, secret = services.issue_api_key(
        owner=request.workspace,
        user=request.user,
        name=form.cleaned_data["name"],
        scopes=form.cleaned_data["scopes"],
        expires_at=form.expires_at,
    )
    return _api_key_page(request, form=ApiKeyForm(), new_key=key, secret=secret)


def _api_key_page(request, *, status=200, **context):
    keys = AccessToken.objects.for_owner(request.workspace).api_keys()
    context["keys"] = keys.select_related("user").order_by("-id")
    return render(request, "accounts/api_key_list.html", context, status=status)


@login_required
@require_POST
@may("manage_keys")
def api_key_revoke(request, pk):
    keys = AccessToken.objects.for_owner(request.workspace).api_keys()
    key = get_object_or_404(keys, pk=pk)
    services.revoke_token(key)
    messages.success(
        request, _("“%(name)s” is revoked: it opens nothing now.") % {"name": key.name}
    )
    return go_to(request, reverse("accounts:api_key_list"))
