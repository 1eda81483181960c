"""The API of counts: by date, by hour and by agent."""

from dataclasses import replace
from typing import Any

from django.utils.dateparse import parse_datetime

from agents.models import VoiceAgent
from analytics import figures
from analytics.api.answers import (
    CallsOfAgentSerializer,
    CallsOfDaySerializer,
    CallsOfHourSerializer,
    TextsOfDaySerializer,
    answer_rate,
    average_duration_s,
    counts,
    minutes,
    money,
)
from analytics.api.base import HOW_FRESH, FiguresView, told_by
from analytics.api.filters import CallFilters, TextFilters
from analytics.models import Series
from analytics.tallies import Tally, merge


class CallsByDateView(FiguresView):
    serializer_class = CallsOfDaySerializer

    @told_by(
        CallsOfDaySerializer,
        CallFilters,
        operation_id="calls_by_date",
        summary="Count calls by date",
        description=HOW_FRESH + "Every day is listed, also those without calls.",
    )
    def get(self, request):
        question = self.question()
        wanted = ("total", "answered", "failed", "talk_s", "cost")
        days = figures.by_day(question, Series.CALLS, *wanted)
        return self.answer(
            [
                {
                    "date": day,
                    **counts(tally, "total", "answered", "failed"),
                    "minutes": minutes(tally),
                    **money(tally),
                }
                for day, tally in zip(question.period.days, days, strict=True)
            ]
        )


class CallsByHourView(FiguresView):
    serializer_class = CallsOfHourSerializer

    @told_by(
        CallsOfHourSerializer,
        CallFilters,
        operation_id="calls_by_hour",
        summary="Count calls by hour of the day",
        description=HOW_FRESH + "24 rows, whatever days the clock was changed on.",
    )
    def get(self, request):
        found = figures.by_hour(self.question(), "total", "answered")
        return self.answer(
            [
                {"hour": hour, **{name: found[name][hour] for name in found}}
                for hour in range(24)
            ]
        )


class AgentSummaryView(FiguresView):
    serializer_class = CallsOfAgentSerializer

    @told_by(
        CallsOfAgentSerializer,
        CallFilters,
        operation_id="agent_summary",
        summary="Sum up the calls of each agent",
        description=HOW_FRESH + "All agents of the workspace, those with the most "
        "calls first; deleted ones where they had calls then. Calls that no agent "
        "took are in no row.",
    )
    def get(self, request):
        question = self.question()
        found = figures.sums(question, Series.CALLS, by="agent")
        agents = VoiceAgent.objects.for_owner(question.owner, with_deleted=True)
        if question.agent_id:
            agents = agents.filter(pk=question.agent_id)
        replies = figures.replies_of_agents(question, found.keys() - {None})
        rows = [
            _of_agent(pk, name, found.get(pk, {}), replies.get(pk, {}))
            for pk, name, deleted_at in agents.values_list("pk", "name", "deleted_at")
            if deleted_at is None or pk in found
        ]
        return self.answer(sorted(rows, key=lambda row: (-row["total"], row["name"])))


def _of_agent(pk, name: str, tally: Tally, replies: dict[str, Any]) -> dict[str, Any]:
    return {
        "agent_id": pk,
        "name": name,
        **counts(tally, "total", "incoming", "outgoing", "answered"),
        "answer_rate": answer_rate(tally),
        "average_duration_s": average_duration_s(tally),
        "minutes": minutes(tally),
        "last_call_at": parse_datetime(tally["last"]) if tally else None,
        "reply_p50_ms": replies.get("p50"),
        "reply_p95_ms": replies.get("p95"),
        **money(tally),
    }


class MessagesByDateView(FiguresView):
    serializer_class = TextsOfDaySerializer
    filters_class = TextFilters

    @told_by(
        TextsOfDaySerializer,
        TextFilters,
        operation_id="messages_by_date",
        summary="Count texts by date",
        description="All texts, within seconds, by when they came in or were written, "
        "on the clock of `timezone`. Every day is listed.",
    )
    def get(self, request):
        question = self.question()
        wanted = ("total", "delivered", "failed", "segments", "cost")
        days: list[Tally] = [{} for _ in question.period.days]
        for direction in question.directions:
            theirs = replace(question, direction=direction)
            found = figures.by_day(theirs, Series.TEXTS, *wanted)
            for day, tally in zip(days, found, strict=True):
                merge(day, tally | {direction: tally.get("total", 0)})
        names = ("total", "incoming", "outgoing", "delivered", "failed", "segments")
        return self.answer(
            [
                {"date": day, **counts(tally, *names), **money(tally)}
                for day, tally in zip(question.period.days, days, strict=True)
            ]
        )
