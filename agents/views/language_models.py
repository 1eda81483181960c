from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.decorators import may
from agents import llm, services
from agents.forms.language_models import LanguageModelForm
from agents.models import LanguageModel
from voiceops.htmx import go_to

can_manage = may("manage_workspace")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def language_model(request):
    if request.method == "POST":
        return _connect(request)
    return _page(request, _form(request))


def _form(request, data=None):
    owner = request.workspace
    own = services.own_model(owner) or LanguageModel()
    return LanguageModelForm(data, instance=own, owner=owner)


@can_manage
def _connect(request):
    form = _form(request, request.POST)
    if form.is_valid() and _connected(request, form):
        messages.success(request, _("Agents speak by this model from now on."))
        return _back(request)
    return _page(request, form, status=422)


def _connected(request, form):
    try:
        return services.connect_model(request.workspace, **form.wanted)
    except services.KeyLeftBehind as refusal:
        form.add_error("api_key", str(refusal))
        return None


def _page(request, form, status=200):
    own = services.own_model(request.workspace)
    provider = services.provider_of(request.workspace)
    return render(
        request,
        "agents/language_model.html",
        {"form": form, "own": own, "provider": provider},
        status=status,
    )


def _back(request):
    return go_to(request, reverse("agents:language_model"))


@login_required
@require_POST
@can_manage
def language_model_test(request):
    """Ask the model in use something, for real."""
    try:
        trial = services.try_model(request.workspace)
    except (services.TooManyTests, llm.ModelFailed) as failure:
        messages.error(request, _("No answer. %(why)s") % {"why": failure})
    else:
        messages.success(
            request,
            _("Answered after %(elapsed)d ms: “%(text)s”")
            % {"elapsed": trial.elapsed_ms, "text": trial.text},
        )
    return _back(request)


@login_required
@require_POST
@can_manage
def language_model_disconnect(request):
    if services.disconnect_model(request.workspace):
        messages.success(request, _("The installation's model speaks from now on."))
    return _back(request)
