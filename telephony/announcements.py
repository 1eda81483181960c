"""Telling a workspace's webhooks of its calls and texts, in the words of the API."""

import json

from rest_framework.renderers import JSONRenderer

from hooks import services as hooks
from hooks.models import Event
from telephony import live
from telephony.models import AfterCall, BudgetNotice, Call, Message


def call_data(call_id) -> dict:
    """One call as `GET /api/calls/{id}` shows it at this moment."""
    from telephony.api.calls import CallDetailSerializer  # imports the services

    call = Call.unscoped.select_related("after_call").get(pk=call_id)
    return json.loads(JSONRenderer().render(CallDetailSerializer(call).data))


def started(call: Call) -> None:
    """The call was answered. Repeating is safe."""
    hooks.announce(
        owner_id=call.owner_id,
        event=Event.CALL_STARTED,
        call_id=call.pk,
        data=lambda: call_data(call.pk),
        at=call.answered_at or call.started_at,
    )


def ended(call: Call) -> None:
    """The call is over and all is told about it. Repeating is safe."""
    if call.answered_at is not None:  # its first telling may have been lost
        started(call)
    hooks.announce(
        owner_id=call.owner_id,
        event=Event.CALL_ENDED,
        call_id=call.pk,
        data=lambda: call_data(call.pk),
        at=call.ended_at,
    )


def analyzed(row: AfterCall) -> None:
    """The analysis is final, whatever came of it. Repeating is safe."""
    hooks.announce(
        owner_id=row.owner_id,
        event=Event.CALL_ANALYZED,
        call_id=row.call_id,
        edition=row.edition,
        data=lambda: call_data(row.call_id),
        at=row.analyzed_at,
    )


def message_data(message_id) -> dict:
    """One text as `GET /api/messages` shows it at this moment."""
    from telephony.api.messages import MessageSerializer  # imports the services

    message = Message.unscoped.select_related("user").get(pk=message_id)
    return json.loads(JSONRenderer().render(MessageSerializer(message).data))


def text_received(message: Message) -> None:
    """A text came in. Repeating is safe."""
    live.text_changed(message)
    _tell_of(message, Event.MESSAGE_RECEIVED)


def text_moved(message: Message) -> None:
    """A text of ours has a new status: tell where that is news. Repeating is safe."""
    live.text_changed(message)
    if message.status in Message.ARRIVED:
        _tell_of(message, Event.MESSAGE_SENT)
    elif message.status in Message.NOT_SENT:
        _tell_of(message, Event.MESSAGE_FAILED)


def _tell_of(message: Message, event: Event) -> None:
    hooks.announce(
        owner_id=message.owner_id,
        event=event,
        text_id=message.pk,
        data=lambda: message_data(message.pk),
        at=message.updated_at,
    )


def budget(notice: BudgetNotice) -> None:
    """The month's spend has come to a threshold. Once: `notice` is new."""
    is_reached = notice.event == BudgetNotice.Event.REACHED
    data = {
        "month": notice.month.isoformat(),
        "amount": f"{notice.amount:.2f}",
        "currency": notice.currency,
        "threshold": f"{notice.threshold:.2f}",
        "spent": f"{notice.spent:.6f}",
        "stops_outgoing": notice.stops_outgoing,
    }
    hooks.announce(
        owner_id=notice.owner_id,
        event=Event.BUDGET_REACHED if is_reached else Event.BUDGET_WARNING,
        data=lambda: data,
        at=notice.created_at,
    )
