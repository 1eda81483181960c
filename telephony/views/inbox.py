"""The inbox: conversations by text, and who has them. Writing is in `texts`.

The list, the texts and the state of a conversation are fragments of their own: what has
changed is fetched around what somebody is writing.
"""

import json
from hashlib import sha256
from urllib.parse import urlencode, urlsplit

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.views.decorators.http import (
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import may
from telephony.forms.inbox import (
    TABS,
    AssignForm,
    InboxFilterForm,
    LabelsForm,
    NoteForm,
    ReplyForm,
    SnoozeForm,
    TextsForm,
)
from telephony.models import CannedReply
from telephony.services import conversations, inbox, text_costs
from voiceops.htmx import full_or_partial

UNPROCESSABLE = 422
TEMPLATE = "telephony/inbox.html"


# -- The list --------------------------------------------------------------------------


@login_required
@require_safe
@vary_on_headers("HX-Request")
def inbox_list(request):
    form = _filters(request)
    template = full_or_partial(request, TEMPLATE, "list")
    if not form.is_valid():
        return render(request, template, {"form": form}, status=UNPROCESSABLE)
    context = list_beside(request, form)
    if request.htmx and request.GET.get("seen") == context["list_seen"]:
        return HttpResponse(status=204)  # nothing new: the focus stays where it is
    response = render(request, template, context)
    if request.htmx:
        # A conversation that is open beside the list stays open, also in the address.
        path = urlsplit(request.htmx.current_url or request.path).path
        query = form.query()
        response["HX-Replace-Url"] = f"{path}?{query}" if query else path
    return response


def _filters(request):
    return InboxFilterForm(request.GET, owner=request.workspace, user=request.user)


def readable_filters(request):
    """Beside a conversation: what is wrong with them the list by itself says."""
    form = _filters(request)
    if not form.is_valid():
        form.data = QueryDict()
        form.full_clean()
    return form


def list_beside(request, form):
    """What the list shows: a tab, or what was searched for wherever it is."""
    owner, wanted = request.workspace, form.cleaned_data
    context = {
        "form": form,
        "wanted": wanted,
        "query": form.query(),
        "tabs": _tabs(form, inbox.counts(owner)),
        "most_counted": inbox.MOST_COUNTED,
    }
    if wanted["q"]:
        rows = inbox.search(owner, wanted["q"])
        context |= {"rows": rows, "searched": inbox.SEARCHED}
    else:
        context |= _page(form, form.page_of(inbox.conversations_of(owner)))
    inbox.note_contacts(owner, context["rows"])
    return context | {"list_seen": _stamp_of_list(context)}


def _page(form, page):
    wanted = form.cleaned_data
    return {
        "rows": page.rows,
        "newer": page.newer and form.query(after=page.newer),
        "older": page.older and form.query(before=page.older),
        "unread_query": form.query_with(unread="" if wanted["unread"] else "1"),
    }


def _stamp_of_list(context):
    """Another one whenever the list would show something else."""
    told = [tab["count"] for tab in context["tabs"]]
    for row in context["rows"]:
        told += [row.pk, row.updated_at, row.unread_count, row.contact]
        told += [row.last_message and row.last_message.status, *row.shown_labels]
    return _short("|".join(map(str, told)))


def _tabs(form, counts):
    is_searching = bool(form.cleaned_data["q"])
    return [
        {
            "label": label,
            "count": counts[name],
            "query": form.query_with(tab=name, q=""),
            "is_current": not is_searching and form.cleaned_data["tab"] == name,
        }
        for name, label in TABS
    ]


@login_required
@require_safe
def inbox_badge(request):
    context = {
        "count": inbox.waiting_count(request.workspace),
        "most": inbox.MOST_SHOWN_IN_NAV,
    }
    return render(request, "telephony/inbox_badge.html", context)


# -- One conversation ------------------------------------------------------------------


@login_required
@require_safe
@vary_on_headers("HX-Request")
def conversation_detail(request, pk):
    conversation = conversation_of(request, pk)
    context = shown(request, conversation) | writing(request, conversation)
    template = full_or_partial(request, TEMPLATE, "conversation")
    if template == TEMPLATE:
        context |= list_beside(request, readable_filters(request))
    return render(request, template, context)


def writing(request, conversation, **forms):
    """What can be written and changed beside the texts; `forms` that were filled in."""
    replies = CannedReply.objects.for_owner(request.workspace).order_by("name")
    return {
        "reply": ReplyForm(),
        "note": NoteForm(),
        "canned_replies": replies,
        **_ordering(conversation),
        **forms,
    }


def _ordering(conversation):
    return {
        "assign": AssignForm(conversation=conversation),
        "labels": LabelsForm(conversation=conversation),
        "snooze": SnoozeForm(),
    }


@login_required
@require_safe
@vary_on_headers("HX-Request")
def conversation_texts(request, pk):
    """What has changed since it was shown, around what is being written."""
    context = shown(request, conversation_of(request, pk))
    if request.GET.get("seen") == context["seen"]:
        return HttpResponse(status=204)  # nothing new: what is being read stays put
    return render(request, f"{TEMPLATE}#update", context)


def shown(request, conversation):
    """What was written, and how things stand."""
    place = TextsForm(request.GET).place
    inbox.note_contacts(request.workspace, [conversation])
    context = {
        "conversation": conversation,
        "query": list_query(request),
        "place": urlencode({name: pk for name, pk in place.items() if pk}),
        "thread": inbox.thread_of(
            conversation, before=place["texts_before"], after=place["texts_after"]
        ),
        "facts": conversation.facts.for_owner(conversation.owner_id),
        "costs": text_costs.of_conversation(conversation),
        "costs_are_final": text_costs.are_final(conversation),
        "agent": conversations.agent_of(conversation),
        "no_texts": conversations.why_no_texts(conversation),
    }
    return context | {"seen": _stamp(context)}


def _stamp(context):
    """Another one whenever the page would show something else."""
    conversation, thread = context["conversation"], context["thread"]
    told = [conversation.updated_at, conversation.unread_count, conversation.contact]
    told += [context["agent"], context["no_texts"], *conversation.shown_labels]
    for entry in thread.entries:
        row = entry.text or entry.note or entry.use
        told += [row.pk, row.updated_at]
    told += [row.pk for row in thread.to_come]
    told += [fact.updated_at for fact in context["facts"]]
    told += [*context["costs"], context["costs_are_final"]]
    return _short("|".join(map(str, told)))


def _short(text):
    return sha256(text.encode()).hexdigest()[:16]


def conversation_of(request, pk):
    rows = inbox.with_last_texts(inbox.conversations_of(request.workspace))
    return get_object_or_404(rows.select_related("owner"), pk=pk)


def answer(request, conversation, problem="", part="changed"):
    """The conversation as it is now, beside what is being written in it.

    The part `update` leaves what is being chosen alone as well.
    """
    if not request.htmx:
        if problem:
            messages.error(request, problem)
        return redirect(address_of(request, conversation))
    conversation = conversation_of(request, conversation.pk)
    context = shown(request, conversation) | _ordering(conversation)
    response = render(request, f"{TEMPLATE}#{part}", context)
    told = {"inbox-changed": None}
    if problem:
        told["toast"] = {"text": problem, "kind": "error"}
    response["HX-Trigger"] = json.dumps(told)
    return response


def list_query(request):
    """The filters of the list beside which the conversation is shown."""
    names = InboxFilterForm.base_fields
    return urlencode(
        [(name, value) for name, value in request.GET.items() if name in names]
    )


def address_of(request, conversation):
    """Of the conversation, beside the list as it was."""
    query = list_query(request)
    url = conversation.get_absolute_url()
    return f"{url}?{query}" if query else url


# -- Who has it ------------------------------------------------------------------------


@login_required
@may("send_texts")
@require_POST
def conversation_take_over(request, pk):
    conversation = conversation_of(request, pk)
    conversations.take_over(conversation, by=request.user)
    return answer(request, conversation)


@login_required
@may("send_texts")
@require_POST
def conversation_release(request, pk):
    conversation = conversation_of(request, pk)
    try:
        conversations.release(conversation, at=now())
    except conversations.NoAgent as error:
        return answer(request, conversation, str(error))
    return answer(request, conversation)


@login_required
@may("send_texts")
@require_POST
def conversation_close(request, pk):
    return answer(request, conversations.close(conversation_of(request, pk), at=now()))


@login_required
@may("send_texts")
@require_POST
def conversation_reopen(request, pk):
    return answer(request, conversations.reopen(conversation_of(request, pk)))


@login_required
@may("send_texts")
@require_POST
def conversation_read(request, pk):
    """Somebody looks at it, and may be choosing labels by now."""
    conversation = conversation_of(request, pk)
    conversations.mark_read(conversation)
    return answer(request, conversation, part="update")


# -- Order -----------------------------------------------------------------------------


@login_required
@may("send_texts")
@require_POST
def conversation_assign(request, pk):
    conversation = conversation_of(request, pk)
    form = AssignForm(request.POST, conversation=conversation)
    if not form.is_valid():
        return answer(request, conversation, problem_of(form))
    try:
        conversations.assign(conversation, form.cleaned_data["user"])
    except conversations.NoMember as error:  # any more, since the form was checked
        return answer(request, conversation, str(error))
    return answer(request, conversation)


@login_required
@may("send_texts")
@require_POST
def conversation_labels(request, pk):
    conversation = conversation_of(request, pk)
    form = LabelsForm(request.POST, conversation=conversation)
    if not form.is_valid():
        return answer(request, conversation, problem_of(form))
    conversations.set_labels(conversation, form.cleaned_data["labels"])
    return answer(request, conversation)


@login_required
@may("send_texts")
@require_POST
def conversation_snooze(request, pk):
    conversation, form = conversation_of(request, pk), SnoozeForm(request.POST)
    if not form.is_valid():
        return answer(request, conversation, problem_of(form))
    conversations.snooze(conversation, until=form.cleaned_data["until"])
    return answer(request, conversation)


def problem_of(form):
    return " ".join(words for errors in form.errors.values() for words in errors)
