"""What there is to look at in the demo workspace, beside what `manage.py demo` makes.

Three practices in three time zones, everything in every state, and one thing that is
broken: the calls of a campaign that the carrier refuses. All of it is invented. Numbers
are those for fiction, hosts end in `.example`, which no name server knows, calls are
marked as samples, and nobody is mailed.
"""

from datetime import datetime

from django.db import transaction

from accounts.models import User, Workspace
from telephony.management.commands.demo import register_simulated_number
from telephony.models import Phone
from telephony.services import carrier
from voiceops.demo import (
    campaigns,
    conversations,
    past,
    planned,
    practices,
    team,
    watching,
)
from voiceops.demo.practices import PRACTICES
from voiceops.demo.stage import Stage


def furnish(owner: Workspace, by: User, at: datetime) -> None:
    """Make all of it, in one transaction. Raises what registering a number raises."""
    phones = {practice.city: _phone(owner, practice) for practice in PRACTICES}
    stage = Stage(owner, by, at, phones)
    with transaction.atomic():
        team.make(stage)
        with stage.acting("Oliver"):
            for part in (practices, past, campaigns, planned, conversations, watching):
                part.make(stage)
            practices.make_texts(stage)
        team.log(stage)


def _phone(owner: Workspace, practice: practices.Practice) -> Phone:
    """The practice's number, registered if it is not here yet."""
    mine = Phone.objects.for_owner(owner).order_by("pk")
    if known := mine.filter(label=practice.label).first():
        return known
    try:
        return register_simulated_number(
            owner, country_code=practice.country_code, label=practice.label
        )
    except carrier.NotPointed as error:
        return error.phone
