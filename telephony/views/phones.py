from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import can_write
from accounts.undo import offer_undo
from agents.models import MessageAgent, VoiceAgent
from telephony.forms.carrier import ChooseAccountForm, PhoneForm, RegisterPhoneForm
from telephony.models import Call, CarrierAccount, Phone
from telephony.services import carrier
from telephony.services.phone_check import check_phone
from telephony.twilio import CarrierError
from voiceops.htmx import full_or_partial, go_to
from voiceops.paging import CappedPaginator

PER_PAGE = 50
RECENT_CALLS = 10
UNPROCESSABLE = 422


@login_required
@require_safe
def phone_list(request):
    phones = Phone.objects.for_owner(request.workspace).select_related(
        "carrier_account"
    )
    pages = CappedPaginator(phones.order_by("-id"), PER_PAGE)
    page = pages.get_page(request.GET.get("page"))
    agents = VoiceAgent.objects.for_owner(request.workspace)
    answering = agents.answering().filter(phone__in=[phone.pk for phone in page])
    return render(
        request,
        "telephony/phone_list.html",
        {
            "page": page,
            "rows": _with_agents(page, answering),
            "accounts": _accounts(request),
        },
    )


def _with_agents(phones, agents):
    by_phone = {agent.phone_id: agent for agent in agents}
    return [(phone, by_phone.get(phone.pk)) for phone in phones]


@login_required
@can_write
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "HEAD", "POST"])
def phone_create(request):
    choice = ChooseAccountForm(
        request.POST or request.GET or None, owner=request.workspace
    )
    account = _chosen(request, choice)
    form = RegisterPhoneForm(
        request.POST or None,
        owner=request.workspace,
        initial={"carrier_account": account},
    )
    if form.is_valid() and (phone := _register(request, form)):
        return go_to(request, phone.get_absolute_url())
    numbers, problem = None, ""
    if account and (form.is_bound or "numbers" in request.GET):
        numbers, problem = _free_numbers(account)
        form.offer(numbers or [])
    return render(
        request,
        full_or_partial(request, "telephony/phone_create.html", "numbers"),
        {
            "account": account,
            "choice": choice,
            "form": form,
            "numbers": numbers,
            "problem": problem,
        },
        status=UNPROCESSABLE if form.is_bound else None,
    )


def _accounts(request):
    return CarrierAccount.objects.for_owner(request.workspace)


def _chosen(request, choice):
    """The account that was asked for, else the one connected first."""
    if choice.is_bound and choice.is_valid():
        return choice.cleaned_data["carrier_account"]
    return _accounts(request).order_by("id").first()


def _register(request, form):
    """The registered phone, or None with the reason on the form."""
    chosen = form.cleaned_data
    try:
        phone = carrier.register_phone(
            owner=request.workspace,
            number=chosen["number"],
            label=chosen["label"],
            account=chosen["carrier_account"],
        )
    except carrier.NotPointed as error:
        messages.warning(request, str(error))
        return error.phone
    except (carrier.Refused, CarrierError) as error:
        form.add_error(getattr(error, "field", None), str(error))
        return None
    messages.success(request, _("Calls to this number now come here."))
    return phone


def _free_numbers(account):
    try:
        return carrier.available_numbers(account), ""
    except CarrierError as error:
        return None, str(error)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def phone_detail(request, pk):
    phone = _phone(request, pk)
    if request.method == "POST":
        return _relabel(request, phone)
    return _detail(
        request, phone, "form", form=PhoneForm(instance=phone, owner=phone.owner)
    )


@can_write
def _relabel(request, phone):
    form = PhoneForm(request.POST, instance=phone, owner=request.workspace)
    if not form.is_valid():
        return _detail(request, phone, "form", form=form)
    carrier.relabel_phone(phone, form.cleaned_data["label"])
    messages.success(request, _("Saved."))
    return go_to(request, phone.get_absolute_url())


@login_required
@vary_on_headers("HX-Request")
@require_safe
def phone_check(request, pk):
    """What stands between the carrier and an agent: the page, or its findings alone."""
    phone = _phone(request, pk)
    return _detail(
        request,
        phone,
        "findings",
        form=PhoneForm(instance=phone, owner=phone.owner),
        findings=check_phone(phone),
    )


def _phone(request, pk):
    phones = Phone.objects.for_owner(request.workspace)
    return get_object_or_404(phones.select_related("carrier_account"), pk=pk)


def _detail(request, phone, partial, *, form, findings=None):
    owner = request.workspace
    calls = Call.objects.for_owner(owner).filter(phone=phone).select_related("agent")
    return render(
        request,
        full_or_partial(request, "telephony/phone_detail.html", partial),
        {
            "phone": phone,
            "form": form,
            "findings": findings,
            "agents": [
                *VoiceAgent.objects.for_owner(owner).filter(phone=phone),
                *MessageAgent.objects.for_owner(owner).filter(phone=phone),
            ],
            "can_call": VoiceAgent.objects.for_owner(owner)
            .placing()
            .filter(phone=phone)
            .first(),
            "calls": calls.order_by("-id")[:RECENT_CALLS],
        },
        status=UNPROCESSABLE if form.errors else None,
    )


@login_required
@can_write
@require_POST
def phone_point(request, pk):
    phone = _phone(request, pk)
    try:
        carrier.point_phone_again(phone)
    except CarrierError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Calls to this number now come here."))
    return redirect(phone)


@login_required
@can_write
@require_POST
def phone_delete(request, pk):
    phone = _phone(request, pk)
    try:
        carrier.remove_phone(phone)
    except carrier.NotCleared as error:
        offer_undo(request, phone, str(error), level=messages.WARNING)
    else:
        text = _("%(number)s is removed.") % {"number": phone.number}
        offer_undo(request, phone, text)
    return redirect("telephony:phone_list")
