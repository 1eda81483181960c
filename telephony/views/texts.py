"""Writing texts and notes, and what can be done about each text."""

import json
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from accounts.decorators import may
from agents.segments import MAX_TEXT_CHARACTERS, size_of
from telephony.forms.inbox import NewTextForm, NoteForm, RepeatForm, ReplyForm
from telephony.media import media_of
from telephony.models import CannedReply, Message
from telephony.services import conversations, inbox, inbox_words, sending
from telephony.twilio import CarrierError
from telephony.views.inbox import (
    TEMPLATE,
    UNPROCESSABLE,
    address_of,
    answer,
    conversation_of,
    list_beside,
    list_query,
    problem_of,
    readable_filters,
    shown,
    writing,
)
from voiceops.htmx import go_to


@login_required
@may("send_texts")
@require_POST
def conversation_reply(request, pk):
    """Send a text; the first one while the agent has it asks whether to take over."""
    conversation = conversation_of(request, pk)
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
    context = {"asks_first": asks_first, "query": list_query(request)}
    context |= writing(request, conversation, reply=form)
    if request.htmx:
        context["conversation"] = conversation
        return render(request, f"{TEMPLATE}#reply", context, status=status)
    context = shown(request, conversation) | context
    context |= list_beside(request, readable_filters(request))
    return render(request, TEMPLATE, context, status=status)


def _sent(request, conversation):
    if not request.htmx:
        return redirect(address_of(request, conversation))
    conversation = conversation_of(request, conversation.pk)
    context = shown(request, conversation) | writing(request, conversation)
    response = render(request, f"{TEMPLATE}#sent", context | {"is_sent": True})
    response["HX-Trigger"] = json.dumps({"inbox-changed": None, "text-sent": None})
    return response


@login_required
@may("send_texts")
@require_POST
def conversation_note(request, pk):
    conversation, form = conversation_of(request, pk), NoteForm(request.POST)
    if not form.is_valid():
        return answer(request, conversation, problem_of(form))
    text = form.cleaned_data["note"]
    conversations.add_note(conversation, text=text, by=request.user)
    response = answer(request, conversation)
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
    return answer(request, text.conversation, problem)


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
    return answer(request, text.conversation, problem)


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
