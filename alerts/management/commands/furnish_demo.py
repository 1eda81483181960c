from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.timezone import now

from accounts.models import User
from analytics import history
from telephony.management.commands.demo import NoNumber, demo_workspace
from telephony.services import carrier
from telephony.twilio import CarrierError
from voiceops import demo


class Command(BaseCommand):
    help = (
        "Fill the demo workspace with what there is to look at: three practices, weeks "
        "of calls, and something that is broken. Once; safe to run again."
    )

    def handle(self, **options):
        owner = demo_workspace()
        if owner is None or history.is_made(owner):
            return
        by = User.objects.get(email=settings.DEMO_EMAIL)
        try:
            demo.furnish(owner, by, now())
        except (CarrierError, NoNumber, carrier.NumberTaken) as error:
            self.stderr.write(f"Demo: {error} The next run tries again.")
