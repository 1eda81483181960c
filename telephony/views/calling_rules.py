from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import may
from telephony.forms.dialling import CallingRulesForm, CheckForm
from telephony.services import dialling
from voiceops.htmx import full_or_partial, go_to

UNPROCESSABLE = 422


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def calling_rules(request):
    if request.method == "POST":
        return _change(request)
    rules = dialling.rules_of(request.workspace)
    return _page(request, CallingRulesForm(instance=rules, owner=request.workspace))


@may("manage_workspace")
def _change(request):
    rules = dialling.rules_of(request.workspace)
    form = CallingRulesForm(request.POST, instance=rules, owner=request.workspace)
    if form.is_valid():
        dialling.save_rules(form.instance)
        messages.success(request, _("Saved."))
        return go_to(request, reverse("telephony:calling_rules"))
    return _page(request, form)


def _page(request, form):
    owner = request.workspace
    rules = dialling.rules_of(owner)
    today, this_month = dialling.counts(owner, rules, now())
    return render(
        request,
        "telephony/calling_rules.html",
        {
            "form": form,
            "countries": sorted(dialling.countries_of(owner, rules)),
            "today": today,
            "this_month": this_month,
        },
        status=UNPROCESSABLE if form.is_bound else None,
    )


@login_required
@require_safe
@vary_on_headers("HX-Request")
def calling_rules_check(request):
    """Why may this number be called or not: the whole chain of rules."""
    form = CheckForm(request.GET, owner=request.workspace)
    context = {"form": form}
    if form.is_valid():
        wanted = form.cleaned_data
        context["decision"] = dialling.decide_call(
            wanted["agent"],
            wanted["number"],
            wanted["at"],
            dialling.Wishes(timezone=wanted["timezone"]),
        )
    return render(
        request,
        full_or_partial(request, "telephony/calling_rules_check.html", "answer"),
        context,
        status=UNPROCESSABLE if form.is_bound and form.errors else None,
    )
