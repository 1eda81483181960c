"""Reading a campaign's list: each row becomes a contact, or is refused with its reason.

A task reads a part and queues the next; whatever is lost on the way is made up for by
the clock. Rows, refusals and how far it has come are written in one transaction, so a
reader that is killed loses nothing and a second one doubles nothing.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.timezone import now

from telephony import tasks
from telephony.callees import Callee, Judge, Refusal, Row
from telephony.models import (
    Campaign,
    CampaignEvent,
    CampaignFile,
    RefusedRow,
    ScheduledCall,
)
from telephony.patience import patient
from telephony.services import dialling
from telephony.services.carrier import InvalidNumber, e164
from telephony.tables import Unreadable, table_of

Status = Campaign.Status

BATCH = 500
READ_AT_ONCE = 500  # rows, while somebody waits for the answer
READ_BY_A_TASK = 5_000
# A reader that writes nothing for so long is dead.
LEASE = patient(20)
KEPT_FOR = timedelta(days=30)  # a list that nobody starts


def start_over(campaign: Campaign) -> None:
    """Forget how far the list was read; the reader removes what it finds of before."""
    campaign.rows_read = campaign.rows_refused = campaign.read_through = 0
    campaign.reader_until = None


def begin(campaign: Campaign) -> None:
    """Read a short list now, a long one beside the request."""
    if campaign.rows <= READ_AT_ONCE:
        read_some(campaign.pk)
        campaign.refresh_from_db()
    else:
        transaction.on_commit(lambda: go_on(campaign.pk), robust=True)


def go_on(campaign_id) -> None:
    tasks.read_list.apply_async([str(campaign_id)], retry=False)


def read(campaign_id) -> None:
    """Read a part of the list, and have the rest read. Safe to repeat and to race."""
    if not read_some(campaign_id):
        go_on(campaign_id)


def read_some(campaign_id) -> bool:
    """Read up to READ_BY_A_TASK rows; False if there are more."""
    related = Campaign.unscoped.select_related(
        "owner", "agent__prompt", "agent__prompt_version"
    )
    campaign = related.filter(pk=campaign_id, status=Status.CHECKING).first()
    if campaign is None:
        return True
    if campaign.read_through == 0:
        _remove_what_was_read(campaign)
    judge = _judge_for(campaign)
    read_here, left = 0, _rows_left(campaign)
    try:
        while rows := list(islice(left, BATCH)):
            if read_here >= READ_BY_A_TASK:
                return False
            if not _take(campaign, _judged(campaign, judge, rows)):
                return True  # somebody else reads it, or nobody wants it any more
            read_here += len(rows)
    except Unreadable as error:
        _give_up(campaign, str(error))
        return True
    _finish(campaign)
    return True


def _rows_left(campaign: Campaign) -> Iterator[Row]:
    done = campaign.read_through
    if campaign.redials_id is not None:
        yield from _rows_to_redial(campaign, done)
        return
    file = CampaignFile.unscoped.get(campaign=campaign)
    for line, cells in table_of(file.text).rows():
        if line > done:
            yield Row.of(line, cells, campaign.mapping)


def _rows_to_redial(campaign: Campaign, done: int) -> Iterator[Row]:
    left = ScheduledCall.unscoped.filter(
        campaign=campaign.redials_id, status__in=campaign.redialled_statuses
    ).order_by("line")
    while rows := list(left.filter(line__gt=done)[:BATCH]):
        for row in rows:
            yield Row(row.line, row.to_number, row.timezone, "", row.variables)
        done = rows[-1].line


def _judge_for(campaign: Campaign) -> Judge:
    at, owner = now(), campaign.owner
    variables = campaign.mapping.get("variables", {})
    wanted = set(campaign.agent.wanted_variables)
    usual = {name for name, value in campaign.agent.variables.items() if value}
    contacts = ScheduledCall.unscoped.filter(campaign=campaign)
    return Judge(
        facts=dialling.facts_of_number(owner, at),
        required=frozenset(wanted & variables.keys() - usual),
        zone=ZoneInfo(owner.timezone),
        at=at,
        lines=dict(contacts.values_list("to_number", "line")),
    )


def _judged(
    campaign: Campaign, judge: Judge, rows: list[Row]
) -> list[Callee | Refusal]:
    numbers = {row.line: _e164(row.number, campaign.default_country) for row in rows}
    known = dialling.Known(
        campaign.owner, {number for number in numbers.values() if number}
    )
    found: list[Callee | Refusal] = []
    for row in rows:
        number = numbers[row.line]
        found.append(judge.judge(row, number, known.facts_of(number or "")))
    return found


def _e164(number: str, country: str) -> str | None:
    try:
        return e164(number, country)
    except InvalidNumber:
        return None


def _take(campaign: Campaign, judged: list[Callee | Refusal]) -> bool:
    """Write a batch, unless somebody else was first or the campaign was changed."""
    contacts = [one for one in judged if isinstance(one, Callee)]
    refusals = [one for one in judged if isinstance(one, Refusal)]
    with transaction.atomic():
        stored = Campaign.locked(campaign.pk)
        if not _is_as_it_was(stored, campaign):
            return False
        ScheduledCall.unscoped.bulk_create(_rows_of(campaign, contacts))
        RefusedRow.unscoped.bulk_create(
            RefusedRow(
                owner_id=campaign.owner_id,
                campaign=campaign,
                line=refusal.line,
                kind=refusal.kind,
                text=refusal.text,
                reason=refusal.reason,
            )
            for refusal in refusals
        )
        stored.read_through = max(
            one.row.line if isinstance(one, Callee) else one.line for one in judged
        )
        stored.rows_read += len(judged)
        stored.rows_refused += len(refusals)
        stored.reader_until = now() + LEASE
        progress = ["read_through", "rows_read", "rows_refused", "reader_until"]
        stored.save(update_fields=progress)
    for name in progress:
        setattr(campaign, name, getattr(stored, name))
    return True


def _is_as_it_was(stored: Campaign, campaign: Campaign) -> bool:
    def of(row: Campaign) -> tuple:
        return row.read_through, row.mapping, row.agent_id, row.terms

    return stored.status == Status.CHECKING and of(stored) == of(campaign)


def _rows_of(campaign: Campaign, contacts: list[Callee]) -> list[ScheduledCall]:
    return [
        ScheduledCall(
            owner_id=campaign.owner_id,
            agent_id=campaign.agent_id,
            campaign=campaign,
            line=contact.row.line,
            to_number=contact.number,
            timezone=contact.row.timezone,
            variables=dict(contact.row.variables),
            scheduled_for=contact.due_at,
            due_at=contact.due_at,
            **campaign.terms,
            created_by_id=campaign.created_by_id,
        )
        for contact in contacts
    ]


def _remove_what_was_read(campaign: Campaign) -> None:
    """Contacts of an earlier reading: the campaign never started, none was called."""
    for model in (ScheduledCall, RefusedRow):
        rows = model.unscoped.filter(campaign=campaign)
        while some := list(rows.values_list("pk", flat=True)[: BATCH * 4]):
            with transaction.atomic():
                stored = Campaign.locked(campaign.pk)
                if not _is_as_it_was(stored, campaign):
                    return
                rows.filter(pk__in=some).delete()


def _finish(campaign: Campaign) -> None:
    with transaction.atomic():
        stored = Campaign.locked(campaign.pk)
        if not _is_as_it_was(stored, campaign):
            return
        stored.turn(Status.READY, reader_until=None)
        stored.note(
            CampaignEvent.Kind.READ,
            taken=stored.contacts,
            refused=stored.rows_refused,
        )


def _give_up(campaign: Campaign, why: str) -> None:
    with transaction.atomic():
        stored = Campaign.locked(campaign.pk)
        if _is_as_it_was(stored, campaign):
            stored.turn(Status.DRAFT, reader_until=None)
            stored.note(CampaignEvent.Kind.UNREADABLE, why=why)


def take_over(at: datetime) -> None:
    """Have those lists read on whose reader is dead, or whose task got lost."""
    unread = Campaign.unscoped.filter(status=Status.CHECKING)
    for campaign in unread:
        heard_of = campaign.reader_until or campaign.updated_at + LEASE
        if heard_of < at:
            go_on(campaign.pk)


def forget_files(at: datetime) -> int:
    """Delete the lists of campaigns that nobody has started; how many."""
    old = CampaignFile.unscoped.filter(created_at__lt=at - KEPT_FOR)
    deleted, _by_model = old.exclude(campaign__status=Status.CHECKING).delete()
    return deleted
