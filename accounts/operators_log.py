"""The log of what operators did, which the admin keeps: tenants do not read it."""

from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Model

from accounts.models import User


def note(by: User, row: Model, told: str) -> None:
    """That an operator did something to this row."""
    LogEntry.objects.log_actions(by.pk, [row], CHANGE, told, single_object=True)
