"""The practices: their agents, prompts and tools, and weeks of calls."""

from dataclasses import dataclass

from agents import services
from agents.extraction import Row, schema_of
from agents.models import MessageAgent, Prompt, PromptVersion, Tool, VoiceAgent
from analytics import history
from telephony.management.commands.demo import RECEPTION, RECEPTION_PROMPT
from voiceops.demo.stage import Stage

AMERICA, LONDON, SYDNEY = "America/Los_Angeles", "Europe/London", "Australia/Sydney"


@dataclass(frozen=True)
class Practice:
    """`numbers` are those of people who call: for fiction, as their regulators say."""

    city: str
    zone: str
    label: str  # of its number
    country_code: str
    numbers: tuple[str, ...]
    calls: int  # in the weeks before
    talks: tuple[tuple[str, ...], ...]


HELLO_LONDON = "Brightside Dental London, this is the automated assistant. Good day!"
HELLO_SYDNEY = "Brightside Dental Sydney, this is the automated assistant. G'day!"
PRACTICES = (
    Practice(
        *("San Francisco", AMERICA, "Front desk", "+1", history.AMERICAN, 500),
        talks=tuple(history.TALKS),
    ),
    Practice(
        *("London", LONDON, "London practice", "+44"),
        numbers=tuple(f"+442079460{n:03}" for n in range(200, 1000)),
        calls=250,
        talks=(
            (
                HELLO_LONDON,
                "Hello, do you take new patients?",
                "We do. A first check-up costs 65 pounds. Shall I take a note?",
                "Yes please, my name is Harriet Cole.",
                "Thank you, Ms Cole. The team will ring you back today.",
            ),
            (
                HELLO_LONDON,
                "What are your hours on Friday?",
                "On Fridays we are open from half past eight to five.",
                "Lovely, thank you. Bye!",
            ),
            (
                HELLO_LONDON,
                "I have to cancel tomorrow, I am afraid.",
                "No harm done: until 24 hours before it is free of charge.",
                "It is twenty hours before.",
                "Then I had better ask the team. They will ring you back.",
                "All right.",
            ),
        ),
    ),
    Practice(
        *("Sydney", SYDNEY, "Sydney practice", "+61"),
        numbers=tuple(f"+6127010{n:04}" for n in range(200, 1000)),
        calls=150,
        talks=(
            (
                HELLO_SYDNEY,
                "Are you the one near Central station?",
                "Yes: 12 Foveaux Street, five minutes from Central.",
                "Cheers, see you there.",
            ),
            (
                HELLO_SYDNEY,
                "My crown came off. Can somebody have a look today?",
                "We keep a slot for pain every day. Come in as soon as you can.",
                "On my way.",
                "I tell the team that you are coming.",
            ),
        ),
    ),
)
DAYS, TEXTS = 60, 60

LONDON_PROMPT = """\
You are the friendly receptionist of Brightside Dental in London.
You speak on the telephone: answer in one or two short sentences.
Never give medical advice and never promise an appointment; take a note for the team.

Opening hours: we are open Monday to Friday from half past eight to five.
Address: we are at 31 Lamb's Conduit Street, near Russell Square.
Prices: a first check-up costs 65 pounds.
"""
SYDNEY_PROMPT = """\
You are the friendly receptionist of Brightside Dental in Sydney.
You speak on the telephone: answer in one or two short sentences.
Look appointments up with find_appointment before you speak of them.
Never give medical advice; take a note for the team.

Opening hours: we are open Monday to Saturday from 8 am to 6 pm.
Address: we are at 12 Foveaux Street, five minutes from Central station.
"""
RECALL_PROMPT = """\
You call {{ patient_name }} for Brightside Dental, who has not been here for a year.
Ask whether they would like a check-up, and which day would suit them.
If they do not want to be called, apologize and use do_not_call.
"""
WHITENING = "A filling costs from 180 dollars, a whitening 350 dollars."
NEW_WHITENING = "A filling costs from 180 dollars, a whitening 290 dollars until July."


def make(stage: Stage) -> None:
    america, london, sydney = (stage.phones[p.city] for p in PRACTICES)
    _renew_reception_prompt(stage)
    agents = [
        *VoiceAgent.objects.for_owner(stage.owner).order_by("pk"),
        _agent(
            stage,
            name="Appointment reminders",
            phone=america,
            direction=VoiceAgent.Direction.OUTGOING,
            prompt=Prompt.objects.for_owner(stage.owner).get(
                name="Appointment reminder"
            ),
            greeting="Hello, this is the automated assistant of Brightside Dental.",
            voicemail_detection=True,
            voicemail_message="Brightside Dental called about your appointment.",
        ),
        _agent(
            stage,
            name="London reception",
            phone=london,
            language="en-GB",
            prompt=_prompt(stage, "London reception", LONDON_PROMPT),
            greeting=HELLO_LONDON,
        ),
        _agent(
            stage,
            name="London recalls",
            phone=london,
            direction=VoiceAgent.Direction.OUTGOING,
            language="en-GB",
            prompt=_prompt(stage, "Recall", RECALL_PROMPT),
            greeting="Hello, this is the automated assistant of Brightside Dental.",
            tools=["do_not_call"],
        ),
        _agent(
            stage,
            name="Sydney reception",
            phone=sydney,
            direction=VoiceAgent.Direction.BOTH,
            language="en-AU",
            prompt=_prompt(stage, "Sydney reception", SYDNEY_PROMPT),
            greeting=HELLO_SYDNEY,
            tools=["note_fact", str(_appointments(stage).pk)],
            extraction_schema=schema_of(WANTED),
        ),
    ]
    stage.agents = {agent.name: agent for agent in agents}
    _texter(stage, america)
    for plan in _plans(stage):
        history.make(plan)


def _renew_reception_prompt(stage: Stage) -> None:
    """Its prompt has a second version, a few weeks old."""
    prompts = Prompt.objects.for_owner(stage.owner)
    if prompt := prompts.filter(name=RECEPTION, version=1).first():
        services.save_prompt(
            owner=stage.owner,
            prompt=prompt,
            name=prompt.name,
            text=RECEPTION_PROMPT.replace(WHITENING, NEW_WHITENING),
            note="Whitening is cheaper until July",
            author=stage.people["Maya"],
        )
        for number, days in ((1, -DAYS), (2, -DAYS // 3)):
            made_at = stage.on(AMERICA, days, "16:20")
            versions = PromptVersion.unscoped.filter(prompt=prompt, number=number)
            versions.update(created_at=made_at)


def _prompt(stage: Stage, name: str, text: str) -> Prompt:
    return services.save_prompt(
        owner=stage.owner,
        prompt=None,
        name=name,
        text=text,
        note="",
        author=stage.people["Oliver"],
    )


def _agent(stage: Stage, **fields) -> VoiceAgent:
    usual = {"summary_enabled": True, "end_call_phrases": ["goodbye"]}
    agent = services.save_agent(VoiceAgent(owner=stage.owner, **usual | fields))
    services.activate(agent)
    return agent


WANTED = [
    Row("wanted_day", "string", "The day that the caller asked for"),
    Row("is_patient", "boolean", "Whether they were here before", required=True),
    Row("reason", "choice", choices=("check-up", "pain", "move an appointment")),
]


def _appointments(stage: Stage) -> Tool:
    tool = Tool(
        owner=stage.owner,
        name="find_appointment",
        description="Finds the next appointment of a patient by their name.",
        url="https://calendar.brightside.example/appointments/{patient}",
        parameters={
            "type": "object",
            "properties": {"patient": {"type": "string"}},
            "required": ["patient"],
            "additionalProperties": False,
        },
        meanwhile="One moment, I look it up.",
    )
    services.save_tool(tool)
    tool.note_use(Tool.Status.OK)
    return tool


def _texter(stage: Stage, phone) -> None:
    """Whoever answers texts does so on the number of the first practice."""
    texters = MessageAgent.objects.for_owner(stage.owner).order_by("pk")
    if (agent := texters.first()) and agent.phone is None:
        agent.phone = phone
        services.save_agent(agent)
        services.activate(agent)


def make_texts(stage: Stage) -> None:
    """Invented ones, with nobody whose conversation is a story: once those are told."""
    texter = MessageAgent.objects.for_owner(stage.owner).order_by("pk").first()
    if texter is not None:
        history.make_texts(_plans(stage)[0], texter, TEXTS)


def _plans(stage: Stage) -> list[history.Plan]:
    """Invented calls of the past weeks; not of those whose calls are a story."""
    of_cities = {
        "San Francisco": ["Reception", "After hours", "Appointment reminders"],
        "London": ["London reception"],
        "Sydney": ["Sydney reception"],
    }
    first, plans = 1, []
    for practice in PRACTICES:
        names = of_cities[practice.city]
        plans.append(
            history.Plan(
                owner=stage.owner,
                agents=[stage.agents[n] for n in names if n in stage.agents],
                phones=[stage.phones[practice.city]],
                calls=practice.calls,
                days=DAYS,
                until=stage.at,
                zones=(practice.zone,),
                seed=first,
                numbers=practice.numbers,
                talks=practice.talks,
                first=first,
            )
        )
        first += practice.calls
    return plans
