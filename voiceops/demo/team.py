"""Who works there, and what they have done by the audit log."""

from datetime import timedelta

from accounts import services
from accounts.audit import Action
from accounts.models import AuditEntry, Invitation, Membership, User
from agents.models import Prompt
from telephony.models import CallingRules, Campaign, Rehearsal, TestScript
from telephony.samples import id_of
from voiceops.demo.practices import AMERICA, LONDON, SYDNEY
from voiceops.demo.stage import ADDRESS, Stage, store

Role = Membership.Role

PEOPLE = (
    ("Maya Torres", AMERICA, Role.MEMBER),
    ("Oliver Hughes", LONDON, Role.ADMIN),
    ("Ruby Chen", SYDNEY, Role.VIEWER),
)


def make(stage: Stage) -> None:
    """People without a password: they cannot log in, and are mailed nothing."""
    for name, zone, role in PEOPLE:
        first, last = name.split()
        email = f"{first}.{last}@brightside.example".lower()
        user = User.objects.filter(email=email).first()
        if user is None:
            user = User.objects.create_user(email, None, name=name, timezone=zone)
        Membership.objects.get_or_create(
            workspace=stage.owner,
            user=user,
            defaults={"role": role, "gets_digest": False},
        )
        stage.people[first] = user
    Invitation.unscoped.create(
        owner=stage.owner,
        email="priya.nair@brightside.example",
        role=Role.MEMBER,
        invited_by=stage.by,
        expires_at=stage.at + timedelta(days=6),
        sent_at=stage.at - timedelta(days=1),
    )
    services.issue_api_key(
        owner=stage.owner, user=stage.by, name="Website booking", scopes=["read"]
    )


def log(stage: Stage) -> None:
    """What they did on the days before; also what is deleted, and tests of an agent."""
    old = Prompt(owner=stage.owner, name="Summer hours", text="We close at noon.")
    old.deleted_at = stage.on(LONDON, -3, "17:15")
    old.save()
    store(_entries(stage, old))
    _tests(stage)


def _entries(stage: Stage, old: Prompt) -> list[AuditEntry]:
    reception, recalls = stage.agents.get("Reception"), stage.agents["London recalls"]
    recall = Campaign.unscoped.get(owner=stage.owner, agent=recalls)
    rules = CallingRules(owner=stage.owner)
    told = (
        ("Maya", -9, "10:12", Action.CHANGED, reception, GREETING),
        ("Oliver", -8, "09:30", Action.CHANGED, rules, HOURS),
        ("Oliver", -3, "17:15", Action.DELETED, old, {}),
        ("Maya", -2, "11:02", Action.CHANGED, reception, PHRASES),
        ("Oliver", -1, "09:41", Action.CREATED, recall, {}),
        ("Oliver", -1, "09:58", Action.ACTIVATED, recall, {}),
    )
    entries = []
    for name, days, clock, action, row, changes in told:
        if row is None:
            continue
        user = stage.people[name]
        at = stage.on(user.timezone, days, clock)
        entries.append(
            AuditEntry(
                id=id_of(at),
                owner=stage.owner,
                created_at=at,
                source=AuditEntry.Source.PAGE,
                user=user,
                actor_name=user.name,
                actor_email=user.email,
                address=ADDRESS,
                action=action,
                kind=row.audited_as[0],
                object_id=str(row.pk),
                label=str(row)[:200],
                changes=changes,
            )
        )
    return entries


GREETING = {
    "greeting": [
        "Brightside Dental, hello?",
        "Hello, this is the automated assistant of Brightside Dental. How can I help "
        "you?",
    ]
}
HOURS = {"window_end": ["21:00:00", "20:00:00"]}
PHRASES = {"end_call_phrases": [[], ["goodbye"]]}
EXPECTED = [
    {"kind": "contains", "text": "nine", "turn": 1},
    {"kind": "replies_within_ms", "ms": 2500},
]


def _tests(stage: Stage) -> None:
    agent = stage.agents.get("Reception")
    if agent is None:
        return
    script = TestScript.unscoped.create(
        owner=stage.owner,
        agent=agent,
        name="Hours on Saturday",
        turns=[{"say": "When are you open on Saturday?"}],
        expectations=EXPECTED,
    )
    seen = ("On Saturday we are open from 9 am", "The slowest took 640 ms")
    for days, status in ((-20, "passed"), (-2, "failed")):
        at = stage.on(AMERICA, days, "11:30")
        results = [
            {**one, "passed": status == "passed" or place > 0, "seen": words}
            for place, (one, words) in enumerate(zip(EXPECTED, seen, strict=True))
        ]
        Rehearsal.unscoped.create(
            id=id_of(at),
            owner=stage.owner,
            script=script,
            agent=agent,
            status=status,
            way=Rehearsal.Way.TEXT,
            played={"caller": script.caller, "turns": script.turns},
            results=results,
            version=f"{days % 16:x}" * 12,
            parts={"instructions": str(days)},
            prompt_version=1 if days == -20 else 2,
            model_label="Built-in demo responder",
            started_by=stage.people["Maya"],
            started_at=at,
            ended_at=at + timedelta(seconds=4),
            created_at=at,
        )
