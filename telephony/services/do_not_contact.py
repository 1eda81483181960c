"""The list of numbers that nobody of a workspace calls or texts any more."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from accounts import audit
from accounts.audit import Action
from accounts.models import User, Workspace
from telephony import announcements
from telephony.callees import plain, suggested
from telephony.models import Call, DoNotContact, Message, ScheduledCall
from telephony.models.texts import WHATSAPP
from telephony.services import hashes
from telephony.services.carrier import InvalidNumber, e164
from telephony.tables import Table, Unreadable, table_of

MOST_LINES = 10_000
BLOCKED_AT_ONCE = 500
REASON_CHARACTERS = 200
LISTED = _lazy("The number was put on the do-not-contact list.")


class OnTheList(Exception):
    """The number is on the list already: `row` says since when and why."""

    def __init__(self, row: DoNotContact):
        super().__init__(row.pk)
        self.row = row

    def __str__(self):
        return _("%(number)s is on the list already.") % {"number": self.row.number}


@dataclass(frozen=True)
class RefusedLine:
    line: int
    text: str
    why: str


@dataclass
class Report:
    """What became of a list that was added."""

    added: int = 0
    known: int = 0  # on the list before, or twice in what was given
    refused: list[RefusedLine] = field(default_factory=list)


def find(owner: Workspace, number: str) -> DoNotContact | None:
    """Why this E.164 number must not be called or texted; None if it may."""
    return find_all(owner, [number]).get(number)


def find_all(
    owner: Workspace | UUID, numbers: Collection[str]
) -> dict[str, DoNotContact]:
    """Why those of these E.164 numbers that are listed must not be called or texted."""
    listed = DoNotContact.objects.for_owner(owner)
    by_digest = hashes.of_numbers(owner, numbers)
    if not by_digest:
        return {row.number: row for row in listed.filter(number__in=numbers)}
    either = Q(number__in=numbers) | Q(digest__in=by_digest)
    return {by_digest.get(row.digest, row.number): row for row in listed.filter(either)}


def add(
    *,
    owner: Workspace,
    number: str,
    source: str = DoNotContact.Source.PERSON,
    reason: str = "",
    by: User | None = None,
) -> DoNotContact:
    """Put a number on the list. Raises InvalidNumber and OnTheList."""
    row = DoNotContact(
        owner=owner,
        number=e164(number),
        source=source,
        reason=reason[:REASON_CHARACTERS],
        added_by=by,
    )
    try:
        with audit.changing(row):
            row.save(force_insert=True)
            block(owner, [row.number], str(LISTED))
    except IntegrityError:
        known = find(owner, row.number)
        if known is None:  # it was no doublet
            raise
        raise OnTheList(known) from None
    return row


def add_many(*, owner: Workspace, text: str, by: User) -> Report:
    """Put a table on the list: a column of numbers, and perhaps one of reasons.

    Lines that cannot be read are told with their number and why; the others count.
    """
    report = Report()
    rows: dict[str, DoNotContact] = {}
    for line, written, reason in _lines(text, report):
        if line > MOST_LINES:
            why = _("Only the first %(count)d lines are read.") % {"count": MOST_LINES}
            report.refused.append(RefusedLine(line, "", why))
            break
        try:
            number = e164(written)
        except InvalidNumber as error:
            report.refused.append(RefusedLine(line, written[:40], str(error)))
            continue
        report.known += number in rows
        rows.setdefault(
            number,
            DoNotContact(
                owner=owner,
                number=number,
                reason=reason[:REASON_CHARACTERS],
                source=DoNotContact.Source.CSV,
                added_by=by,
            ),
        )
    _save(owner, rows, report)
    return report


def _lines(text: str, report: Report) -> Iterator[tuple[int, str, str]]:
    """The number and the reason of each line, as they were written."""
    try:
        table = table_of(text.lstrip("\ufeff"))
        to, why = _columns(table)
        if to is None:  # then the first row is none of headings
            table, to, why = replace(table, has_headings=False), 0, 1
        for line, cells in table.rows():
            yield line, _cell(cells, to), _cell(cells, why)
    except Unreadable as error:
        report.refused.append(RefusedLine(1, "", str(error)))


def _columns(table: Table) -> tuple[int | None, int]:
    """Where the numbers stand, by the headings, and where the reasons."""
    if not table.has_headings:
        return 0, 1
    to = suggested(table.headings, [])["to"]
    names = [plain(heading) for heading in table.headings]
    return to, names.index("reason") if "reason" in names else len(names)


def _cell(cells: list[str], place: int) -> str:
    return cells[place] if place < len(cells) else ""


def _save(owner: Workspace, rows: dict[str, DoNotContact], report: Report) -> None:
    listed = DoNotContact.objects.for_owner(owner)
    with transaction.atomic():
        known = set(listed.values_list("number", flat=True)) & rows.keys()
        new = [row for number, row in rows.items() if number not in known]
        # Whoever adds the same number at this moment is not in our way.
        DoNotContact.unscoped.bulk_create(new, batch_size=500, ignore_conflicts=True)
        for start in range(0, len(new), BLOCKED_AT_ONCE):
            some = new[start : start + BLOCKED_AT_ONCE]
            block(owner, [row.number for row in some], str(LISTED))
        if new:  # a list is one deed; each number says itself who added it
            told = {"do_not_contact": [None, _added(len(new))]}
            audit.record(Action.CHANGED, owner, changes=told)
    report.added, report.known = len(new), report.known + len(known)


def _added(count: int) -> str:
    return ngettext(
        "%(count)d number was added", "%(count)d numbers were added", count
    ) % {"count": count}


def block(owner: Workspace, numbers: list[str], words: str) -> None:
    """What is scheduled or about to be dialled or sent to these numbers is not."""
    block_calls(owner, numbers, words)
    block_texts(owner, numbers)


def block_calls(owner: Workspace, numbers: list[str], words: str) -> None:
    """What is scheduled or about to be dialled to these numbers is not."""
    from telephony.services import calls  # it imports this module, by several others

    at = timezone.now()
    blocked = {
        "status": ScheduledCall.Status.BLOCKED,
        "detail": words,
        "next_attempt_at": None,
        "updated_at": at,
    }
    pending = ScheduledCall.unscoped.filter(
        owner=owner, to_number__in=numbers, status=ScheduledCall.Status.PENDING
    )
    pending.update(**blocked)
    opened = Call.unscoped.filter(
        owner=owner,
        to_number__in=numbers,
        placement=Call.Placement.OPENED,
        ended_at=None,
    )
    for call in opened:
        if calls.end_unplaced(
            call, Call.Status.CANCELED, Call.EndReason.REFUSED, words, at=at
        ):
            rows = ScheduledCall.unscoped.filter(pk=call.scheduled_call_id)
            rows.update(**blocked, lease_token=None, lease_until=None)


def block_texts(owner: Workspace, numbers: list[str]) -> None:
    """What waits to be sent to these numbers is not."""
    written = Message.unscoped.filter(
        owner=owner,
        to_number__in=[*numbers, *(WHATSAPP + number for number in numbers)],
        status=Message.Status.WAITING,
    )
    for message in written:
        if message.block():
            announcements.text_moved(message)


def remove(row: DoNotContact, *, by: User | None, reason: str = "") -> bool:
    """Take a number off the list; False if somebody else just did."""
    changes = {"removed_by": by, "removal_reason": reason[:REASON_CHARACTERS]}
    at = timezone.now()
    standing = DoNotContact.unscoped.filter(pk=row.pk, deleted_at=None)
    with transaction.atomic():
        is_removed = bool(standing.update(deleted_at=at, updated_at=at, **changes))
        if is_removed:
            told = {"removal_reason": ["", changes["removal_reason"]]}
            audit.record(Action.DELETED, row, changes=told)
    return is_removed
