"""What tests of campaigns share: lists, and campaigns of them."""

from telephony.models import Campaign
from telephony.services import campaign_lists, campaigns
from telephony.tables import decode, table_of
from tests.worker import slowed

# Numbers that people can have: a block of a mobile carrier's in San Francisco.
FIRST = 16285550000


def numbers(count: int, first: int = FIRST) -> list[str]:
    return [f"+{first + place}" for place in range(count)]


def list_of(*rows: str, heading: str = "to,patient_name") -> str:
    return "\n".join([heading, *rows]) + "\n"


def long_list(count: int) -> str:
    return list_of(*(f"{number},Ada" for number in numbers(count)))


def make_campaign(number, text: str, *, name="Spring recall", by=None, **fields):
    """A campaign with this list, its columns as they were suggested; not read yet."""
    campaign = Campaign(
        owner=number.phone.owner, agent=number.agent, name=name, **fields
    )
    return campaigns.create(
        campaign, file_name="list.csv", table=table_of(decode(text.encode())), by=by
    )


def make_ready(number, text: str, **fields) -> Campaign:
    campaign = make_campaign(number, text, **fields)
    return campaigns.map_columns(campaign, campaign.mapping)


def read_everything() -> None:
    """What a worker does, in a process of its own: it can be killed."""
    campaign_lists._take = slowed(campaign_lists._take)
    for campaign in Campaign.unscoped.filter(status=Campaign.Status.CHECKING):
        while not campaign_lists.read_some(campaign.pk):
            pass
