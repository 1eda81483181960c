"""What a call costs, by the carrier's own word and by the tokens of models."""

from datetime import date, timedelta
from decimal import Decimal
from importlib import import_module

import pytest
from django.utils import timezone

from agents.chat import Meter
from agents.models import ModelPrice
from telephony import tasks, twilio
from telephony.models import AfterCall, CallCost
from telephony.services import after_call, costs
from telephony.tests import test_tasks
from telephony.tests.calls import make_agent, make_call, make_turn
from telephony.tests.test_tasks import place_call
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

number_there = test_tasks.number  # a number of the pocket carrier's
LABEL = "m at models.example"


@pytest.fixture
def price():
    return ModelPrice.objects.create(
        model="m",
        host="models.example",
        input_per_million=Decimal("2.5"),
        output_per_million=10,
        as_of=date(2026, 1, 1),
    )


def talked_call(owner, **fields):
    long_ago = timezone.now() - timedelta(minutes=10)
    agent = make_agent(owner, "Priced", instructions="x" * 400)
    call = make_call(owner, long_ago, agent=agent, model_label=LABEL, **fields)
    make_turn(call, 1, "Hello?", speaker="agent")
    make_turn(call, 2, "I am Ada. " * 10)
    make_turn(call, 3, "Nice. " * 10, speaker="agent")
    return call


def parts(call):
    rows = CallCost.unscoped.filter(call=call).order_by("part")
    return {row.part: (row.amount, row.currency, row.is_estimate) for row in rows}


def total(call):
    call.refresh_from_db()
    return call.cost, call.currency


def metered(**tokens):
    return Meter(asked=1, told=1, **tokens)


def test_tokens_that_the_provider_told_are_priced_by_the_table(alice, price):
    call = talked_call(alice.workspace)
    costs.record_usage(call, metered(input_tokens=1000, output_tokens=20))
    costs.record_usage(call, metered(input_tokens=2000, output_tokens=30))
    costs.record_usage(
        call, metered(input_tokens=400, output_tokens=0), label=LABEL, part="analysis"
    )

    assert costs.work_out(call)

    assert parts(call) == {
        "model": (Decimal("0.008"), "USD", False),
        "analysis": (Decimal("0.001"), "USD", False),
    }
    assert total(call) == (Decimal("0.009"), "USD")


def test_tokens_that_nobody_told_are_estimated_and_say_so(alice, price):
    call = talked_call(alice.workspace)

    costs.work_out(call)
    costs.work_out(call)

    amount, currency, is_estimate = parts(call)["model"]
    row = CallCost.unscoped.get(call=call)
    assert row.input_tokens > (400 + 100) / 4
    assert row.output_tokens == 15
    assert (amount > 0, currency, is_estimate) == (True, "USD", True)


def test_part_of_the_answers_told_is_an_estimate(alice, price):
    call = talked_call(alice.workspace)
    costs.record_usage(call, Meter(asked=2, told=1, input_tokens=9000))

    costs.work_out(call)

    row = CallCost.unscoped.get(call=call)
    assert (row.is_estimate, row.input_tokens, row.output_tokens) == (True, 9000, 15)


def test_unknown_model_costs_nobody_knows_what(alice):
    call = talked_call(alice.workspace)
    costs.record_usage(call, metered(input_tokens=1000))

    costs.work_out(call)

    assert parts(call) == {"model": (None, "", False)}
    assert total(call) == (None, "")


def test_demo_and_test_calls_cost_nothing_at_all(alice):
    demo = talked_call(alice.workspace, is_demo=True, is_test=True, sid="CA1")

    assert costs.work_out(demo)

    assert parts(demo) == {}


def test_parts_in_several_currencies_have_no_total(alice, price):
    call = talked_call(alice.workspace)
    costs.record_usage(call, metered(input_tokens=1000))
    CallCost.unscoped.create(
        owner=alice.workspace, call=call, part="carrier", amount=1, currency="EUR"
    )

    costs.work_out(call)

    assert total(call) == (None, "")


@pytest.mark.parametrize(
    ("told", "amount"),
    [
        ("-0.00850", Decimal("0.0085")),
        ("0.00000", Decimal(0)),
        (None, None),
        ("", None),
        ("free", None),
        ("NaN", None),
    ],
)
def test_price_of_the_carrier_is_negative_text_or_nothing(told, amount):
    assert twilio.price_in(told) == amount


def test_carrier_is_asked_until_it_has_a_price(carrier, number_there):
    number = number_there
    sid = place_call(carrier, number)
    twilio.end_call(number.account, sid)
    wait_until(
        lambda: twilio.fetch_call(number.account, sid).status == "completed", 10, "end"
    )
    call = talked_call(
        number.phone.owner,
        is_demo=True,
        sid=sid,
        phone=number.phone,
        carrier_account=number.account,
    )
    after_call.begin(call)
    tasks.follow_up_calls()
    row = AfterCall.unscoped.get(call=call)
    first = (row.step, row.attempts, row.claimed_until, row.next_try_at is not None)
    wait_until(
        lambda: twilio.fetch_call(number.account, sid).price is not None, 10, "price"
    )

    AfterCall.unscoped.update(next_try_at=timezone.now())
    tasks.follow_up_calls()

    assert first == ("pricing", 1, None, True)
    assert parts(call) == {"carrier": (Decimal("0.0085"), "USD", False)}
    assert total(call) == (Decimal("0.0085"), "USD")
    row.refresh_from_db()
    assert (row.step, row.next_try_at) == ("done", None)


def test_carrier_that_never_tells_is_given_up_after_a_day(number, settings):
    settings.TWILIO_API_BASE_URL = "http://127.0.0.1:9"
    call = talked_call(
        number.phone.owner, is_demo=True, sid="CA1", carrier_account=number.account
    )
    after_call.begin(call)
    waited = timedelta()
    for _try in range(20):
        tasks.follow_up_calls()
        row = AfterCall.unscoped.get(call=call)
        if row.next_try_at is None:
            break
        waited += row.next_try_at - timezone.now()
        AfterCall.unscoped.update(next_try_at=timezone.now())

    assert row.step == "done"
    assert timedelta(hours=20) < waited < timedelta(hours=26)
    assert parts(call) == {"carrier": (None, "", False)}
    assert total(call) == (None, "")


def test_call_that_nobody_answered_costs_nothing_at_the_carrier(number, settings):
    settings.TWILIO_API_BASE_URL = "http://127.0.0.1:9"  # nobody is asked
    call = make_call(
        number.phone.owner,
        answered_at=None,
        status="busy",
        sid="CA1",
        carrier_account=number.account,
    )

    assert costs.work_out(call)

    assert parts(call) == {"carrier": (Decimal(0), "USD", True)}


def test_analysis_is_metered_too(alice, stub_llm, settings):
    settings.LLM_BASE_URL, settings.LLM_API_KEY = stub_llm.base_url, "key"
    stub_llm.configure(usage=True)
    call = talked_call(alice.workspace)
    after_call.begin(call)

    tasks.follow_up_calls()

    row = CallCost.unscoped.get(call=call, part="analysis")
    assert (row.input_tokens > 100, row.output_tokens > 0) == (True, True)
    assert not row.is_estimate
    assert row.model_label.startswith("gpt-4o-mini at 127.0.0.1")
    assert AfterCall.unscoped.get(call=call).step == "done"


def test_turn_by_turn_conversation_is_metered(number, stub_llm, settings):
    settings.LLM_BASE_URL, settings.LLM_API_KEY = stub_llm.base_url, "key"
    stub_llm.configure(usage=True)
    number.agent.transport = "gather"
    number.agent.save()
    call = number.ring()[1]

    for after, words in ((1, "Hello?"), (3, "And on Sunday?")):
        number.post(
            f"/webhooks/twilio/calls/{call.pk}/gather?after={after}",
            number.of_call(call, SpeechResult=words),
        )

    row = CallCost.unscoped.get(call=call, part="model")
    told = [request["stream_options"] for request in stub_llm.requests]
    assert told == [{"include_usage": True}] * 2
    assert row.input_tokens > 20
    assert not row.is_estimate


# -- Pages, API and operators ----------------------------------------------------------


def test_page_and_api_show_the_cost_and_its_parts(alice, price):
    call = talked_call(alice.workspace)
    costs.record_usage(call, metered(input_tokens=1000, output_tokens=20))
    CallCost.unscoped.create(
        owner=alice.workspace,
        call=call,
        part="carrier",
        amount=Decimal("0.0085"),
        currency="USD",
    )
    costs.work_out(call)

    page = alice.client.get(call.get_absolute_url()).content.decode()
    told = alice.api("GET", f"/api/calls/{call.pk}").json()
    listed = alice.api("GET", "/api/calls").json()["results"][0]

    assert "0.0112 USD" in page
    assert (told["cost"], told["currency"]) == ("0.011200", "USD")
    assert (listed["cost"], listed["currency"]) == ("0.011200", "USD")
    by_part = {row["part"]: row["amount"] for row in told["costs"]}
    assert by_part == {"carrier": "0.008500", "model": "0.002700"}


def test_page_and_api_tell_whether_the_cost_is_final(alice, price):
    call = talked_call(alice.workspace, duration_s=30)
    row = AfterCall.unscoped.create(
        owner=alice.workspace, call=call, step="pricing", analysis="done"
    )
    costs.record_usage(call, metered(input_tokens=1000, output_tokens=20))
    costs.work_out(call)

    def told():
        page = alice.client.get(call.get_absolute_url()).content.decode()
        answer = alice.api("GET", f"/api/calls/{call.pk}").json()
        words = {"Not final", "Incomplete", "Final"}
        return answer["cost_standing"], {word for word in words if f"{word}\n" in page}

    assert told() == ("waiting", {"Not final"})
    AfterCall.unscoped.filter(pk=row.pk).update(step="done")
    assert told() == ("final", {"Final"})
    CallCost.unscoped.update(amount=None)
    assert told() == ("incomplete", {"Incomplete"})


def test_unknown_part_is_shown_as_unknown(alice):
    call = talked_call(alice.workspace)
    costs.record_usage(call, metered(input_tokens=1000))
    costs.work_out(call)

    page = alice.client.get(call.get_absolute_url()).content.decode()
    told = alice.api("GET", f"/api/calls/{call.pk}").json()

    assert "unknown" in page
    assert (told["cost"], told["currency"]) == (None, "")
    assert told["costs"][0]["amount"] is None


def test_shipped_prices_say_of_when_they_are():
    shipped = import_module("agents.migrations.0008_costs")

    assert shipped.AS_OF.year >= 2025
    assert set(shipped.PRICES) >= {"gpt-4o-mini", "gpt-4.1-mini"}
