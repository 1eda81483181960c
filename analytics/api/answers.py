"""The rows that are told, and how they are made of tallies."""

from typing import Any

from rest_framework import serializers

from analytics import figures
from analytics.api import examples
from analytics.tallies import Tally
from voiceops.api_schema import shown_as


class MoneySerializer(serializers.Serializer):
    currency = serializers.CharField()
    amount = serializers.DecimalField(max_digits=20, decimal_places=6)


class Costs(serializers.Serializer):
    """What is known of the costs by now."""

    cost = serializers.DecimalField(
        max_digits=20,
        decimal_places=6,
        allow_null=True,
        help_text="Null where `costs` has several currencies, which have no sum.",
    )
    currency = serializers.CharField(help_text="“” where nothing was paid.")
    costs = MoneySerializer(many=True)

    def get_fields(self):
        """Last, whatever else is told."""
        fields = super().get_fields()
        own = {name: fields.pop(name) for name in ("cost", "currency", "costs")}
        return fields | own


@shown_as(answer=examples.CALLS_OF_A_DAY)
class CallsOfDaySerializer(Costs):
    date = serializers.DateField()
    total = serializers.IntegerField()
    answered = serializers.IntegerField()
    failed = serializers.IntegerField(help_text="Those with the status `failed`.")
    minutes = serializers.FloatField(help_text="Talked, to a hundredth.")


@shown_as(answer=examples.CALLS_OF_AN_HOUR)
class CallsOfHourSerializer(serializers.Serializer):
    hour = serializers.IntegerField(min_value=0, max_value=23)
    total = serializers.IntegerField()
    answered = serializers.IntegerField()


@shown_as(answer=examples.CALLS_OF_AN_AGENT)
class CallsOfAgentSerializer(Costs):
    agent_id = serializers.UUIDField()
    name = serializers.CharField()
    total = serializers.IntegerField()
    incoming = serializers.IntegerField()
    outgoing = serializers.IntegerField()
    answered = serializers.IntegerField()
    answer_rate = serializers.FloatField(
        allow_null=True, help_text="From 0 to 1; null where there was no call."
    )
    average_duration_s = serializers.IntegerField(
        allow_null=True, help_text="Of the answered calls."
    )
    minutes = serializers.FloatField(help_text="Talked, to a hundredth.")
    last_call_at = serializers.DateTimeField(
        allow_null=True, help_text="When the last of these calls has started."
    )
    reply_p50_ms = serializers.IntegerField(
        allow_null=True, help_text="Half of the replies were faster, within 2 %."
    )
    reply_p95_ms = serializers.IntegerField(allow_null=True)


@shown_as(answer=examples.TEXTS_OF_A_DAY)
class TextsOfDaySerializer(Costs):
    date = serializers.DateField()
    total = serializers.IntegerField()
    incoming = serializers.IntegerField()
    outgoing = serializers.IntegerField()
    delivered = serializers.IntegerField(
        help_text="Those with the status `sent`, `delivered` or `read`."
    )
    failed = serializers.IntegerField(
        help_text="Those with the status `undelivered`, `failed`, `canceled` or "
        "`blocked`."
    )
    segments = serializers.IntegerField()


def money(tally: Tally) -> dict[str, Any]:
    known = spelled(tally.get("cost", {}))
    one = known if known else [{"currency": "", "amount": "0.000000"}]
    return {
        "cost": one[0]["amount"] if len(one) == 1 else None,
        "currency": one[0]["currency"] if len(one) == 1 else "",
        "costs": known,
    }


def spelled(costs: dict[str, int]) -> list[dict[str, str]]:
    return [
        {"currency": currency, "amount": f"{amount:.6f}"}
        for currency, amount in figures.amounts(costs)
    ]


def counts(tally: Tally, *names: str) -> dict[str, int]:
    return {name: tally.get(name, 0) for name in names}


def minutes(tally: Tally) -> float:
    return round(tally.get("talk_s", 0) / 60, 2)


def answer_rate(tally: Tally) -> float | None:
    total = tally.get("total", 0)
    return round(tally.get("answered", 0) / total, 4) if total else None


def average_duration_s(tally: Tally) -> int | None:
    answered = tally.get("answered", 0)
    return round(tally.get("talk_s", 0) / answered) if answered else None
