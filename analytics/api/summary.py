"""The API of the summary: what the tiles and the breakdowns of a dashboard show."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers

from analytics import figures
from analytics.api import examples
from analytics.api.answers import (
    MoneySerializer,
    answer_rate,
    average_duration_s,
    counts,
    minutes,
    spelled,
)
from analytics.api.base import HOW_FRESH, CsvRenderer, FiguresView
from analytics.api.filters import CallFilters
from analytics.figures import Question
from analytics.models import Series
from analytics.tallies import Tally
from voiceops.api_schema import shown_as


class CallTileSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    incoming = serializers.IntegerField()
    outgoing = serializers.IntegerField()
    answered = serializers.IntegerField()
    failed = serializers.IntegerField()
    answer_rate = serializers.FloatField(allow_null=True)
    average_duration_s = serializers.IntegerField(allow_null=True)
    minutes = serializers.FloatField()


class ReplyTimesSerializer(serializers.Serializer):
    """In milliseconds, within 2 % of times that were measured."""

    count = serializers.IntegerField(help_text="Replies of agents.")
    p50 = serializers.IntegerField(allow_null=True)
    p95 = serializers.IntegerField(allow_null=True)


class VersionSerializer(ReplyTimesSerializer):
    version = serializers.IntegerField(
        allow_null=True, help_text="Of the prompt; null for calls without one."
    )
    calls = serializers.IntegerField()
    answered = serializers.IntegerField()
    costs = MoneySerializer(many=True)


class SpendSerializer(MoneySerializer):
    part = serializers.CharField(
        help_text="`carrier`, `model`, `analysis`, `texts`, or `other` for what came "
        "without its parts."
    )


class TextTileSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    incoming = serializers.IntegerField()
    outgoing = serializers.IntegerField()
    delivered = serializers.IntegerField()
    failed = serializers.IntegerField()
    segments = serializers.IntegerField()


class KindSerializer(serializers.Serializer):
    name = serializers.CharField()
    total = serializers.IntegerField()


class TilesSerializer(serializers.Serializer):
    to = serializers.DateField()
    calls = CallTileSerializer()
    reply_ms = ReplyTimesSerializer()
    spend = SpendSerializer(many=True)
    texts = TextTileSerializer(
        allow_null=True, help_text="Null with `agent_id`: texts have other agents."
    )

    def get_fields(self):
        """`from` is a word of Python's own."""
        return {"from": serializers.DateField()} | super().get_fields()


@shown_as(answer=examples.SUMMARY)
class SummarySerializer(TilesSerializer):
    timezone = serializers.CharField()
    statuses = KindSerializer(many=True)
    outcomes = KindSerializer(many=True, help_text="Of the calls that were analyzed.")
    end_reasons = KindSerializer(many=True)
    versions = VersionSerializer(
        many=True,
        help_text="With `agent_id`: calls, costs and reply times by prompt version.",
    )
    previous = TilesSerializer(help_text="Of as many days before.")


class SummaryView(FiguresView):
    serializer_class = SummarySerializer

    @extend_schema(
        operation_id="analytics_summary",
        summary="Sum up calls and texts",
        description=HOW_FRESH + "With the same figures of as many days before. As a "
        "file: a row a figure.",
        parameters=[CallFilters],
        responses={
            (200, "application/json"): SummarySerializer,
            (200, CsvRenderer.media_type): OpenApiResponse(
                OpenApiTypes.STR,
                examples=[OpenApiExample("A file", value=examples.SUMMARY_FILE)],
            ),
        },
    )
    def get(self, request):
        question = self.question()
        tally = _sums(question, Series.CALLS)
        versions = tally.get("versions", {}) if question.agent_id else {}
        return self.answer(
            {
                **_tiles(question, tally),
                "timezone": question.period.zone,
                "statuses": _kinds(tally, "statuses"),
                "outcomes": _kinds(tally, "outcomes"),
                "end_reasons": _kinds(tally, "reasons"),
                "versions": [
                    _version(name, one, tally.get("replies", {}).get(name, {}))
                    for name, one in sorted(versions.items(), key=_number)
                ],
                "previous": _tiles(
                    question.before, _sums(question.before, Series.CALLS)
                ),
            }
        )

    def rows(self, data):
        yield "figure", "value", "previous"
        before = dict(_flat(data["previous"]))
        for name, value in _flat({name: data[name] for name in data["previous"]}):
            yield name, value, before.pop(name, "")
        for name, value in before.items():
            yield name, "", value


def _sums(question: Question, series: Series) -> Tally:
    return figures.sums(question, series, with_facts=True).get(None, {})


def _tiles(question: Question, tally: Tally) -> dict[str, Any]:
    texts = None if question.agent_id else _sums(question, Series.TEXTS)
    spend = tally.get("spend", {}) | ({"texts": texts.get("cost", {})} if texts else {})
    names = ("total", "incoming", "outgoing", "delivered", "failed", "segments")
    return {
        "from": question.period.first,
        "to": question.period.last,
        "calls": {
            **counts(tally, "total", "incoming", "outgoing", "answered", "failed"),
            "answer_rate": answer_rate(tally),
            "average_duration_s": average_duration_s(tally),
            "minutes": minutes(tally),
        },
        "reply_ms": figures.reply_times(tally),
        "spend": [
            {"part": part, **amount}
            for part in sorted(spend)
            for amount in spelled(spend[part])
        ],
        "texts": None if texts is None else counts(texts, *names),
    }


def _number(version: tuple[str, Tally]) -> int:
    return int(version[0] or 0)


def _version(name: str, tally: Tally, replies: dict[str, int]) -> dict[str, Any]:
    return {
        "version": int(name) if name else None,
        **figures.times_of(replies),
        "calls": tally["total"],
        "answered": tally.get("answered", 0),
        "costs": spelled(tally.get("cost", {})),
    }


def _kinds(tally: Tally, name: str) -> list[dict[str, Any]]:
    """Each kind with its calls, the most frequent first."""
    found = tally.get(name, {}).items()
    ordered = sorted(found, key=lambda entry: (-entry[1], entry[0]))
    return [{"name": kind, "total": total} for kind, total in ordered]


def _flat(tiles: dict[str, Any]):
    """Each figure by its path: `calls.total`, `spend.carrier.USD`."""
    for name, value in tiles.items():
        if name == "spend":
            for row in value:
                yield f"spend.{row['part']}.{row['currency']}", row["amount"]
        elif isinstance(value, dict):
            yield from ((f"{name}.{part}", value[part]) for part in value)
        else:
            yield name, value
