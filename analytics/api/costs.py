"""The API of what was spent: by day, by agent, by number, or in all."""

from collections.abc import Iterator
from typing import Any

from rest_framework import serializers

from agents.models import MessageAgent, VoiceAgent
from analytics import costs
from analytics.api import examples
from analytics.api.base import FiguresView, told_by
from analytics.api.filters import CallFilters
from analytics.costs import Part, Spent
from analytics.figures import Question
from analytics.tallies import Tally
from telephony.models import Phone
from voiceops.api_schema import shown_as

BY = ("date", "agent", "phone", "total")
Told = tuple[dict[str, Any], Tally, Tally]


class CostFilters(CallFilters):
    by = serializers.ChoiceField(
        BY, default="date", help_text="What there is a row for, in each currency."
    )


def _amount(**more: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=20, decimal_places=6, **more)


@shown_as(answer=examples.COSTS)
class CostsSerializer(serializers.Serializer):
    date = serializers.DateField(allow_null=True, help_text="With `by=date`.")
    agent_id = serializers.UUIDField(
        allow_null=True, help_text="With `by=agent`: a voice agent or a message agent."
    )
    phone_id = serializers.UUIDField(allow_null=True, help_text="With `by=phone`.")
    name = serializers.CharField(help_text="Of the agent or number; “” for nobody.")
    currency = serializers.CharField(help_text="“” where nothing was paid.")
    amount = _amount(help_text="All parts together.")
    carrier = _amount(help_text="Of calls, as are the next ones.")
    model = _amount(help_text="Tokens of the conversation.")
    analysis = _amount(help_text="Tokens of the summary.")
    other = _amount(help_text="What came without its parts.")
    texts_carrier = _amount()
    texts_model = _amount(help_text="Tokens of answers.")
    calls = serializers.IntegerField(help_text="All, whatever they cost.")
    answered = serializers.IntegerField()
    minutes = serializers.FloatField(help_text="Talked, to a hundredth.")
    texts = serializers.IntegerField()
    average_call = _amount(
        allow_null=True, help_text="The parts of calls, by answered call."
    )
    average_minute = _amount(allow_null=True, help_text="Likewise, by minute talked.")


class CostsView(FiguresView):
    serializer_class = CostsSerializer
    filters_class = CostFilters

    @told_by(
        CostsSerializer,
        CostFilters,
        operation_id="costs",
        summary="Tell what was spent, by part",
        description="What is known by now of the costs of calls and texts, within "
        "seconds: carriers tell their prices minutes to hours later. Amounts of "
        "several currencies have a row each and no sum. With `by=date` every day is "
        "listed; else those with calls or texts, the most spend first. With "
        "`agent_id` texts are left out: they have other agents.",
    )
    def get(self, request):
        question = self.question()
        by = self.wanted["by"]
        rows = [
            self._row(named, one)
            for named, calls, texts in TELL[by](question)
            for one in costs.spent(calls, texts) or [costs.nothing(calls, texts)]
        ]
        if by in ("agent", "phone"):
            rows.sort(key=lambda row: (-row["amount"], row["name"]))
        return self.answer(CostsSerializer(rows, many=True).data)

    def _row(self, named: dict[str, Any], one: Spent) -> dict[str, Any]:
        blank = {"date": None, "agent_id": None, "phone_id": None, "name": ""}
        return {
            **blank,
            **named,
            "currency": one.currency,
            "amount": one.amount,
            **{part.value: one.of(part) for part in Part},
            "calls": one.calls,
            "answered": one.answered,
            "minutes": round(one.talk_s / 60, 2),
            "texts": one.texts,
            "average_call": one.average_call,
            "average_minute": one.average_minute,
        }


def _in_all(question: Question) -> Iterator[Told]:
    yield {}, *costs.totals(question)


def _by_date(question: Question) -> Iterator[Told]:
    for day, calls, texts in costs.by_day(question):
        yield {"date": day}, calls, texts


def _by_agent(question: Question) -> Iterator[Told]:
    names: dict[Any, str] = {}
    for model in (VoiceAgent, MessageAgent):
        rows = model.objects.for_owner(question.owner, with_deleted=True)
        names |= dict(rows.values_list("pk", "name"))
    calls, texts = costs.by_one(question, "agent", with_parts=True)
    for pk in calls.keys() | texts.keys():
        named = {"agent_id": pk, "name": names.get(pk, "")}
        yield named, calls.get(pk, {}), texts.get(pk, {})


def _by_phone(question: Question) -> Iterator[Told]:
    phones = Phone.objects.for_owner(question.owner, with_deleted=True)
    numbers = dict(phones.values_list("pk", "number"))
    calls, texts = costs.by_one(question, "phone", with_parts=True)
    for pk in calls.keys() | texts.keys():
        named = {"phone_id": pk, "name": numbers.get(pk, "")}
        yield named, calls.get(pk, {}), texts.get(pk, {})


TELL = {
    "date": _by_date,
    "agent": _by_agent,
    "phone": _by_phone,
    "total": _in_all,
}
