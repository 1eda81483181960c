"""The pages of the workspace's labels and canned replies: one each for all of them."""

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.decorators import may
from accounts.undo import offer_undo
from telephony.forms.inbox import CannedReplyForm, LabelForm
from telephony.models import CannedReply, Label
from telephony.services import inbox_words

UNPROCESSABLE = 422
# What the two kinds of page differ in.
LABELS = {
    "model": Label,
    "form": LabelForm,
    "title": _lazy("Labels"),
    "intro": _lazy("Words that conversations are sorted by."),
    "add": _lazy("Add a label"),
    "icon": "tag",
    "list_name": "telephony:inbox_label_list",
    "change_name": "telephony:inbox_label_change",
    "delete_name": "telephony:inbox_label_delete",
}
CANNED_REPLIES = {
    "model": CannedReply,
    "form": CannedReplyForm,
    "title": _lazy("Canned replies"),
    "intro": _lazy("Words that you write often, one click away below each reply."),
    "add": _lazy("Add a canned reply"),
    "icon": "message-square-quote",
    "list_name": "telephony:inbox_canned_reply_list",
    "change_name": "telephony:inbox_canned_reply_change",
    "delete_name": "telephony:inbox_canned_reply_delete",
    "placeholders": inbox_words.PLACEHOLDERS,
}
METHODS = ["GET", "HEAD", "POST"]


@login_required
@require_http_methods(METHODS)
def label_list(request):
    return _list(request, LABELS)


@login_required
@require_http_methods(METHODS)
def canned_reply_list(request):
    return _list(request, CANNED_REPLIES)


@login_required
@may("send_texts")
@require_http_methods(METHODS)
def label_change(request, pk):
    return _change(request, LABELS, pk)


@login_required
@may("send_texts")
@require_http_methods(METHODS)
def canned_reply_change(request, pk):
    return _change(request, CANNED_REPLIES, pk)


@login_required
@may("send_texts")
@require_POST
def label_delete(request, pk):
    return _delete(request, LABELS, pk)


@login_required
@may("send_texts")
@require_POST
def canned_reply_delete(request, pk):
    return _delete(request, CANNED_REPLIES, pk)


def _rows(request, kind):
    return kind["model"].objects.for_owner(request.workspace)


def _list(request, kind):
    if request.method == "POST" and not request.membership.may["send_texts"]:
        raise PermissionDenied
    form = kind["form"](request.POST or None, owner=request.workspace)
    if _saved(form):
        return redirect(kind["list_name"])
    context = {**kind, "form": form, "rows": _rows(request, kind).order_by("name")}
    status = UNPROCESSABLE if form.is_bound else None
    return render(request, "telephony/inbox_words.html", context, status=status)


def _change(request, kind, pk):
    row = get_object_or_404(_rows(request, kind), pk=pk)
    name = str(row)
    form = kind["form"](request.POST or None, owner=request.workspace, instance=row)
    if _saved(form):
        return redirect(kind["list_name"])
    context = {**kind, "form": form, "row": row, "name": name}
    status = UNPROCESSABLE if form.is_bound else None
    return render(request, "telephony/inbox_words_change.html", context, status=status)


def _saved(form):
    if not form.is_valid():
        return False
    try:
        inbox_words.save(form.instance)
    except (inbox_words.NameTaken, inbox_words.TooMany) as error:
        form.add_error("name", str(error))
        return False
    return True


def _delete(request, kind, pk):
    row = get_object_or_404(_rows(request, kind), pk=pk)
    inbox_words.delete(row)
    offer_undo(request, row, _("“%(name)s” is deleted.") % {"name": row})
    return redirect(kind["list_name"])
