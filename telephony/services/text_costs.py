"""What texts cost: the carrier's price, and the model's tokens of an answer.

The tokens belong to the answer's first piece; those that led to none belong to the text
that was to be answered.
"""

from collections.abc import Iterable
from decimal import Decimal

from django.db import transaction
from django.db.models import F
from django.utils.timezone import now

from agents.chat import Meter
from agents.models import ModelPrice
from telephony.models import Message, TextCost

Money = tuple[Decimal, str]


def record_usage(asked: Message, meter: Meter, *, label: str) -> None:
    """Add the tokens that were used to answer a text; nothing for a meter at rest."""
    if not meter.asked:
        return
    with transaction.atomic():
        row, _is_new = TextCost.unscoped.get_or_create(
            asked=asked, defaults={"owner_id": asked.owner_id}
        )
        TextCost.unscoped.filter(pk=row.pk).update(
            input_tokens=F("input_tokens") + meter.input_tokens,
            output_tokens=F("output_tokens") + meter.output_tokens,
            model_label=label[:200],
            is_estimate=row.is_estimate or meter.is_estimate,
            updated_at=now(),
        )
        row.refresh_from_db()
        if price := ModelPrice.of(row.model_label):
            row.currency = price.currency
            row.amount = price.amount(
                input_tokens=row.input_tokens, output_tokens=row.output_tokens
            )
            row.save(update_fields=["amount", "currency"])


def cost_of(message: Message, told: Iterable[Money] = ()) -> dict:
    """The fields of a message's cost, with the carrier's price if it is told: the total
    of what is known; none where the parts have several currencies.
    """
    known = [*told, *_of_model(message)]
    currencies = {currency for amount, currency in known if amount}
    currencies = currencies or {currency for _amount, currency in known}
    if len(currencies) != 1:
        return {"cost": None, "currency": ""}
    total = sum((amount for amount, _currency in known), Decimal(0))
    return {"cost": total, "currency": currencies.pop()}


def _of_model(message: Message) -> list[Money]:
    asked_id = message.answers_id
    if message.is_incoming:
        is_answered = Message.unscoped.filter(answers=message).exists()
        asked_id = None if is_answered else message.pk
    if asked_id is None or message.part:
        return []
    rows = TextCost.unscoped.filter(asked=asked_id, amount__isnull=False)
    return list(rows.values_list("amount", "currency"))
