"""Which workspaces a command is about."""

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db.models import QuerySet

from accounts.models import Workspace


def chosen(pk: str | None) -> QuerySet[Workspace]:
    """The one with this id, or all where none is named. Raises CommandError."""
    everybody = Workspace.objects.order_by("pk")
    if not pk:
        return everybody
    try:
        if everybody.filter(pk=pk).exists():
            return everybody.filter(pk=pk)
    except (ValidationError, ValueError):  # it is no id at all
        pass
    raise CommandError("There is no such workspace.")
