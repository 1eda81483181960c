"""The inbox: conversations by text, and what people do in them.

The list, the texts and the state of a conversation are fragments of their own: what has
changed is fetched around what somebody is writing.
"""

import json
from hashlib import sha256
from urllib.parse import urlencode, urlsplit

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
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
from agents.segments import size_of
from telephony.forms.inbox import (
    TABS,
    InboxFilterForm,
    NewTextForm,
    RepeatForm,
    ReplyForm,
    TextsForm,
)
from telephony.media import media_of
from telephony.models import Conversation, Message
from telephony.services import conversations, inbox, sending
from telephony.twilio import CarrierError
from voiceops.htmx import full_or_partial, go_to

UNPROCESSABLE = 422
TEMPLATE = "telephony/inbox.html"


# -- The list --------------------------------------------------------------------------


@login_required
@require_safe
@vary_on_headers("HX-Request")
def inbox_list(request):
    form = InboxFilterForm(request.GET)
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
    told = [str(tab["count"]) for tab in context["tabs"]]
    for row in context["rows"]:
        last = row.last_message
        told += map(str, (row.pk, row.updated_at, row.unread_count, row.contact))
        told += [last.status] if last else []
    return sha256("|".join(told).encode()).hexdigest()[:16]


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
    context = _shown(request, conversation) | {"reply": ReplyForm()}
    template = full_or_partial(request, TEMPLATE, "conversation")
    if template == TEMPLATE:
        form = InboxFilterForm(request.GET)
        if not form.is_valid():  # what is wrong with the list the list says
            form = InboxFilterForm({})
            form.full_clean()
        context |= _list(request, form)
    return render(request, template, context)


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
    form = TextsForm(request.GET)
    inbox.note_contacts(request.workspace, [conversation])
    page = inbox.texts_of(
        conversation, before=form.place["texts_before"], after=form.place["texts_after"]
    )
    context = {
        "conversation": conversation,
        "query": _list_query(request),
        "place": urlencode({name: at for name, at in form.place.items() if at}),
        "texts": page.rows,
        "earlier": page.older,
        "later": page.newer,
        "agent": conversations.agent_of(conversation),
        "no_texts": conversations.why_no_texts(conversation),
    }
    return context | {"seen": _stamp(context)}


def _stamp(shown):
    """Another one whenever the page would show something else."""
    conversation, texts = shown["conversation"], shown["texts"]
    written = max(row.updated_at for row in (conversation, *texts)).timestamp()
    told = (
        conversation.unread_count,
        len(texts),
        shown["agent"],
        shown["no_texts"],
        conversation.contact,
    )
    return "-".join([str(written), *(str(getattr(one, "pk", one)) for one in told)])


def _conversation(request, pk):
    rows = Conversation.objects.for_owner(request.workspace)
    return get_object_or_404(rows.select_related("phone", "owner"), pk=pk)


def _answer(request, conversation, problem="", **context):
    """The conversation as it is now, beside what is being written in it."""
    if not request.htmx:
        if problem:
            messages.error(request, problem)
        return redirect(_address(request, conversation))
    context |= _shown(request, _conversation(request, conversation.pk))
    response = render(request, f"{TEMPLATE}#update", context)
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
    return _answer(request, conversations.take_over(_conversation(request, pk)))


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


# -- Writing ---------------------------------------------------------------------------


@login_required
@may("send_texts")
@require_POST
def conversation_reply(request, pk):
    """Send a text; the first one while the agent has it asks whether to take over."""
    conversation, form = _conversation(request, pk), ReplyForm(request.POST)
    asks_first = False
    if form.is_valid():
        try:
            sending.reply(conversation, by=request.user, at=now(), **form.cleaned_data)
        except sending.WithAgent:
            asks_first = True
        except sending.Stopped as error:
            form.add_error("body", str(error))
        else:
            return _sent(request, conversation)
    context = {"conversation": conversation, "reply": form, "asks_first": asks_first}
    if request.htmx:
        context["query"] = _list_query(request)
        template = f"{TEMPLATE}#reply"
        return render(request, template, context, status=UNPROCESSABLE)
    context = _shown(request, conversation) | context
    filters = InboxFilterForm({})
    filters.full_clean()
    context |= _list(request, filters)
    return render(request, TEMPLATE, context, status=UNPROCESSABLE)


def _sent(request, conversation):
    if not request.htmx:
        return redirect(_address(request, conversation))
    context = _shown(request, _conversation(request, conversation.pk))
    context |= {"reply": ReplyForm(), "is_sent": True}
    response = render(request, f"{TEMPLATE}#sent", context)
    response["HX-Trigger"] = json.dumps({"inbox-changed": None, "text-sent": None})
    return response


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
