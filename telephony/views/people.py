"""One page a person: what is known of them, and all calls and texts with them."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import may
from accounts.undo import offer_undo
from telephony.forms.contacts import (
    ContactFilterForm,
    ContactForm,
    NewContactForm,
    TimelineForm,
)
from telephony.models import Contact
from telephony.services import contacts, dialling, do_not_contact, timelines
from voiceops.filters import query_of
from voiceops.htmx import full_or_partial, go_to
from voiceops.paging import newest_first
from voiceops.spreadsheets import as_csv

PER_PAGE = 50
ENTRIES = 30  # calls and texts a page
UNPROCESSABLE = 422


@login_required
@require_safe
@vary_on_headers("HX-Request")
def person_list(request):
    form = ContactFilterForm(request.GET)
    template = full_or_partial(request, "telephony/person_list.html", "results")
    if not form.is_valid():
        return render(request, template, {"form": form}, status=UNPROCESSABLE)
    wanted = form.cleaned_data
    page = newest_first(
        Contact.objects.for_owner(request.workspace),
        size=PER_PAGE,
        before=wanted["before"],
        after=wanted["after"],
        search=form.search,
    )
    listed = do_not_contact.find_all(
        request.workspace, [contact.number for contact in page.rows]
    )
    context = {
        "form": form,
        "page": page,
        "listed": listed,
        "query": wanted["q"],
        "newer": page.newer and query_of(q=wanted["q"], after=page.newer),
        "older": page.older and query_of(q=wanted["q"], before=page.older),
    }
    return render(request, template, context)


@login_required
@require_safe
def person_export(request):
    return as_csv(contacts.as_rows(request.workspace), "contacts.csv")


@login_required
@may("place_calls")
@require_http_methods(["GET", "HEAD", "POST"])
def person_create(request):
    form = NewContactForm(
        request.POST or None, owner=request.workspace, initial=request.GET.dict()
    )
    if form.is_valid() and _saved(request, form, "number"):
        return go_to(request, form.instance.get_absolute_url())
    return _form(request, form)


def _saved(request, form, field=None):
    try:
        contact = contacts.save(form.instance, at=now())
    except (contacts.Known, contacts.Gone) as error:
        form.add_error(field, str(error))
        return None
    messages.success(request, _("Saved."))
    return contact


def _form(request, form, contact=None):
    return render(
        request,
        "telephony/person_form.html",
        {"form": form, "contact": contact},
        status=UNPROCESSABLE if form.is_bound else None,
    )


@login_required
@require_safe
@vary_on_headers("HX-Request")
def person_detail(request, number):
    owner = _holder(request, number)
    form = TimelineForm(request.GET)
    if not form.is_valid():
        raise Http404
    show, before = form.cleaned_data["show"], form.cleaned_data["before"]
    timeline = timelines.of_number(
        owner, number, size=ENTRIES, before=before, only=show
    )
    contact = contacts.find(owner, number)
    context = {
        "number": number,
        "contact": contact,
        "timeline": timeline,
        "show": show,
        "before": before,
        "tabs": [(query_of(show=key), label, key) for key, label in form.SHOWN],
        "older": timeline.older and query_of(show=show, before=timeline.older),
    }
    if request.htmx and before:
        template = full_or_partial(request, "telephony/person_detail.html", "entries")
        return render(request, template, context)
    context |= {
        "listed": do_not_contact.find(owner, number),
        "zone": dialling.zone_there(number, contact),
        "to_come": timelines.calls_to_come(owner, number),
    }
    template = full_or_partial(request, "telephony/person_detail.html", "timeline")
    return render(request, template, context)


def _holder(request, number):
    """The workspace; 404 for what is no number."""
    if not timelines.is_number(number):
        raise Http404
    return request.workspace


@login_required
@may("place_calls")
@require_http_methods(["GET", "HEAD", "POST"])
def person_change(request, number):
    """Change what is known of a person, or begin to note it."""
    owner = _holder(request, number)
    contact = contacts.find(owner, number)
    # A form writes into its instance: the page goes on showing what is stored.
    instance = contacts.find(owner, number) or Contact(number=number)
    form = ContactForm(request.POST or None, owner=owner, instance=instance)
    if form.is_valid() and _saved(request, form):
        return go_to(request, form.instance.get_absolute_url())
    return _form(request, form, contact or Contact(number=number))


@login_required
@may("place_calls")
@require_POST
def person_delete(request, number):
    rows = Contact.objects.for_owner(_holder(request, number))
    contact = get_object_or_404(rows, number=number)
    try:
        contacts.delete(contact)
    except contacts.RefusalKept as error:
        messages.error(request, str(error))
        return redirect(contact)
    except contacts.Gone:
        raise Http404 from None
    text = _("“%(name)s” is deleted; the calls and texts stay.") % {"name": contact}
    offer_undo(request, contact, text)
    return redirect(reverse("telephony:person_list"))
