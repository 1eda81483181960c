"""Holding and saving rows while others do the same."""

import uuid
from typing import TypeVar

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.tenancy import SoftDeleteModel
from agents.models import Agent, Prompt, Tool
from agents.services.refusals import Gone, NameTaken

Row = TypeVar("Row", bound=SoftDeleteModel)


def locked(model: type[Row], pk: uuid.UUID, field: str | None = None) -> Row:
    """The row, held until the transaction ends; raise Gone if it is deleted."""
    rows = model.unscoped.select_for_update(no_key=True)
    row = rows.filter(pk=pk, deleted_at=None).first()
    if row is None:
        raise Gone(field)
    return row


def save_named(row: Agent | Prompt | Tool) -> None:
    """Save; the forms look names up first, the constraint decides a race."""
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        namesakes = type(row).objects.for_owner(row.owner_id).filter(name=row.name)
        if not namesakes.exclude(pk=row.pk).exists():
            raise
        raise NameTaken(_("Another one of this name was just saved.")) from None
