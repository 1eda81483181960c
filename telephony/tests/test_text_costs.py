"""What texts cost: the carrier's price, and the model's tokens of an answer."""

from decimal import Decimal

import pytest
from django.utils.timezone import now

from accounts.models import Membership
from agents import services
from agents.models import MessageAgent, ModelPrice
from telephony import twilio
from telephony.models import Conversation, Message, TextCost
from telephony.services import lost_texts, text_costs
from telephony.tests.texting import (
    answer_due,
    make_texting_number,
    text_in,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def model(stub_llm, settings):
    settings.LLM_BASE_URL, settings.LLM_API_KEY = stub_llm.base_url, "key"
    stub_llm.configure(usage=True)
    return stub_llm


def price(number, currency="USD"):
    label = services.provider_of(number.phone.owner, "echo").label
    name, _at, host = label.rpartition(" at ")
    return ModelPrice.objects.create(
        model=name,
        host=host,
        input_per_million=Decimal(1_000),
        output_per_million=Decimal(2_000),
        currency=currency,
        as_of="2026-01-01",
    )


def of_model():
    row = TextCost.unscoped.get()
    return row.input_tokens * Decimal("0.001") + row.output_tokens * Decimal("0.002")


def test_tokens_of_an_answer_are_part_of_its_cost(model):
    number = make_texting_number()
    price(number)
    text_in(number, "Are you open?")

    answer_due()

    row, answer = TextCost.unscoped.get(), Message.unscoped.get(sent_by="agent")
    assert (row.asked, row.owner) == (answer.answers, number.phone.owner)
    assert row.input_tokens > 20
    assert row.output_tokens > 0
    assert (row.is_estimate, row.amount) == (False, of_model())
    assert (answer.cost, answer.currency) == (of_model(), "USD")


def test_tokens_of_which_nothing_is_told_are_estimated(model):
    model.configure(usage=False)
    number = make_texting_number()
    text_in(number, "Are you open?")

    answer_due()

    row, answer = TextCost.unscoped.get(), Message.unscoped.get(sent_by="agent")
    assert row.is_estimate
    assert row.input_tokens > 20
    assert (row.amount, answer.cost) == (None, None)  # the model has no price


def test_tokens_of_failed_tries_count_too(model):
    number = make_texting_number(model="fault-cut")
    text_in(number, "Are you open?")
    answer_due()
    before = TextCost.unscoped.get().input_tokens

    MessageAgent.unscoped.update(model="echo")
    answer_due()

    assert TextCost.unscoped.get().input_tokens > before > 0


@pytest.mark.parametrize(("currency", "is_one_sum"), [("USD", True), ("EUR", False)])
def test_price_of_the_carrier_is_added_where_it_is_the_same_money(
    model, monkeypatch, currency, is_one_sum
):
    number = make_texting_number()
    price(number, currency)
    text_in(number, "Are you open?")
    answer_due()
    told = twilio.CarrierMessage(
        sid="SM1",
        status="delivered",
        error_code=None,
        body="",
        created_at=now(),
        price=Decimal("0.0079"),
        price_unit="USD",
    )
    monkeypatch.setattr(twilio, "fetch_message", lambda *asked: told)
    text, answer = Message.unscoped.order_by("pk")
    Message.unscoped.filter(pk=answer.pk).update(sid="SM1", status="asking")
    Message.unscoped.update(look_at=now(), asked_at=now())

    for _ in range(2):  # repeating is safe
        lost_texts.look(now())
        Message.unscoped.update(look_at=now())

    for message in (text, answer):
        message.refresh_from_db()
    total = (of_model() + told.price, "USD") if is_one_sum else (None, "")
    assert (answer.cost, answer.currency) == total
    assert (text.cost, text.currency) == (told.price, "USD")


def test_conversation_tells_its_costs_by_part(alice, model):
    number = make_texting_number()
    Membership.objects.filter(user=alice.user).update(workspace=number.phone.owner)
    price(number)
    text_in(number, "Are you open?")
    answer_due()
    conversation = Conversation.unscoped.get()
    page = alice.client.get(conversation.get_absolute_url()).content.decode()
    assert "Total of what is known" in page  # the carrier is still asked

    Message.unscoped.update(cost=Decimal("0.01"), currency="USD", look_at=None)

    (cost,) = text_costs.of_conversation(conversation)
    assert (cost.amount, cost.model) == (Decimal("0.02"), min(of_model(), cost.amount))
    page = alice.client.get(conversation.get_absolute_url()).content.decode()
    assert "0.02 USD" in page
    assert "Total of what is known" not in page
    told = alice.api("GET", f"/api/messages/conversations/{conversation.pk}").json()
    assert [(one["currency"], one["amount"]) for one in told["costs"]] == [
        ("USD", "0.020000")
    ]
