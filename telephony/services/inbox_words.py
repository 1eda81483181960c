"""The workspace's labels and canned replies."""

from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.audit import Action
from accounts.models import User
from agents.prompts import render
from telephony.models import CannedReply, Conversation, Label
from telephony.services.acquaintances import CONTACT_NAME

# What a canned reply may name, besides the variables of the contact.
PLACEHOLDERS = (CONTACT_NAME, "number", "my_name", "workspace")
MOST = 200  # of each, in a workspace


class NameTaken(Exception):
    """Another one of this name was just saved."""

    def __str__(self):
        return _("There is one with this name.")


class TooMany(Exception):
    """A workspace has no more of them."""

    def __str__(self):
        return _("There are %(most)d already: delete one first.") % {"most": MOST}


def save(row: Label | CannedReply) -> None:
    """Store a new one, or what has changed. Raises NameTaken and TooMany."""
    model = type(row)
    if row._state.adding and model.objects.for_owner(row.owner).count() >= MOST:
        raise TooMany
    try:
        with transaction.atomic(), audit.changing(row):
            row.save()
    except IntegrityError:
        raise NameTaken from None


def delete(row: Label | CannedReply) -> None:
    """Put it away: conversations show it no more, and it can be brought back."""
    with transaction.atomic():
        audit.record(Action.DELETED, row)
        row.put_away()


def filled_in(reply: CannedReply, conversation: Conversation, *, by: User) -> str:
    """The words for this conversation; what is not known stays `{{ as it is }}`."""
    text, _missing = render(reply.text, _values(conversation, by))
    return text


def _values(conversation: Conversation, by: User) -> Mapping[str, str]:
    contact = conversation.contact
    known = dict(contact.variables) if contact else {}
    if contact and contact.name:
        known[CONTACT_NAME] = contact.name
    return known | {
        "number": conversation.number,
        "my_name": by.get_short_name(),
        "workspace": str(conversation.owner),
    }
