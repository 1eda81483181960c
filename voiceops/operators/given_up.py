"""What was given up, of every kind in one list: why, and another try where one is safe.

Each kind is the newest rows of a partial index, so the page costs the same however many
rows there are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError

from accounts import failed_tasks
from accounts.models import FailedTask
from accounts.operators import for_superusers, page
from hooks import services as hooks
from hooks.models import Delivery
from telephony.models import AfterCall, CarrierRemoval, Message
from telephony.services import after_call, removals

MOST_SHOWN = 50  # of a kind


@dataclass(frozen=True)
class Kind:
    """`tell` says what became of a row; `again`, if there is one, tries once more."""

    title: str
    note: str
    rows: Callable[[], Any]
    tell: Callable[[Any], str]
    again: Callable[[Any], bool] | None = None


@dataclass(frozen=True)
class Entry:
    """A row that was given up, as the page shows it."""

    pk: str
    at: datetime
    owner: Any
    words: str
    url: str
    is_repeatable: bool


def _dead_deliveries():
    dead = Delivery.unscoped.filter(status="dead")
    return dead.select_related("owner", "endpoint").order_by("-pk")


def _failed_analyses():
    failed = AfterCall.unscoped.filter(analysis="failed")
    return failed.select_related("owner", "call").order_by("-pk")


def _refused_removals():
    refused = CarrierRemoval.unscoped.filter(status="refused")
    return refused.select_related("owner").order_by("-pk")


def _texts():
    # The condition of its index, in its words; what came in has other states.
    given_up = Message.unscoped.filter(status__in=["failed", "unknown"])
    return given_up.select_related("owner").order_by("-pk")


def _tasks():
    return FailedTask.objects.order_by("-last_at")


def _tell_task(row: FailedTask) -> str:
    told = {"name": row.name, "error": row.error, "count": row.count, "ids": row.ids}
    return _("%(name)s %(ids)s: %(error)s, %(count)d times") % told


def _send_task(row: FailedTask) -> bool:
    try:
        return failed_tasks.send_again(row)
    except OperationalError:
        return False


def _tell_text(row: Message) -> str:
    code = f" ({row.error_code})" if row.error_code else ""
    return f"{row.get_status_display()}: {row.error_detail or '–'}{code}"


KINDS = {
    "task": Kind(
        gettext_lazy("Tasks that raised an error"),
        gettext_lazy(
            "Most find their work again by themselves: what is due stands in rows."
        ),
        _tasks,
        _tell_task,
        _send_task,
    ),
    "delivery": Kind(
        gettext_lazy("Webhook deliveries"),
        gettext_lazy("Their receivers did not take them in eight tries."),
        _dead_deliveries,
        lambda row: f"{row.event} → {row.endpoint}: {row.error}",
        hooks.replay,
    ),
    "analysis": Kind(
        gettext_lazy("Analyses of calls"),
        gettext_lazy("The language model failed every time."),
        _failed_analyses,
        lambda row: row.error,
        lambda row: after_call.analyze_again(row.call),
    ),
    "removal": Kind(
        gettext_lazy("Deletions at the carrier"),
        gettext_lazy("It has refused each eight times: what was said is still there."),
        _refused_removals,
        lambda row: f"{row.get_kind_display()} {row.sid}: {row.error}",
        removals.again,
    ),
    "text": Kind(
        gettext_lazy("Texts"),
        gettext_lazy(
            "Sent again by the people of the workspace alone, in their inbox: some may "
            "have arrived, and none should come hours late."
        ),
        _texts,
        _tell_text,
    ),
}


def _entry(kind: Kind, row) -> Entry:
    is_task = isinstance(row, FailedTask)
    meta = row._meta
    name = f"admin:{meta.app_label}_{meta.model_name}_change"
    return Entry(
        pk=str(row.pk),
        at=row.last_at if is_task else row.updated_at,
        owner=None if is_task else row.owner,
        words=kind.tell(row),
        url=reverse(name, args=[row.pk]),
        is_repeatable=kind.again is not None and getattr(row, "is_repeatable", True),
    )


@require_safe
@for_superusers
def given_up(request):
    lists = [
        (key, kind, [_entry(kind, row) for row in kind.rows()[:MOST_SHOWN]])
        for key, kind in KINDS.items()
    ]
    return page(request, "admin/given_up.html", _("Given up"), lists=lists)


@require_POST
@for_superusers
def again(request, kind, pk):
    """Try it once more; what is not given up any more is left alone."""
    known = KINDS.get(kind)
    if known is None or known.again is None:
        raise Http404
    try:
        row = known.rows().filter(pk=pk).first()
    except (ValueError, ValidationError):
        row = None
    try:
        is_tried = row is not None and known.again(row)
    except hooks.Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("given_up")
    if is_tried:
        messages.success(request, _("It is tried again."))
    else:
        messages.error(request, _("It cannot be tried again, or is not given up."))
    return redirect("given_up")
