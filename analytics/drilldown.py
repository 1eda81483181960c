"""Addresses of the lists that show what was counted."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from analytics.figures import Question

COUNTED = "counted"  # the list's word for calls that figures are made of


def calls_url(question: Question, **filters: Any) -> str:
    """The list of exactly the calls that the question counts, further narrowed."""
    asked = {
        "kind": COUNTED,
        "from": question.period.first,
        "to": question.period.last,
        "timezone": question.period.zone,
        "agent": question.agent_id,
        "phone": question.phone_id,
        "direction": question.direction,
        **filters,
    }
    return f"{reverse('telephony:call_list')}?{_query(asked)}"


def calls_of_agent_url(question: Question, pk: UUID | None) -> str:
    """Of one agent's calls; None: of those that no agent took."""
    return calls_url(question, **({"agent": pk} if pk else {"nobody": "yes"}))


def files(question: Question) -> list[tuple[str, str]]:
    """What the API tells of the question as files: its name and address."""
    names = ["summary", "calls-by-date", "calls-by-hour", "agent-summary"]
    texts = [] if question.agent_id else ["messages-by-date"]
    return [(name, _file(question, name)) for name in [*names, *texts]]


def files_of_costs(question: Question) -> list[tuple[str, str]]:
    return [
        (f"costs-by-{by}", _file(question, "costs", by=by))
        for by in ("date", "agent", "phone")
    ]


def _file(question: Question, name: str, **more: Any) -> str:
    asked = {
        "from": question.period.first,
        "to": question.period.last,
        "timezone": question.period.zone,
        "agent_id": question.agent_id,
        "phone_id": question.phone_id,
        "direction": question.direction,
        "format": "csv",
        **more,
    }
    return f"/api/analytics/{name}?{_query(asked)}"


def _query(asked: dict[str, Any]) -> str:
    known = {name: value for name, value in asked.items() if value not in ("", None)}
    return urlencode(known)
