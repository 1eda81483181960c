"""What a call costs: the carrier's own word, and the models' tokens by a price table.

Money is Decimal. What nobody tells is estimated and says so, or unknown; it is never
taken for nothing.
"""

import logging
from collections.abc import Iterable
from decimal import Decimal

from django.db import transaction
from django.db.models import F
from django.utils.timezone import now

from agents.chat import Meter
from agents.models import ModelPrice
from agents.prompts import PREAMBLE
from telephony import twilio
from telephony.models import AfterCall, Call, CallCost, Standing, Turn

Part = CallCost.Part

NOTHING = Decimal(0)

logger = logging.getLogger(__name__)


def record_usage(
    call: Call, meter: Meter, *, label: str = "", part: str = Part.MODEL
) -> None:
    """Add the tokens that were used for the call; nothing for a meter at rest."""
    if not meter.asked:
        return
    with transaction.atomic():
        row, _is_new = CallCost.unscoped.get_or_create(
            call=call,
            part=part,
            defaults={"owner_id": call.owner_id, "input_tokens": 0, "output_tokens": 0},
        )
        mine = CallCost.unscoped.filter(pk=row.pk)
        mine.update(
            input_tokens=F("input_tokens") + meter.input_tokens,
            output_tokens=F("output_tokens") + meter.output_tokens,
            model_label=(label or call.model_label)[:200],
            updated_at=now(),
        )
        if meter.is_estimate or meter.told < meter.asked:
            mine.update(is_estimate=True)


def work_out(call: Call) -> bool:
    """Price every part of the call; whether nothing more is to be waited for."""
    if call.answered_at is not None and not call.is_demo and call.agent_id:
        _estimate_what_was_not_told(call)
    for row in CallCost.unscoped.filter(call=call).exclude(part=Part.CARRIER):
        _price(row)
    is_told = _carrier_has_told(call)
    _sum_up(call)
    return is_told


def standing_of(call: Call, parts: Iterable[CallCost]) -> Standing:
    """Whether these are all costs of the call, and told for good."""
    after = getattr(call, "after_call", None)
    if not call.has_ended or (after is not None and after.step != AfterCall.Step.DONE):
        return Standing.WAITING
    if any(part.amount is None for part in parts):
        return Standing.INCOMPLETE
    return Standing.FINAL


def _estimate_what_was_not_told(call: Call) -> None:
    """Tokens of the conversation from its words, where the provider told not all."""
    row = CallCost.unscoped.filter(call=call, part=Part.MODEL).first()
    if row is not None and not row.is_estimate:
        return
    estimate = estimate_of(call)
    if not estimate.asked:
        return
    told = (row.input_tokens, row.output_tokens) if row else (0, 0)
    CallCost.unscoped.update_or_create(
        call=call,
        part=Part.MODEL,
        defaults={
            "owner_id": call.owner_id,
            "input_tokens": max(told[0], estimate.input_tokens),
            "output_tokens": max(told[1], estimate.output_tokens),
            "is_estimate": True,
            "model_label": call.model_label,
        },
    )


def estimate_of(call: Call) -> Meter:
    """What the conversation took: for every answer, all that was said before it."""
    meter = Meter()
    before = len(PREAMBLE) + len(call.agent.prompt_text)
    has_asked = False
    for speaker, text in (
        Turn.unscoped.filter(call=call)
        .order_by("number")
        .values_list("speaker", "text")
    ):
        if speaker == Turn.Speaker.AGENT and has_asked:
            meter.asked += 1
            meter.estimate(before, len(text))
        has_asked = has_asked or speaker == Turn.Speaker.CALLER
        before += len(text)
    return meter


def _price(row: CallCost) -> None:
    price = ModelPrice.of(row.model_label)
    if price is None:
        row.amount, row.currency = None, ""
    else:
        row.currency = price.currency
        row.amount = price.amount(
            input_tokens=row.input_tokens, output_tokens=row.output_tokens
        )
    row.save(update_fields=["amount", "currency"])


def _carrier_has_told(call: Call) -> bool:
    """Ask the carrier for its price, unless it is known or there is none."""
    if call.carrier_account_id is None or not call.sid or call.is_test:
        return True
    row = CallCost.unscoped.filter(call=call, part=Part.CARRIER).first()
    row = row or CallCost(owner_id=call.owner_id, call=call, part=Part.CARRIER)
    if row.amount is None:
        row.amount, row.currency, row.is_estimate = _carrier_price(call)
        row.save()
    return row.amount is not None


def _carrier_price(call: Call) -> tuple[Decimal | None, str, bool]:
    if call.answered_at is None:  # carriers charge for calls that were answered
        return NOTHING, "USD", True
    try:
        told = twilio.fetch_call(call.carrier_account, call.sid)
    except twilio.CarrierError as error:
        logger.warning("call %s: no price: %s", call.pk, type(error).__name__)
        return None, "", False
    return told.price, told.price_unit if told.price is not None else "", False


def _sum_up(call: Call) -> None:
    """The total of what is known; none where the parts have several currencies."""
    rows = CallCost.unscoped.filter(call=call, amount__isnull=False)
    known = list(rows.values_list("amount", "currency"))
    currencies = {currency for amount, currency in known if amount}
    currencies = currencies or {currency for _amount, currency in known}
    is_one = len(currencies) == 1
    Call.unscoped.filter(pk=call.pk).update(
        cost=sum(amount for amount, _currency in known) if is_one else None,
        currency=currencies.pop() if is_one else "",
        updated_at=now(),
    )
