"""The inbox: conversations by text, and what people do in them.

The list, the texts and the state of a conversation are fragments of their own: what has
changed is fetched around what somebody is writing.
"""

import json
from hashlib import sha256
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import may
from agents.segments import MAX_TEXT_CHARACTERS, size_of
from telephony.forms.inbox import (
    TABS,
    AssignForm,
    InboxFilterForm,
    LabelsForm,
    NewTextForm,
    NoteForm,
    RepeatForm,
    ReplyForm,
    SnoozeForm,
    TextsForm,
)
from telephony.media import media_of
from telephony.models import CannedReply, Message
from telephony.services import conversations, inbox, inbox_words, sending
from telephony.twilio import CarrierError
from voiceops.htmx import full_or_partial, go_to

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
    context = _list(request, form)
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


def _readable_filters(request):
    """Beside a conversation: what is wrong with them the list by itself says."""
    form = _filters(request)
    if not form.is_valid():
        form.data = QueryDict()
        form.full_clean()
    return form


def _list(request, form):
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
    conversation = _conversation(request, pk)
    context = _shown(request, conversation) | _writing(request, conversation)
    template = full_or_partial(request, TEMPLATE, "conversation")
    if template == TEMPLATE:
        context |= _list(request, _readable_filters(request))
    return render(request, template, context)


def _writing(request, conversation, **forms):
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
    context = _shown(request, _conversation(request, pk))
    if request.GET.get("seen") == context["seen"]:
        return HttpResponse(status=204)  # nothing new: what is being read stays put
    return render(request, f"{TEMPLATE}#update", context)


def _shown(request, conversation):
    """What was written, and how things stand."""
    place = TextsForm(request.GET).place
    inbox.note_contacts(request.workspace, [conversation])
    context = {
        "conversation": conversation,
        "query": _list_query(request),
        "place": urlencode({name: pk for name, pk in place.items() if pk}),
        "thread": inbox.thread_of(
            conversation, before=place["texts_before"], after=place["texts_after"]
        ),
        "facts": conversation.facts.for_owner(conversation.owner_id),
        "agent": conversations.agent_of(conversation),
        "no_texts": conversations.why_no_texts(conversation),
    }
    return context | {"seen": _stamp(context)}


def _stamp(shown):
    """Another one whenever the page would show something else."""
    conversation, thread = shown["conversation"], shown["thread"]
    told = [conversation.updated_at, conversation.unread_count, conversation.contact]
    told += [shown["agent"], shown["no_texts"], *conversation.shown_labels]
    for entry in thread.entries:
        row = entry.text or entry.note or entry.use
        told += [row.pk, row.updated_at]
    told += [row.pk for row in thread.to_come]
    told += [fact.updated_at for fact in shown["facts"]]
    return _short("|".join(map(str, told)))


def _short(text):
    return sha256(text.encode()).hexdigest()[:16]


def _conversation(request, pk):
    rows = inbox.with_last_texts(inbox.conversations_of(request.workspace))
    return get_object_or_404(rows.select_related("owner"), pk=pk)


def _answer(request, conversation, problem=""):
    """The conversation as it is now, beside what is being written in it."""
    if not request.htmx:
        if problem:
            messages.error(request, problem)
        return redirect(_address(request, conversation))
    conversation = _conversation(request, conversation.pk)
    context = _shown(request, conversation) | _ordering(conversation)
    response = render(request, f"{TEMPLATE}#changed", context)
    told = {"inbox-changed": None}
    if problem:
        told["toast"] = {"text": problem, "kind": "error"}
    response["HX-Trigger"] = json.dumps(told)
    return response


def _list_query(request):
    """The filters of the list beside which the conversation is shown."""
    names = InboxFilterForm.base_fields
    return urlencode(
        [(name, value) for name, value in request.GET.items() if name in names]
    )


def _address(request, conversation):
    """Of the conversation, beside the list as it was."""
    query = _list_query(request)
    url = conversation.get_absolute_url()
    return f"{url}?{query}" if query else url


# -- Who has it ------------------------------------------------------------------------


@login_required
@may("send_texts")
@require_POST
def conversation_take_over(request, pk):
    conversation = _conversation(request, pk)
    conversations.take_over(conversation, by=request.user)
    return _answer(request, conversation)


@login_required
@may("send_texts")
@require_POST
def conversation_release(request, pk):
    conversation = _conversation(request, pk)
    try:
        conversations.release(conversation, at=now())
    except conversations.NoAgent as error:
        return _answer(request, conversation, str(error))
    return _answer(request, conversation)


@login_required
@may("send_texts")
@require_POST
def conversation_close(request, pk):
    return _answer(request, conversations.close(_conversation(request, pk), at=now()))


@login_required
@may("send_texts")
@require_POST
def conversation_reopen(request, pk):
    return _answer(request, conversations.reopen(_conversation(request, pk)))


@login_required
@may("send_texts")
@require_POST
def conversation_read(request, pk):
    """Somebody looks at it."""
    conversation = _conversation(request, pk)
    conversations.mark_read(conversation)
    return _answer(request, conversation)


# -- Order -----------------------------------------------------------------------------


@login_required
@may("send_texts")
@require_POST
def conversation_assign(request, pk):
    conversation = _conversation(request, pk)
    form = AssignForm(request.POST, conversation=conversation)
    if not form.is_valid():
        return _answer(request, conversation, _problem(form))
    try:
        conversations.assign(conversation, form.cleaned_data["user"])
    except conversations.NoMember as error:  # any more, since the form was checked
        return _answer(request, conversation, str(error))
    return _answer(request, conversation)


@login_required
@may("send_texts")
@require_POST
def conversation_labels(request, pk):
    conversation = _conversation(request, pk)
    form = LabelsForm(request.POST, conversation=conversation)
    if not form.is_valid():
        return _answer(request, conversation, _problem(form))
    conversations.set_labels(conversation, form.cleaned_data["labels"])
    return _answer(request, conversation)


@login_required
@may("send_texts")
@require_POST
def conversation_snooze(request, pk):
    conversation, form = _conversation(request, pk), SnoozeForm(request.POST)
    if not form.is_valid():
        return _answer(request, conversation, _problem(form))
    conversations.snooze(conversation, until=form.cleaned_data["until"])
    return _answer(request, conversation)


def _problem(form):
    return " ".join(words for errors in form.errors.values() for words in errors)


# -- Writing ---------------------------------------------------------------------------


@login_required
@may("send_texts")
@require_POST
def conversation_reply(request, pk):
    """Send a text; the first one while the agent has it asks whether to take over."""
    conversation = _conversation(request, pk)
    if "canned" in request.POST:
        return _fill_in(request, conversation)
    form, asks_first = ReplyForm(request.POST), False
    if form.is_valid():
        try:
            _send(conversation, by=request.user, **form.cleaned_data)
        except sending.WithAgent:
            asks_first = True
        except sending.Stopped as error:
            form.add_error("body", str(error))
        else:
            return _sent(request, conversation)
    return _reply_again(request, conversation, form, asks_first=asks_first)


def _send(conversation, *, body, takes_over, send_at, by):
    """Now, or at a time; what is sent later takes nothing over."""
    if send_at:
        sending.send_later(conversation, body=body, by=by, send_at=send_at, at=now())
    else:
        sending.reply(conversation, body=body, by=by, takes_over=takes_over, at=now())


def _fill_in(request, conversation):
    """Put a canned reply behind what is written already."""
    replies = CannedReply.objects.for_owner(request.workspace)
    chosen = get_object_or_404(replies, pk=_uuid_or_404(request.POST["canned"]))
    inbox.note_contacts(request.workspace, [conversation])
    words = inbox_words.filled_in(chosen, conversation, by=request.user)
    written = [request.POST.get("body", "").rstrip(), words]
    body = "\n".join(filter(None, written))[:MAX_TEXT_CHARACTERS]
    given = {"body": body, "send_at": request.POST.get("send_at", "")}
    form = ReplyForm(initial=given)
    return _reply_again(request, conversation, form, status=200)


def _uuid_or_404(text):
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


def _reply_again(
    request, conversation, form, *, asks_first=False, status=UNPROCESSABLE
):
    context = {"asks_first": asks_first, "query": _list_query(request)}
    context |= _writing(request, conversation, reply=form)
    if request.htmx:
        context["conversation"] = conversation
        return render(request, f"{TEMPLATE}#reply", context, status=status)
    context = _shown(request, conversation) | context
    context |= _list(request, _readable_filters(request))
    return render(request, TEMPLATE, context, status=status)


def _sent(request, conversation):
    if not request.htmx:
        return redirect(_address(request, conversation))
    conversation = _conversation(request, conversation.pk)
    context = _shown(request, conversation) | _writing(request, conversation)
    response = render(request, f"{TEMPLATE}#sent", context | {"is_sent": True})
    response["HX-Trigger"] = json.dumps({"inbox-changed": None, "text-sent": None})
    return response


@login_required
@may("send_texts")
@require_POST
def conversation_note(request, pk):
    conversation, form = _conversation(request, pk), NoteForm(request.POST)
    if not form.is_valid():
        return _answer(request, conversation, _problem(form))
    text = form.cleaned_data["note"]
    conversations.add_note(conversation, text=text, by=request.user)
    response = _answer(request, conversation)
    if request.htmx:
        told = {"inbox-changed": None, "note-added": None}
        response["HX-Trigger"] = json.dumps(told)
    return response


@login_required
@may("send_texts")
@require_POST
def message_cancel(request, pk):
    """Of what was written for later."""
    texts = Message.objects.for_owner(request.workspace)
    text = get_object_or_404(texts.select_related("conversation"), pk=pk)
    problem = "" if sending.cancel(text) else _("It is too late: it was sent.")
    return _answer(request, text.conversation, problem)


@login_required
@may("send_texts")
@require_POST
def message_repeat(request, pk):
    texts = Message.objects.for_owner(request.workspace)
    text = get_object_or_404(texts.select_related("conversation"), pk=pk)
    form, problem = RepeatForm(request.POST), ""
    if form.is_valid():
        try:
            sending.repeat(text, by=request.user, at=now(), **form.cleaned_data)
        except (sending.Stopped, sending.NotRepeatable) as error:
            problem = str(error)
    return _answer(request, text.conversation, problem)


@login_required
@require_safe
def text_medium(request, pk, number):
    """A picture or file of a text that came in, the first is 0."""
    texts = Message.objects.for_owner(request.workspace)
    text = get_object_or_404(texts.select_related("carrier_account"), pk=pk)
    try:
        return media_of(text, number)
    except CarrierError as error:
        return HttpResponse(str(error), status=502, content_type="text/plain")


@login_required
@may("send_texts")
@require_POST
def text_size(request):
    """What a text costs that is being written; its words are in no address."""
    size = size_of(ReplyForm(request.POST)["body"].value() or "")
    return render(request, "telephony/text_size.html", {"size": size})


@login_required
@may("send_texts")
@require_http_methods(["GET", "HEAD", "POST"])
def text_create(request):
    """A text to somebody, whether they have written before or not."""
    form = NewTextForm(
        request.POST or None, owner=request.workspace, initial=request.GET.dict()
    )
    if form.is_valid():
        try:
            conversation = sending.begin(
                form.cleaned_data["phone"],
                form.address,
                body=form.cleaned_data["body"],
                takes_over=not form.cleaned_data["leaves_to_agent"],
                by=request.user,
                at=now(),
            )
        except sending.Stopped as error:
            form.add_error("number", str(error))
        else:
            messages.success(request, _("The text is on its way."))
            return go_to(request, conversation.get_absolute_url())
    return render(
        request,
        "telephony/text_create.html",
        {"form": form},
        status=UNPROCESSABLE if form.is_bound else None,
    )
