"""Who is called and who calls, in a workspace of its own."""

import sys
from dataclasses import dataclass

from tests.flow.carrier import Account, Carrier
from tests.flow.production import Production
from tests.flow.tenant import Business

ALWAYS = {"window_start": "00:00", "window_end": "00:00"}
SAME_ALL_DAY = {"silence_reminders": 0, "silence_timeout_s": 600}
# Only operators say how many calls a workspace may place.
ALLOW_MANY_CALLS = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "voiceops.settings"
import django
django.setup()
from accounts.models import Workspace
from telephony.models import CallingRules
for owner in Workspace.objects.all():
    CallingRules.unscoped.update_or_create(
        owner=owner,
        defaults={"calls_a_day": 1_000_000, "calls_a_month": 1_000_000},
    )
"""


@dataclass(frozen=True)
class World:
    business: Business
    account: Account
    calling_agent: str
    voice_url: str
    status_url: str
    text_url: str


def set_up(production: Production) -> World:
    carrier = Carrier(production)
    business = Business(production, carrier, verify=production.certificates)
    business.put_agent(**SAME_ALL_DAY)
    business.put_message_agent()
    calling = business.put_agent(name="Reminder", direction="outgoing", **ALWAYS)
    made = production.deployment.run("web", sys.executable, "-c", ALLOW_MANY_CALLS)
    assert made.returncode == 0, made.stderr
    number = carrier.number(business.account, business.number)
    return World(
        business=business,
        account=business.account,
        calling_agent=calling,
        voice_url=number["voice_url"],
        status_url=number["status_callback"],
        text_url=number["sms_url"],
    )
