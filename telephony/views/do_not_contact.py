from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import may
from accounts.undo import offer_undo
from telephony.forms.dialling import (
    DoNotContactFilterForm,
    DoNotContactForm,
    DoNotContactManyForm,
    RemovalForm,
)
from telephony.models import DoNotContact
from telephony.services import do_not_contact
from voiceops.filters import query_of
from voiceops.htmx import full_or_partial, go_to
from voiceops.paging import newest_first

PER_PAGE = 50
UNPROCESSABLE = 422


@login_required
@require_safe
@vary_on_headers("HX-Request")
def do_not_contact_list(request):
    form = DoNotContactFilterForm(request.GET)
    template = full_or_partial(request, "telephony/do_not_contact_list.html", "results")
    if not form.is_valid():
        return render(request, template, {"form": form}, status=UNPROCESSABLE)
    rows = DoNotContact.objects.for_owner(request.workspace).select_related("added_by")
    wanted = form.cleaned_data
    page = newest_first(
        form.apply(rows),
        size=PER_PAGE,
        before=wanted["before"],
        after=wanted["after"],
    )
    context = {
        "form": form,
        "page": page,
        "query": wanted["q"],
        "newer": page.newer and query_of(q=wanted["q"], after=page.newer),
        "older": page.older and query_of(q=wanted["q"], before=page.older),
    }
    return render(request, template, context)


@login_required
@may("place_calls")
@require_http_methods(["GET", "HEAD", "POST"])
def do_not_contact_create(request):
    """One number, or many: the two forms of the page say which by their button."""
    is_many = "many" in request.POST
    one = DoNotContactForm(
        None if is_many else request.POST or None, initial=request.GET.dict()
    )
    many = DoNotContactManyForm(request.POST, request.FILES) if is_many else None
    context = {"one": one, "many": many or DoNotContactManyForm()}
    if one.is_valid() and (row := _add(request, one)):
        return go_to(request, _back(request, row))
    if many is not None and many.is_valid():
        context["report"] = do_not_contact.add_many(
            owner=request.workspace, text=many.cleaned_data["text"], by=request.user
        )
        context["many"] = DoNotContactManyForm()
        return render(request, "telephony/do_not_contact_create.html", context)
    return render(
        request,
        "telephony/do_not_contact_create.html",
        context,
        status=UNPROCESSABLE if request.method == "POST" else None,
    )


def _back(request, row):
    """Where the person came from: the list, or the page of who has the number."""
    if "person" in request.GET:
        return reverse("telephony:person_detail", args=[row.number])
    return reverse("telephony:do_not_contact_list")


def _add(request, form):
    try:
        row = do_not_contact.add(
            owner=request.workspace, by=request.user, **form.cleaned_data
        )
    except do_not_contact.OnTheList as error:
        form.add_error("number", str(error))
        return None
    messages.success(request, _("%(number)s is on the list.") % {"number": row.number})
    return row


@login_required
@may("place_calls")
@require_http_methods(["GET", "HEAD", "POST"])
def do_not_contact_delete(request, pk):
    rows = DoNotContact.objects.for_owner(request.workspace)
    row = get_object_or_404(rows.select_related("added_by"), pk=pk)
    form = RemovalForm(request.POST or None)
    if form.is_valid():
        do_not_contact.remove(row, by=request.user, **form.cleaned_data)
        text = _("%(number)s is off the list.") % {"number": row.number}
        offer_undo(request, row, text)
        return redirect(_back(request, row))
    return render(
        request,
        "telephony/do_not_contact_delete.html",
        {"row": row, "form": form},
        status=UNPROCESSABLE if form.is_bound else None,
    )
