"""A toast that brings back what was just deleted."""

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse

from accounts.tenancy import SoftDeleteModel


def offer_undo(
    request: HttpRequest,
    row: SoftDeleteModel,
    text: str,
    *,
    level: int = messages.SUCCESS,
) -> None:
    """Say that `row` is deleted, beside a button that restores it."""
    restore = reverse("accounts:deleted_restore", args=[row.pk])
    messages.add_message(request, level, text, extra_tags=restore)
