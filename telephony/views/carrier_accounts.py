from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from accounts.decorators import may
from accounts.undo import offer_undo
from telephony.forms.carrier import AccountForm, ConnectAccountForm
from telephony.models import CarrierAccount
from telephony.services import carrier
from telephony.twilio import CarrierError
from voiceops.htmx import full_or_partial, go_to

UNPROCESSABLE = 422


@login_required
@require_safe
def carrier_account_list(request):
    accounts = CarrierAccount.objects.for_owner(request.workspace).annotate(
        phone_count=Count("phones", filter=Q(phones__deleted_at=None))
    )
    return render(
        request,
        "telephony/carrier_account_list.html",
        {"accounts": accounts.order_by("label", "id")},
    )


@login_required
@may("manage_carrier_accounts")
@require_http_methods(["GET", "HEAD", "POST"])
def carrier_account_create(request):
    form = ConnectAccountForm(request.POST or None, owner=request.workspace)
    if form.is_valid():
        try:
            account = carrier.connect_account(
                owner=request.workspace, **form.cleaned_data
            )
        except (carrier.Refused, CarrierError) as error:
            form.add_error(getattr(error, "field", None), str(error))
        else:
            messages.success(request, _("The account is connected."))
            return go_to(request, account.get_absolute_url())
    return render(
        request,
        full_or_partial(request, "telephony/carrier_account_create.html", "form"),
        {"form": form},
        status=UNPROCESSABLE if form.is_bound else None,
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def carrier_account_detail(request, pk):
    account = get_object_or_404(
        CarrierAccount.objects.for_owner(request.workspace), pk=pk
    )
    if request.method == "POST":
        return _change(request, account)
    return _detail(request, account, AccountForm(instance=account, owner=account.owner))


@may("manage_carrier_accounts")
def _change(request, account):
    form = AccountForm(request.POST, instance=account, owner=request.workspace)
    if form.is_valid():
        try:
            carrier.change_account(account, **form.cleaned_data)
        except (carrier.Refused, CarrierError) as error:
            form.add_error(getattr(error, "field", None), str(error))
        else:
            messages.success(request, _("Saved."))
            return go_to(request, account.get_absolute_url())
    return _detail(request, account, form)


def _detail(request, account, form):
    phones = account.phones.for_owner(request.workspace).order_by("number")
    return render(
        request,
        full_or_partial(request, "telephony/carrier_account_detail.html", "form"),
        {"account": account, "form": form, "phones": phones},
        status=UNPROCESSABLE if form.is_bound else None,
    )


@login_required
@may("manage_carrier_accounts")
@require_POST
def carrier_account_end_token_change(request, pk):
    account = get_object_or_404(
        CarrierAccount.objects.for_owner(request.workspace), pk=pk
    )
    carrier.end_token_change(account)
    messages.success(request, _("Only the newest auth token is accepted now."))
    return redirect(account)


@login_required
@may("manage_carrier_accounts")
@require_POST
def carrier_account_delete(request, pk):
    account = get_object_or_404(
        CarrierAccount.objects.for_owner(request.workspace), pk=pk
    )
    try:
        carrier.remove_account(account)
    except carrier.Refused as error:
        messages.error(request, str(error))
        return redirect(account)
    text = _("%(label)s is removed.") % {"label": account.label}
    offer_undo(request, account, text)
    return redirect("telephony:carrier_account_list")
