"""A campaign as rows of a file, in batches: however long its list is."""

from collections.abc import Iterator

from django.db.models import F

from telephony.models import Call, Campaign, RefusedRow, ScheduledCall
from telephony.services import campaigns

BATCH = 500
COLUMNS = (
    "line",
    "number",
    "status",
    "reason",
    "attempts",
    "last_call_id",
    "last_call_at",
    "duration_s",
    "how_it_ended",
    "outcome",
    "summary",
    "cost",
    "currency",
)


def rows(campaign: Campaign) -> Iterator[tuple]:
    """The names of the columns, then each contact in the order of the list."""
    extracted = list(campaign.agent.extraction_schema.get("properties", {}))
    variables = _variables_of(campaign)
    names = [f"extracted.{name}" for name in extracted]
    yield (*COLUMNS, *names, *variables)
    for contacts in _batches(campaigns.contacts_of(campaign)):
        calls = _last_calls(contacts)
        for contact in contacts:
            call = calls.get(contact.pk)
            yield (
                *_contact(contact),
                *_call(call),
                *(_extracted(call, name) for name in extracted),
                *(contact.variables.get(name, "") for name in variables),
            )


def refused(campaign: Campaign) -> Iterator[tuple]:
    """The rows that were refused, in the order of the list."""
    yield ("line", "what_it_says", "reason")
    refusals = RefusedRow.objects.for_owner(campaign.owner_id)
    for some in _batches(refusals.filter(campaign=campaign)):
        for row in some:
            yield row.line, row.text, row.reason


def _variables_of(campaign: Campaign) -> list[str]:
    if campaign.redials_id is not None and campaign.redials:
        return _variables_of(campaign.redials)
    return list(campaign.mapping.get("variables", {}))


def _batches(rows) -> Iterator[list]:
    line = 0
    while some := list(rows.filter(line__gt=line).order_by("line")[:BATCH]):
        yield some
        line = some[-1].line


def _last_calls(contacts: list[ScheduledCall]) -> dict:
    """The latest attempt of each contact, with what was made of it."""
    called = [contact.pk for contact in contacts if contact.attempts_made]
    if not called:
        return {}
    latest = Call.unscoped.filter(
        scheduled_call__in=called,
        attempt=F("scheduled_call__attempts_made"),
    )
    found = latest.select_related("after_call")
    return {call.scheduled_call_id: call for call in found}


def _contact(contact: ScheduledCall) -> tuple:
    return (
        contact.line,
        contact.to_number,
        contact.status,
        contact.detail,
        contact.attempts_made,
    )


def _call(call: Call | None) -> tuple:
    if call is None:
        return (None,) * 8
    after = getattr(call, "after_call", None)
    return (
        call.pk,
        call.started_at.isoformat(),
        call.duration_s,
        call.end_reason,
        after and after.outcome,
        after and after.summary,
        call.cost,
        call.currency,
    )


def _extracted(call: Call | None, name: str):
    after = getattr(call, "after_call", None)
    return (after.extracted or {}).get(name) if after else None
