"""What a workspace keeps of the people whom it calls and texts."""

import json
from collections.abc import Collection, Iterator
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.audit import Action
from accounts.models import Workspace
from telephony.models import Contact
from telephony.services import do_not_contact

CHANNELS = ("call", "text")  # what there is a consent for
BATCH = 500
COLUMNS = (
    *("number", "name", "email", "timezone", "notes"),
    *("call_consent", "call_consent_at", "call_consent_note"),
    *("text_consent", "text_consent_at", "text_consent_note"),
)


class Known(Exception):
    """There is a contact with this number: `row`."""

    def __init__(self, row: Contact):
        super().__init__(row.pk)
        self.row = row

    def __str__(self):
        return _("There is a contact with this number.")


class Gone(Exception):
    """The contact was deleted meanwhile."""

    def __str__(self):
        return _("This contact was deleted meanwhile.")


class RefusalKept(Exception):
    """Who does not want to be called or texted is not forgotten."""

    def __str__(self):
        return _(
            "The contact refuses calls or texts, which would be forgotten. Put the "
            "number on the do-not-contact list and set the refusal to unknown first."
        )


def find(owner: Workspace | UUID, number: str) -> Contact | None:
    """What is known of whoever has this E.164 number; None for nothing."""
    return find_all(owner, [number]).get(number)


def find_all(owner: Workspace | UUID, numbers: Collection[str]) -> dict[str, Contact]:
    """Likewise of those that have these numbers."""
    known = Contact.objects.for_owner(owner).filter(number__in=numbers)
    return {contact.number: contact for contact in known}


def as_rows(owner: Workspace) -> Iterator[tuple]:
    """All contacts as rows of a file, below the names of the columns."""
    yield (*COLUMNS, "variables")
    rows = Contact.objects.for_owner(owner).order_by("pk")
    for contact in rows.iterator(chunk_size=BATCH):
        variables = json.dumps(contact.variables, ensure_ascii=False)
        yield (*(_cell(getattr(contact, name)) for name in COLUMNS), variables)


def _cell(value: str | datetime | None) -> str | None:
    return value.isoformat() if isinstance(value, datetime) else value


def save(contact: Contact, *, at: datetime) -> Contact:
    """Store a new contact, or what has changed of one. Raises Known and Gone.

    A new refusal holds at once: what is scheduled or waits to be sent is blocked.
    """
    try:
        with transaction.atomic():
            before = Contact() if contact._state.adding else _locked(contact)
            for channel in CHANNELS:
                _date(contact, before, channel, at)
            with audit.changing(contact):
                contact.save()
            _obey(contact, before)
    except IntegrityError:
        known = find(contact.owner, contact.number)
        if known is None or known.pk == contact.pk:  # it was no doublet
            raise
        raise Known(known) from None
    return contact


def _locked(contact: Contact) -> Contact:
    rows = Contact.unscoped.select_for_update(no_key=True)
    stored = rows.filter(pk=contact.pk, deleted_at=None).first()
    if stored is None:
        raise Gone
    return stored


def _date(contact: Contact, before: Contact, channel: str, at: datetime) -> None:
    """Since when a consent holds: as was said, else from now on."""
    consent, since = f"{channel}_consent", f"{channel}_consent_at"
    if getattr(contact, consent) == Contact.Consent.UNKNOWN:
        setattr(contact, since, None)
        setattr(contact, f"{channel}_consent_note", "")
        return
    is_new = getattr(contact, consent) != getattr(before, consent)
    is_as_before = getattr(contact, since) == getattr(before, since)
    if getattr(contact, since) is None or (is_new and is_as_before):
        setattr(contact, since, at)


def _obey(contact: Contact, before: Contact) -> None:
    owner, numbers = contact.owner, [contact.number]
    if contact.refuses_calls and not before.refuses_calls:
        words = _("The contact refuses calls.")
        do_not_contact.block_calls(owner, numbers, words)
    if contact.refuses_texts and not before.refuses_texts:
        do_not_contact.block_texts(owner, numbers)


def delete(contact: Contact) -> None:
    """Put the contact away: calls and texts stay. Raises RefusalKept and Gone."""
    with transaction.atomic():
        stored = _locked(contact)
        if stored.refuses_calls or stored.refuses_texts:
            raise RefusalKept
        audit.record(Action.DELETED, stored)
        stored.put_away()
