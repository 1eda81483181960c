"""What there is to know about bringing back deleted webhooks."""

from django.utils.translation import gettext_lazy as _

from accounts import deleted
from accounts.permissions import Action
from hooks.models import Endpoint

deleted.register(
    deleted.Kind(
        Endpoint,
        means=_(
            "Events are sent to it again from then on, if it was enabled; those of the "
            "meantime are not."
        ),
        named="url",
        right=Action.MANAGE_WEBHOOKS,
    )
)
