"""What texts cost: the carrier's price, and the model's tokens of an answer.

The tokens belong to the answer's first piece; those that led to none belong to the text
that was to be answered.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet, Sum
from django.utils.timezone import now

from agents.chat import Meter
from agents.models import ModelPrice
from telephony.models import Conversation, Message, TextCost

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


def with_model(texts: QuerySet[Message]) -> Iterator[tuple[QuerySet[Message], str]]:
    """Those of these texts that have the model's tokens in their cost, and where that
    part of it stands: as `_of_model` says.
    """
    is_answered = Exists(Message.unscoped.filter(answers=OuterRef("pk")))
    incoming = {"direction": Message.Direction.INCOMING}
    for rows, cost in (
        (texts.filter(part=0), "answers__model_cost"),
        (texts.filter(~is_answered, **incoming), "model_cost"),
    ):
        known = {f"{cost}__amount__isnull": False, f"{cost}__currency": F("currency")}
        yield rows.filter(**known), f"{cost}__amount"


@dataclass(frozen=True)
class Costs:
    """What a conversation has cost in one currency, as far as it is known."""

    currency: str
    amount: Decimal
    model: Decimal

    @property
    def carrier(self) -> Decimal:
        return self.amount - self.model


def of_conversation(conversation: Conversation) -> list[Costs]:
    texts = Message.unscoped.filter(conversation=conversation, cost__isnull=False)
    totals = texts.values_list("currency").annotate(Sum("cost")).order_by("currency")
    tokens = TextCost.unscoped.filter(
        asked__conversation=conversation, amount__isnull=False
    )
    of_models = dict(tokens.values_list("currency").annotate(Sum("amount")).order_by())
    return [
        Costs(currency, amount, min(amount, of_models.get(currency, Decimal(0))))
        for currency, amount in totals
    ]


def are_final(conversation: Conversation) -> bool:
    """Whether the carrier is asked about no text of it any more."""
    looked_at = Message.unscoped.filter(look_at__isnull=False)
    return not looked_at.filter(conversation=conversation).exists()
