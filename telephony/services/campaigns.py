"""Campaigns: made, started, paused and ended by people.

A campaign's contacts are scheduled calls that wait without a time. While it is running
a few at a time are lent to what is due (`campaign_turns`), and dialled as any other.
Whoever changes a campaign holds its row locked, and so does whoever is about to ask the
carrier for one of its calls: once a pause is stored, nothing more is asked for.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Count
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts import audit, switches
from accounts.audit import Action
from accounts.models import User
from telephony.callees import HEADINGS, suggested, with_the_others
from telephony.models import Call, Campaign, CampaignEvent, CampaignFile, ScheduledCall
from telephony.services import campaign_lists, dialling, scheduled
from telephony.tables import Table, Unreadable

Status, Kind = Campaign.Status, CampaignEvent.Kind
Contact = ScheduledCall.Status

MOST_ROWS = 50_000
MOST_BYTES = 10_000_000
# What a contact can be at the end that is worth another campaign, and what is chosen
# unless somebody says otherwise. Never who does not want to be called.
WORTH_REDIALLING = (
    Contact.NO_ANSWER,
    Contact.BUSY,
    Contact.FAILED,
    Contact.EXPIRED,
    Contact.CANCELED,
    Contact.UNKNOWN,
)
USUALLY_REDIALLED = WORTH_REDIALLING[:4]


class Refused(Exception):
    """It cannot be done as things are: `str()` says why, `field` about what."""

    def __init__(self, words: str, field: str | None = None):
        super().__init__(words)
        self.field = field


# -- Making one ------------------------------------------------------------------------


def create(
    campaign: Campaign, *, file_name: str, table: Table, by: User | None
) -> Campaign:
    """Store a new campaign with its list, and what its columns seem to mean.

    Raises Refused.
    """
    campaign.created_by = by
    _take_file(campaign, table)
    with transaction.atomic():
        with audit.changing(campaign):
            campaign.save(force_insert=True)
        _keep_file(campaign, file_name, table)
        campaign.note(Kind.UPLOADED, by=by, file=file_name, rows=campaign.rows)
    return campaign


def replace_file(
    campaign: Campaign, *, file_name: str, table: Table, by: User | None
) -> Campaign:
    """Another list instead, while it has not started. Raises Refused."""
    with transaction.atomic():
        stored = _changeable(campaign)
        _take_file(stored, table)
        stored.redials, stored.status = None, Status.DRAFT
        stored.save()
        CampaignFile.unscoped.filter(campaign=stored).delete()
        _keep_file(stored, file_name, table)
        told = {"file": [None, file_name]}
        audit.record(Action.CHANGED, stored, changes=told)
        stored.note(Kind.UPLOADED, by=by, file=file_name, rows=stored.rows)
    return stored


def _take_file(campaign: Campaign, table: Table) -> None:
    try:
        rows = sum(1 for _row in table.rows())
    except Unreadable as error:
        raise Refused(str(error), "file") from error
    if rows > MOST_ROWS:
        told = {"most": MOST_ROWS, "rows": rows}
        words = _("The list has %(rows)d rows; a campaign takes %(most)d.") % told
        raise Refused(words, "file")
    if not rows:
        raise Refused(_("The list has no rows."), "file")
    campaign.rows, campaign.columns = rows, list(table.headings)
    campaign.mapping = suggested(table.headings, campaign.agent.wanted_variables)
    campaign_lists.start_over(campaign)


def _keep_file(campaign: Campaign, name: str, table: Table) -> None:
    CampaignFile.unscoped.create(
        owner_id=campaign.owner_id, campaign=campaign, name=name[:200], text=table.text
    )


def change(campaign: Campaign, changes: dict) -> Campaign:
    """Change its name at any time, all else until it starts. Raises Refused.

    The contacts have the settings of their campaign: the list is read again.
    """
    with transaction.atomic():
        if set(changes) <= {"name"}:
            stored = Campaign.locked(campaign.pk)
        else:
            stored = _changeable(campaign)
        for name, value in changes.items():
            setattr(stored, name, value)
        if "agent" in changes and stored.redials_id is None:
            _name_variables_anew(stored)
        with audit.changing(stored):
            stored.save()
        if stored.status == Status.READY and not set(changes) <= {"name"}:
            _read(stored)
    return stored


def _name_variables_anew(campaign: Campaign) -> None:
    """Another agent has other placeholders; what else the columns mean stays."""
    headings = campaign.columns
    fresh = suggested(headings, campaign.agent.wanted_variables)
    kept = {name: campaign.mapping.get(name) for name in HEADINGS}
    chosen = fresh["variables"]
    campaign.mapping = kept | {"variables": with_the_others(headings, kept, chosen)}


def map_columns(campaign: Campaign, mapping: dict) -> Campaign:
    """Say what the columns mean, and have the list read. Raises Refused."""
    if mapping.get("to") is None:
        raise Refused(_("Say which column has the numbers."), "to")
    with transaction.atomic():
        stored = _changeable(campaign)
        if stored.redials_id is not None:
            raise Refused(_("Its contacts are those of another campaign."))
        if stored.mapping != mapping:
            told = {"columns": [stored.mapping, mapping]}
            audit.record(Action.CHANGED, stored, changes=told)
        stored.mapping = mapping
        _read(stored)
    return stored


def has_file(campaign: Campaign) -> bool:
    return CampaignFile.unscoped.filter(campaign=campaign).exists()


def _changeable(campaign: Campaign) -> Campaign:
    stored = Campaign.locked(campaign.pk)
    if not stored.can_be_changed:
        raise Refused(_("It can be changed until it is started, not any more."))
    return stored


def _read(campaign: Campaign) -> None:
    if campaign.redials_id is None and not has_file(campaign):
        raise Refused(_("The list was deleted: upload it again."))
    campaign_lists.start_over(campaign)
    campaign.status = Status.CHECKING
    campaign.save()
    campaign_lists.begin(campaign)


def redial(
    campaign: Campaign, *, statuses: Iterable[str], by: User | None, at: datetime
) -> Campaign:
    """Another campaign, for the contacts that ended in one of `statuses`.

    It is not started by that. Who asks twice in a moment gets the first again. Raises
    Refused.
    """
    chosen = sorted(set(statuses) & set(WORTH_REDIALLING))
    with transaction.atomic():
        stored = Campaign.locked(campaign.pk)  # the second click waits here
        rows = contacts_of(stored).filter(status__in=chosen).count()
        if not rows:
            raise Refused(_("No contact is in one of these states."), "statuses")
        for other in Campaign.objects.for_owner(stored.owner_id).filter(
            redials=stored, created_at__gt=at - scheduled.DOUBLE_CLICK, created_by=by
        ):
            if other.redialled_statuses == chosen:
                return other
        again = _again(stored, chosen, rows, by)
        with audit.changing(again):
            again.save(force_insert=True)
        again.note(Kind.UPLOADED, by=by, of=stored.name)
        stored.note(Kind.REDIALLED, by=by, name=again.name)
        campaign_lists.begin(again)
    return again


def _again(campaign: Campaign, statuses: list[str], rows: int, by) -> Campaign:
    number = Campaign.unscoped.filter(redials=campaign).count() + 2
    name = f"{campaign.name[:90]} ({number})"
    return Campaign(
        owner_id=campaign.owner_id,
        agent_id=campaign.agent_id,
        default_country=campaign.default_country,
        **campaign.terms,
        name=name,
        redials=campaign,
        redialled_statuses=statuses,
        rows=rows,
        status=Status.CHECKING,
        created_by=by,
    )


# -- Its life --------------------------------------------------------------------------


def start(campaign: Campaign, *, by: User | None) -> Campaign:
    """Have its contacts called from now on. Raises Refused."""
    at = now()
    with transaction.atomic():
        stored = Campaign.locked(campaign.pk)
        if stored.status != Status.READY:
            raise Refused(_("Only a campaign that is ready can be started."))
        if not stored.contacts:
            raise Refused(_("There is nobody to call: every row was refused."))
        _refuse_idle(stored)
        stored.turn(Status.RUNNING, started_at=at, running_since=at)
        CampaignFile.unscoped.filter(campaign=stored).delete()
        stored.note(Kind.STARTED, by=by, contacts=stored.contacts)
        audit.record(Action.ACTIVATED, stored)
    return stored


def _refuse_idle(campaign: Campaign) -> None:
    if why := dialling.why_no_calls(campaign.agent):
        raise Refused(why)


def pause(campaign: Campaign, *, by: User | None) -> Campaign:
    """Ask the carrier for no more of its calls; those that go on go on.

    Holds from the moment it is stored. Raises Refused.
    """
    with transaction.atomic():
        stored = Campaign.locked(campaign.pk)
        if stored.status != Status.RUNNING:
            raise Refused(_("Only a campaign that is running can be paused."))
        stored.turn(Status.PAUSED, pause_reason="")
        _take_back(stored, _("The campaign was paused."))
        stored.note(Kind.PAUSED, by=by)
        audit.record(Action.PAUSED, stored)
    return stored


def stop(campaign: Campaign, why: str) -> None:
    """Pause a campaign, held locked, that cannot go on by itself."""
    campaign.turn(Status.PAUSED, pause_reason=why[:300], notice_due=True)
    _take_back(campaign, _("The campaign was paused."))
    campaign.note(Kind.STOPPED, why=why)
    audit.record(Action.PAUSED, campaign, changes={"pause_reason": ["", why[:300]]})


def resume(campaign: Campaign, *, by: User | None) -> Campaign:
    """Go on calling. Raises Refused."""
    with transaction.atomic():
        stored = Campaign.locked(campaign.pk)
        if stored.status != Status.PAUSED:
            raise Refused(_("Only a campaign that is paused can be resumed."))
        _refuse_idle(stored)
        stored.turn(
            Status.RUNNING, running_since=now(), pause_reason="", notice_due=False
        )
        stored.note(Kind.RESUMED, by=by)
        audit.record(Action.RESUMED, stored)
    return stored


def cancel(campaign: Campaign, *, by: User | None) -> Campaign:
    """Never call who has not been called; calls that go on go on. Raises Refused."""
    with transaction.atomic():
        stored = Campaign.locked(campaign.pk)
        if stored.is_over:
            raise Refused(_("It is over."))
        _cancel(stored, by)
    return stored


def _cancel(campaign: Campaign, by: User | None) -> None:
    campaign.turn(
        Status.CANCELED,
        ended_at=now(),
        has_leftovers=True,
        pause_reason="",
        notice_due=False,
    )
    CampaignFile.unscoped.filter(campaign=campaign).delete()
    _take_back(campaign, _("The campaign was canceled."))
    campaign.note(Kind.CANCELED, by=by)
    audit.record(Action.CANCELED, campaign)


def delete(campaign: Campaign, *, by: User | None) -> None:
    """Put it away, canceled; its calls stay."""
    with transaction.atomic():
        stored = Campaign.locked(campaign.pk)
        if not stored.is_over:
            _cancel(stored, by)
        stored.put_away()
        audit.record(Action.DELETED, stored)


def _take_back(campaign: Campaign, words: str) -> None:
    """Contacts that were lent and are not dialled yet wait for their turn again."""
    lent = ScheduledCall.unscoped.filter(campaign=campaign).lent()
    opened = Call.unscoped.filter(
        scheduled_call__in=lent, placement=Call.Placement.OPENED, ended_at=None
    )
    for call in opened.select_related("scheduled_call"):
        scheduled.end_opened(call.scheduled_call, Call.EndReason.NOT_PLACED, words)
    lent.update(next_attempt_at=None, updated_at=now())


def that_go_on(wanted: list[Call]) -> list[Call]:
    """Those of these calls whose campaigns go on, and those of none. No campaign of
    them is paused before the transaction ends.
    """
    rows = [call.scheduled_call for call in wanted]
    ids = {row.campaign_id for row in rows if row is not None} - {None}
    if not ids:
        return wanted
    locked = Campaign.unscoped.filter(pk__in=ids).order_by("pk")
    going_on = {
        campaign.pk
        for campaign in locked.select_for_update(no_key=True)
        if campaign.lets_dial and not _is_switched_off(campaign)
    }
    return [
        call
        for call, row in zip(wanted, rows, strict=True)
        if row is None or row.campaign_id is None or row.campaign_id in going_on
    ]


def _is_switched_off(campaign: Campaign) -> bool:
    return switches.is_off(switches.Feature.CAMPAIGNS, campaign.owner_id)


def hold_back(rows: list[ScheduledCall]) -> list[ScheduledCall]:
    """Put leased contacts back whose campaigns do not go on; the other rows."""
    ids = {row.campaign_id for row in rows} - {None}
    if not ids:
        return rows
    halted = {
        campaign.pk: campaign
        for campaign in Campaign.unscoped.filter(pk__in=ids)
        if not campaign.lets_dial or _is_switched_off(campaign)
    }
    for row in rows:
        if campaign := halted.get(row.campaign_id):
            _put_back(row, campaign)
    return [row for row in rows if row.campaign_id not in halted]


def _put_back(row: ScheduledCall, campaign: Campaign) -> None:
    if campaign.status == Status.CANCELED:
        status, words = Contact.CANCELED, _("The campaign was canceled.")
    else:
        status, words = Contact.PENDING, _("The campaign was paused.")
    if row.move_held(status, detail=words, next_attempt_at=None):
        scheduled.end_opened(row, Call.EndReason.NOT_PLACED, words)


# -- How it is going -------------------------------------------------------------------


def contacts_of(campaign: Campaign):
    return ScheduledCall.objects.for_owner(campaign.owner_id).filter(campaign=campaign)


def counts(campaign: Campaign) -> dict[str, int]:
    """How many contacts are in each status; an index has them all."""
    found = contacts_of(campaign).order_by().values_list("status")
    return dict(found.annotate(Count("pk")))
