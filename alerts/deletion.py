"""What there is to know about bringing back deleted alerts."""

from django.utils.translation import gettext_lazy as _

from accounts import deleted
from accounts.permissions import Action
from alerts.models import Alert

deleted.register(
    deleted.Kind(
        Alert,
        means=_("It comes back switched off, with its history."),
        right=Action.MANAGE_ALERTS,
    )
)
