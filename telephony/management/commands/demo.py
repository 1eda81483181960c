import zoneinfo

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from accounts.models import Membership, User, Workspace
from agents import services as agents
from agents.models import MessageAgent, VoiceAgent
from telephony import samples
from telephony.models import Call, CallEvent, CarrierAccount, Contact, Phone, Turn
from telephony.services import carrier, contacts
from telephony.twilio import CarrierError

ZONE = "America/Los_Angeles"
RECEPTION = "Reception"
GREETING = (
    "Hello, this is the automated assistant of Brightside Dental. How can I help you?"
)
RECEPTION_PROMPT = """\
You are the friendly receptionist of Brightside Dental, a dental practice in San Francisco.
You speak on the telephone: answer in one or two short sentences, without lists or symbols.
Never give medical advice and never promise an appointment; take a note for the team.

Opening hours: we are open Monday to Friday from 8 am to 6 pm, and on Saturday from 9 am to 1 pm.
On Sundays and public holidays we are closed.
Address: we are at 480 Valencia Street, San Francisco, near 16th Street station.
Parking: there is a garage across the street, and we stamp the ticket for two hours.
Prices: a check-up with cleaning costs 120 dollars, for children 80 dollars.
A filling costs from 180 dollars, a whitening 350 dollars.
Insurance: we take Delta Dental, Cigna and MetLife.
Emergencies: we keep a slot for pain every day, so please come in as soon as you can.
To book or move an appointment, tell me your name and the day you would like, and the team will call you back.
You can cancel an appointment free of charge until 24 hours before.
"""  # noqa: E501 - a line is a fact to the demo responder
REMINDER_PROMPT = """\
You call {{ patient_name }} for Brightside Dental to remind them of their appointment on {{ appointment_time }}.
Ask whether they will come. If not, ask which day would suit them and say that the team will call back.
Be brief and friendly, and say goodbye.
"""  # noqa: E501
AFTER_HOURS_TEXT = """\
You are the after-hours assistant of Brightside Dental. Answer in one or two short sentences.
Opening hours: we are open Monday to Friday from 8 am to 6 pm, and on Saturday from 9 am to 1 pm.
Emergencies: for pain that cannot wait, call the emergency dental service at +1 415 555 0111.
"""  # noqa: E501
TEXTING_TEXT = """\
You answer the texts to Brightside Dental, a dental practice in San Francisco.
Never give medical advice and never promise an appointment; take a note for the team.

Opening hours: we are open Monday to Friday from 8 am to 6 pm, and on Saturday from 9 am to 1 pm.
Address: we are at 480 Valencia Street, San Francisco, near 16th Street station.
Prices: a check-up with cleaning costs 120 dollars, for children 80 dollars.
To book or move an appointment, write your name and the day you would like, and the team will write back.
You can cancel an appointment free of charge until 24 hours before.
"""  # noqa: E501
AWAY_MESSAGE = (
    "Thank you for your text. Brightside Dental is closed now; we write back when we "
    "are open. For pain that cannot wait, call +1 415 555 0111."
)
OPEN = {
    "timezone": ZONE,
    "days": {
        **dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), [["08:00", "18:00"]]),
        "sat": [["09:00", "13:00"]],
    },
}


class Command(BaseCommand):
    help = (
        "Make a workspace to look around in, with agents, a number of the simulator "
        "and invented past calls. Safe to run again: what people changed stays."
    )

    def handle(self, **options):
        if not settings.DEMO_PASSWORD:
            raise CommandError("Set DEMO_PASSWORD: the password of the demo user.")
        workspace = demo_workspace() or make_workspace()
        if not Phone.unscoped.filter(owner=workspace).exists():
            self.connect_number(workspace)
        self.stdout.write(
            f"Demo: log in as {settings.DEMO_EMAIL}, password {settings.DEMO_PASSWORD}"
        )

    def connect_number(self, workspace: Workspace) -> None:
        """Put the receptionist on a number of the simulator, if it answers."""
        problem = ""
        try:
            phone = register_simulated_number(workspace)
        except carrier.NotPointed as error:
            phone, problem = error.phone, str(error)
        except (CarrierError, NoNumber, carrier.NumberTaken) as error:
            phone, problem = None, str(error)
        if phone is not None:
            put_receptionist_on(phone)
        if problem:
            self.stderr.write(f"Demo: {problem} The next run tries again.")


class NoNumber(Exception):
    """There is no simulator, or no number of it is left."""


def demo_workspace() -> Workspace | None:
    """Where the demo user works, whatever it is called now."""
    memberships = Membership.objects.filter(user__email=settings.DEMO_EMAIL)
    first = memberships.select_related("workspace").order_by("id").first()
    return first and first.workspace


@transaction.atomic
def make_workspace() -> Workspace:
    user = make_user()
    workspace = Workspace.objects.create(name="Brightside Dental", timezone=ZONE)
    Membership.objects.create(
        workspace=workspace, user=user, role=Membership.Role.OWNER
    )
    reception, after_hours = make_agents(workspace, user)
    make_past_calls(reception, after_hours)
    make_contacts(workspace)
    make_message_agent(workspace)
    return workspace


def make_user() -> User:
    user = User.objects.filter(email=settings.DEMO_EMAIL).first()
    if user is None:
        user = User.objects.create_user(
            settings.DEMO_EMAIL, settings.DEMO_PASSWORD, name="Demo", timezone=ZONE
        )
    EmailAddress.objects.get_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )
    return user


def make_agents(workspace: Workspace, user: User) -> tuple[VoiceAgent, VoiceAgent]:
    reception_prompt, _reminder = (
        agents.save_prompt(
            owner=workspace, prompt=None, name=name, text=text, note="", author=user
        )
        for name, text in [
            (RECEPTION, RECEPTION_PROMPT),
            ("Appointment reminder", REMINDER_PROMPT),
        ]
    )
    reception = VoiceAgent(
        owner=workspace,
        name=RECEPTION,
        greeting=GREETING,
        prompt=reception_prompt,
        hints="Brightside, cleaning, whitening, filling, Delta Dental",
        end_call_phrases=["goodbye"],
    )
    after_hours = VoiceAgent(
        owner=workspace,
        name="After hours",
        greeting="Hello, Brightside Dental is closed now. How can I help you?",
        instructions=AFTER_HOURS_TEXT,
        transport=VoiceAgent.Transport.GATHER,
        end_call_phrases=["goodbye"],
    )
    return agents.save_agent(reception), agents.save_agent(after_hours)


def make_message_agent(workspace: Workspace) -> MessageAgent:
    agent = MessageAgent(
        owner=workspace,
        name="Front desk by text",
        instructions=TEXTING_TEXT,
        handoff_phrases=["talk to a person", "real person"],
        business_hours=OPEN,
        away_message=AWAY_MESSAGE,
    )
    return agents.save_agent(agent)


def make_past_calls(reception: VoiceAgent, after_hours: VoiceAgent) -> None:
    now = timezone.localtime(timezone=zoneinfo.ZoneInfo(ZONE))
    calls, turns, events = zip(
        *samples.past_calls(reception=reception, after_hours=after_hours, now=now),
        strict=True,
    )
    Call.unscoped.bulk_create(calls)
    Turn.unscoped.bulk_create(turn for found in turns for turn in found)
    CallEvent.unscoped.bulk_create(event for found in events for event in found)


def make_contacts(workspace: Workspace) -> None:
    for words, noted in samples.CONTACTS.items():
        said = Turn.unscoped.filter(owner=workspace, text__startswith=words)
        number = said.order_by("-pk").values_list("call__from_number", flat=True)[0]
        contact = Contact(owner=workspace, number=number, **noted)
        contacts.save(contact, at=timezone.now())


def register_simulated_number(
    workspace: Workspace, *, country_code: str = "+1", label: str = "Front desk"
) -> Phone:
    """A number of the simulator's account, of that country if it can be. Raises
    `CarrierError`, `NoNumber`, `carrier.NumberTaken`, or `carrier.NotPointed`, which
    has the phone.
    """
    sid = settings.SIMULATOR_ACCOUNT_SID
    url = settings.SIMULATOR_URL
    # Never at the real carrier: these credentials are none of its business.
    if not (settings.SIMULATOR and sid and url == settings.TWILIO_API_BASE_URL):
        raise NoNumber("There is no simulator to take a number from.")
    accounts = CarrierAccount.objects.for_owner(workspace)
    account = accounts.filter(account_sid=sid).first() or carrier.connect_account(
        owner=workspace,
        label="Built-in simulator",
        account_sid=sid,
        auth_token=settings.SIMULATOR_AUTH_TOKEN,
    )
    numbers = carrier.available_numbers(account)
    if not numbers:
        raise NoNumber("All numbers of the simulator are registered.")
    free = [found.number for found in numbers]
    there = [number for number in free if number.startswith(country_code)]
    return carrier.register_phone(
        owner=workspace, number=(there or free)[0], label=label, account=account
    )


def put_receptionist_on(phone: Phone) -> None:
    """The receptionist answers the number, and the past calls came in on it."""
    found = VoiceAgent.objects.for_owner(phone.owner_id).filter(name=RECEPTION)
    reception = found.first()
    if reception is not None:
        reception.phone = phone
        agents.save_agent(reception)
        agents.activate(reception)
    Call.unscoped.filter(
        owner=phone.owner_id, sid__startswith=samples.SID_PREFIX, phone=None
    ).update(
        phone=phone, carrier_account=phone.carrier_account_id, to_number=phone.number
    )
