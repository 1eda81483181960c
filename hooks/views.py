from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import may
from accounts.undo import offer_undo
from hooks import services
from hooks.forms import DeliveryFilterForm, EndpointForm
from hooks.models import Delivery, Endpoint
from voiceops.htmx import full_or_partial, go_to
from voiceops.paging import newest_first

PER_PAGE = 50
can_manage = may("manage_webhooks")


def _endpoint(request, pk):
    return get_object_or_404(Endpoint.objects.for_owner(request.workspace), pk=pk)


@login_required
@require_safe
def endpoint_list(request):
    endpoints = Endpoint.objects.for_owner(request.workspace).order_by("-id")
    return render(request, "hooks/endpoint_list.html", {"endpoints": endpoints})


@login_required
@can_manage
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def endpoint_create(request):
    """Make a webhook. This answer alone shows its secret, so it is not a redirect."""
    form = EndpointForm(
        request.POST or None, instance=Endpoint(), owner=request.workspace
    )
    if request.method == "POST" and _save(form):
        return _shown_once(request, form.instance)
    status = 422 if request.method == "POST" else 200
    return render(request, "hooks/endpoint_create.html", {"form": form}, status=status)


def _save(form):
    if not form.is_valid():
        return False
    try:
        services.save_endpoint(form.instance)
    except services.Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        return False
    return True


def _shown_once(request, endpoint):
    context = {"endpoint": endpoint, "secret": endpoint.secret}
    return render(request, "hooks/endpoint_secret.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def endpoint_detail(request, pk):
    if request.method == "POST":
        return _change(request, pk)
    endpoint = _endpoint(request, pk)
    form = EndpointForm(instance=_endpoint(request, pk), owner=request.workspace)
    return _detail(request, endpoint, form)


@can_manage
def _change(request, pk):
    # A form writes into its instance: the page goes on showing what is stored.
    form = EndpointForm(
        request.POST, instance=_endpoint(request, pk), owner=request.workspace
    )
    if _save(form):
        messages.success(request, _("The webhook is saved."))
        return go_to(request, form.instance.get_absolute_url())
    return _detail(request, _endpoint(request, pk), form, status=422)


def _detail(request, endpoint, form, status=200):
    deliveries = Delivery.objects.for_owner(request.workspace).filter(endpoint=endpoint)
    log = DeliveryFilterForm(request.GET)
    if log.is_valid():
        page = newest_first(
            log.apply(deliveries),
            size=PER_PAGE,
            before=log.cleaned_data["before"],
            after=log.cleaned_data["after"],
        )
    else:
        page, status = newest_first(deliveries.none(), size=PER_PAGE), 422
    context = {
        "endpoint": endpoint,
        "form": form,
        "log": log,
        "page": page,
        "newer_url": page.newer and log.address(after=page.newer),
        "older_url": page.older and log.address(before=page.older),
        "has_dead": deliveries.filter(status=Delivery.Status.DEAD).exists(),
    }
    template = full_or_partial(request, "hooks/endpoint_detail.html", "log")
    return render(request, template, context, status=status)


@login_required
@require_POST
@can_manage
@never_cache
def endpoint_rotate(request, pk):
    """Another secret, which this answer alone shows."""
    endpoint = _endpoint(request, pk)
    services.rotate_secret(endpoint)
    return _shown_once(request, endpoint)


@login_required
@require_POST
@can_manage
def endpoint_enable(request, pk):
    endpoint = _endpoint(request, pk)
    services.enable(endpoint)
    messages.success(request, _("The webhook is enabled: new events are sent to it."))
    return go_to(request, endpoint.get_absolute_url())


@login_required
@require_POST
@can_manage
def endpoint_disable(request, pk):
    endpoint = _endpoint(request, pk)
    services.disable(endpoint)
    messages.success(request, _("The webhook is disabled: nothing is sent to it."))
    return go_to(request, endpoint.get_absolute_url())


@login_required
@require_POST
@can_manage
def endpoint_delete(request, pk):
    endpoint = _endpoint(request, pk)
    services.delete_endpoint(endpoint)
    offer_undo(request, endpoint, _("The webhook is deleted."))
    return go_to(request, reverse("hooks:endpoint_list"))


@login_required
@require_POST
@can_manage
def endpoint_test(request, pk):
    endpoint = _endpoint(request, pk)
    try:
        delivery = services.send_test(endpoint)
    except services.Refused as refusal:
        messages.error(request, str(refusal))
        return go_to(request, endpoint.get_absolute_url())
    return go_to(request, delivery.get_absolute_url())


@login_required
@require_POST
@can_manage
def endpoint_replay_dead(request, pk):
    endpoint = _endpoint(request, pk)
    try:
        count = services.replay_dead(endpoint)
    except services.Refused as refusal:
        messages.error(request, str(refusal))
    else:
        told = ngettext(
            "%(count)d event is sent again.", "%(count)d are sent again.", count
        )
        messages.success(request, told % {"count": count})
    return go_to(request, endpoint.get_absolute_url())


def _delivery(request, pk, delivery_pk):
    deliveries = Delivery.objects.for_owner(request.workspace)
    of_endpoint = deliveries.filter(endpoint=_endpoint(request, pk))
    return get_object_or_404(of_endpoint.select_related("endpoint"), pk=delivery_pk)


@login_required
@require_safe
@vary_on_headers("HX-Request")
def delivery_detail(request, pk, delivery_pk):
    delivery = _delivery(request, pk, delivery_pk)
    attempts = delivery.attempts.for_owner(request.workspace).order_by("-number")
    template = full_or_partial(request, "hooks/delivery_detail.html", "delivery")
    context = {"delivery": delivery, "attempts": attempts}
    return render(request, template, context)


@login_required
@require_POST
@can_manage
def delivery_replay(request, pk, delivery_pk):
    delivery = _delivery(request, pk, delivery_pk)
    try:
        if not services.replay(delivery):
            messages.error(request, _("It is being sent already."))
    except services.Refused as refusal:
        messages.error(request, str(refusal))
    return go_to(request, delivery.get_absolute_url())
