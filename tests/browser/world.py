"""People and rows for the pages to show: everything, nothing, and special rights."""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.db import transaction
from django.test import RequestFactory
from django.utils import timezone

from accounts import audit, services
from accounts.audit import Action
from accounts.models import Invitation, Membership, User
from accounts.tenancy import OwnedModel
from agents.extraction import Row, schema_of
from agents.forms.tools import schema_of as schema_of_tool
from agents.models import MessageAgent, Prompt, PromptVersion, Tool, VoiceAgent
from alerts import digest
from alerts.models import Alert, Episode
from analytics import rollup
from hooks.models import Attempt, Delivery, Endpoint
from telephony.models import (
    AfterCall,
    Call,
    CallCost,
    CallEvent,
    CallingRules,
    Campaign,
    CarrierAccount,
    Contact,
    Conversation,
    Label,
    Message,
    Note,
    RecurringCall,
    Rehearsal,
    ScheduledCall,
    TestScript,
    Turn,
)
from telephony.services import budgets, campaigns, conversations, dialling, sending
from telephony.tables import table_of
from tests.people import PASSWORD, Tenant, make_tenant
from tests.walls import furnish

Status, Reason = Call.Status, Call.EndReason
INVITATION = "the-secret-in-the-link-of-an-invitation"

PROMPT = """You are {{ agent_name }}, the receptionist of {{ business }}.

Be brief and friendly. Offer {{ opening_hours }} for appointments. Never give advice \
about treatments."""

CHAT = (
    (
        "Hi! Is there anything free on Thursday morning? It has hurt since Sunday.",
        "received",
    ),
    ("On Thursday 9:30 and 11:00 are free.", "read"),
    ("11:00 <script>alert('please')</script>", "received"),
    ("Booked. Here is a map of how to find us.", "delivered"),
    ("Please bring your insurance card.", "undelivered"),
    ("See you on Thursday!", "unknown"),
    ("We are closed on Wednesday.", "waiting"),
    ("Can I talk to a person? https://example.com/" + "very" * 20, "received"),
)


@dataclass
class World:
    """Who there is, and the rows of `alice` by the name of their model."""

    alice: Tenant
    newcomer: Tenant  # has nothing, and stays so
    builder: Tenant  # has what tests make
    viewer: Tenant
    operator: Tenant
    careful: Tenant
    rows: dict[str, OwnedModel] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    totp_secret: str = ""

    @property
    def confirmation_key(self) -> str:
        """As in the link of the mail that asks to confirm an address."""
        email = EmailAddress.objects.get(user=self.alice.user, verified=False)
        return EmailConfirmationHMAC(email).key

    @property
    def digest_token(self) -> str:
        """As in the link of the weekly mail that ends it."""
        return digest.token_of(Membership.objects.get(user=self.alice.user))

    @property
    def reset_key(self) -> str:
        """As in the link of the mail that lets choose a new password."""
        user = self.newcomer.user
        token = default_token_generator.make_token(user)
        return f"{user_pk_to_url_str(user)}-{token}"


def make_world() -> World:
    world = World(
        alice=make_tenant("alice"),
        newcomer=make_tenant("newcomer"),
        builder=make_tenant("builder"),
        viewer=make_tenant("viewer", role=Membership.Role.VIEWER),
        operator=make_tenant("operator"),
        careful=make_tenant("careful"),
    )
    User.objects.filter(pk=world.operator.user.pk).update(
        is_staff=True, is_superuser=True
    )
    of_viewer = furnish(world.viewer)
    # The carrier knows of no such account: its pictures would be broken.
    Message.unscoped.filter(owner=world.viewer.workspace).update(media=[])
    world.rows = {row._meta.model_name: row for row in furnish(world.alice)}
    for model, name in ((Tool, "tool"), (Conversation, "conversation")):
        (row,) = [row for row in of_viewer if isinstance(row, model)]
        world.rows[f"{name} of the viewer"] = row
    _add_addresses(world.alice.user)
    _add_second_factor(world)
    # Every page of theirs says that nothing goes out any more.
    budgets.show(
        world.careful.workspace, "stopped", timezone.now() + timedelta(days=60)
    )
    _add_tools(world)
    _add_agents(world)
    _add_keys(world.alice)
    _change_token(world.rows["carrieraccount"])
    _add_colleagues(world)
    _add_calls(world)
    _add_rehearsals(world)
    for tenant in (world.alice, world.viewer):
        _add_deleted(tenant)
    _add_log(world)
    _add_webhooks(world)
    _add_campaigns(world)
    _add_people(world)
    _add_texts(world)
    _add_alerts(world)
    rollup.fold()
    return world


def _add_alerts(world: World) -> None:
    """One that fires, one that is muted; the furnished one is switched off."""
    owner, at = world.alice.workspace, timezone.now()
    failing = {
        "owner": owner,
        "metric": "failure_rate",
        "threshold": 10,
        "minimum_calls": 10,
        "checked_at": at,
    }
    fires = Alert.unscoped.create(
        **failing,
        name="Calls of the reception fail",
        agent=world.rows["voiceagent"],
        state="firing",
        value=Decimal("37.5"),
        calls=24,
    )
    Alert.unscoped.create(
        **failing, name="Calls fail", state="ok", value=4, calls=80, muted_until=at
    )
    for hours, ended in ((50, True), (26, True), (1, False)):
        began = at - timedelta(hours=hours)
        Episode.unscoped.create(
            owner=owner,
            alert=fires,
            threshold=10,
            window_minutes=60,
            started_at=began,
            told_at=began,
            ended_at=began + timedelta(minutes=70) if ended else None,
            end_reason="recovered" if ended else "",
            value=Decimal("12.5"),
            worst=Decimal("37.5"),
            end_value=4 if ended else None,
            calls=16,
        )
    world.rows["firing alert"] = fires


def _add_people(world: World) -> None:
    """Somebody with calls and texts, and somebody who has refused."""
    owner, phone = world.alice.workspace, world.rows["phone"]
    number = world.calls["finished"].from_number
    world.rows["contact"] = Contact.unscoped.create(
        owner=owner,
        number=number,
        name="Ada Lovelace, of the department of analytical engines",
        email="ada.lovelace@analytical-engines.example.com",
        notes="Prefers mornings.\n\nAsk about the engine that she has ordered.",
        variables={"plan": "Gold", "customer_number": "4711-0815-2342"},
        timezone="Asia/Kathmandu",
        call_consent="given",
        call_consent_at=timezone.now(),
        call_consent_note="Ticked the box on our form of 3 March",
        text_consent="refused",
        text_consent_at=timezone.now(),
    )
    world.rows["nameless contact"] = Contact.unscoped.create(
        owner=owner, number="+4930901820", call_consent="refused"
    )
    for address in (number, f"whatsapp:{number}"):
        conversation = Conversation.unscoped.create(
            owner=owner, phone=phone, address=address
        )
        Note.unscoped.create(
            owner=owner,
            conversation=conversation,
            user=world.alice.user,
            text="Has asked twice by now.",
        )
        for n, body in enumerate(("Is it ready?", "It is, come by.", "Thanks!")):
            is_ours = n == 1
            Message.unscoped.create(
                owner=owner,
                conversation=conversation,
                carrier_account=phone.carrier_account,
                direction="outgoing" if is_ours else "incoming",
                sid=f"SM{n}{address}"[:34],
                from_number=phone.number if is_ours else address,
                to_number=address if is_ours else phone.number,
                body=body,
                media=[] if n else [{"sid": "ME1", "content_type": "image/png"}],
                status="delivered" if is_ours else "received",
                sent_by="agent" if is_ours else "other_party",
                agent=world.rows["texting agent"] if is_ours else None,
            )


def _add_texts(world: World) -> None:
    """Conversations in every state, with a text of every fate."""
    phone, desk = world.rows["phone"], world.rows["texting agent"]
    tomorrow = timezone.now() + timedelta(days=1)
    for name, address, fields in (
        ("answered", "+14155550123", {}),
        ("by whatsapp", "whatsapp:+491711234567", {}),
        ("settled", "+14155550124", {"status": "closed"}),
        ("asked for", "+14155550125", {"mode": "human", "need": "asked_for"}),
        ("snoozed", "+14155550126", {"status": "snoozed", "snoozed_until": tomorrow}),
    ):
        world.rows[name] = Conversation.unscoped.create(
            owner=world.alice.workspace,
            phone=phone,
            address=address,
            unread_count=int(name == "asked for"),
            **fields,
        )
        for body, fate in CHAT:
            is_theirs = fate == "received"
            text = Message.unscoped.create(
                owner=world.alice.workspace,
                conversation=world.rows[name],
                carrier_account=phone.carrier_account,
                direction="incoming" if is_theirs else "outgoing",
                from_number=address if is_theirs else phone.number,
                to_number=phone.number if is_theirs else address,
                body=body,
                status=fate,
                sent_by="other_party" if is_theirs else "agent",
                agent=None if is_theirs else desk,
                segments=2 if "Thursday" in body else 1,
                error_code=30003 if fate == "undelivered" else None,
                media=[{"url": "https://example.com/map.png"}] if "map" in body else [],
            )
            world.rows[name].last_message = text
            world.rows[name].save()
    _order(world, world.rows["snoozed"], tomorrow)


def _order(world: World, conversation: Conversation, send_at: datetime) -> None:
    """All that people can add to one."""
    owner, by = conversation.owner, world.alice.user
    labels = [
        Label.unscoped.create(owner=owner, name=name)
        for name in ("VIP", "Insurance", "Complaint of waiting time")
    ]
    conversations.set_labels(conversation, labels)
    conversations.assign(conversation, by)
    conversations.add_note(conversation, text="Ask <b>Dana</b>\nfirst.", by=by)
    sending.send_later(
        conversation, body="See you!", by=by, send_at=send_at, at=timezone.now()
    )


def _add_log(world: World) -> None:
    """What alice did by the page and by a key, and what VoiceOps did."""
    agent, prompt = world.rows["idle agent"], world.rows["prompt"]
    told = {
        "greeting": ["Hello?", "Hello, this is Harbour Dental. How can I help?"],
        "end_call_phrases": [[], ["Goodbye", "Have a nice day"]],
        "dtmf_detection": [True, False],
    }
    by_page = RequestFactory().post("/", REMOTE_ADDR="192.0.2.17")
    by_key = RequestFactory().post("/", REMOTE_ADDR="2001:db8::17")
    by_page.user = by_key.user = world.alice.user
    by_key.auth = world.rows["accesstoken"]
    audit.record(Action.ACTIVATED, agent)
    with audit.asked_by(by_page):
        audit.record(Action.CHANGED, agent, changes=told)
        audit.record(Action.DELETED, world.rows["pinned agent"])
    with audit.asked_by(by_key):
        text = ["Be brief. " * 60, "Be polite. " * 60]
        changes = {"text": text, "version": [1, 2]}
        audit.record(Action.CHANGED, prompt, changes=changes)


def _add_addresses(user: User) -> None:
    EmailAddress.objects.create(
        user=user, email=user.email, verified=True, primary=True
    )
    EmailAddress.objects.create(user=user, email="second@example.com", verified=False)


def _add_second_factor(world: World) -> None:
    world.totp_secret = generate_totp_secret()
    for user in (world.careful.user, world.operator.user):
        EmailAddress.objects.create(
            user=user, email=user.email, verified=True, primary=True
        )
        TOTP.activate(user, world.totp_secret)
        RecoveryCodes.activate(user)


def _add_tools(world: World) -> None:
    owner = world.alice.workspace
    number = {"type": "string", "description": "The order's number, as on the receipt."}
    day = {"type": "string", "description": "As 2026-03-01."}
    kind = {"type": "string", "enum": ["check-up", "cleaning"]}
    world.rows["order tool"] = Tool.unscoped.create(
        owner=owner,
        name="find_order",
        description="Finds an order by its number and tells when it arrives.",
        parameters=schema_of_tool([{"name": "number", "is_required": True, **number}]),
        url="https://shop.example.com/api/orders/{number}",
        headers={"Accept-Language": "en"},
        sealed_headers='{"Authorization": "Bearer hush"}',
        meanwhile="One moment, I am looking it up.",
        last_used_at=timezone.now() - timedelta(hours=2),
        last_status="timed_out",
    )
    world.rows["slots tool"] = Tool.unscoped.create(
        owner=owner,
        name="find_free_slots",
        description="Lists the free appointments of a day.",
        parameters={
            "type": "object",
            "properties": {
                "days": {"type": "array", "items": day},
                "kind": kind,
            },
        },
        method="POST",
        url="https://calendar.example.com/slots",
        last_used_at=timezone.now() - timedelta(minutes=5),
        last_status="ok",
    )


def _add_agents(world: World) -> None:
    owner = world.alice.workspace
    prompt = Prompt.unscoped.create(
        owner=owner, name="Receptionist", text=PROMPT, version=2
    )
    first = PROMPT.replace("brief and friendly", "polite").replace("Never", "Do not")
    for number, text in enumerate((first, PROMPT), start=1):
        PromptVersion.unscoped.create(
            owner=owner,
            prompt=prompt,
            number=number,
            text=text,
            note="Friendlier" if number == 2 else "",
            author=world.alice.user,
        )
    world.rows["prompt"] = prompt
    world.rows["idle agent"] = VoiceAgent.unscoped.create(
        owner=owner,
        name="Front desk",
        prompt=prompt,
        greeting="Hello, this is {{ business }}. How can I help?",
        variables={"business": "Harbour Dental"},
        extraction_schema=schema_of(WANTED),
        tools=["end_call", str(world.rows["order tool"].pk)],
    )
    world.rows["pinned agent"] = VoiceAgent.unscoped.create(
        owner=owner,
        name="Back office",
        phone=world.rows["phone"],
        prompt=prompt,
        prompt_version=PromptVersion.unscoped.get(prompt=prompt, number=1),
        extraction_schema={
            "type": "object",
            "properties": {"days": {"type": "array", "items": {"type": "string"}}},
        },
    )
    world.rows["caller"] = VoiceAgent.unscoped.create(
        owner=owner,
        name="Recall",
        phone=world.rows["phone"],
        direction="outgoing",
        is_active=True,
        greeting="Hello {{ patient_name }}, it is time for {{ visit }}.",
        instructions="You are brief.",
    )
    world.rows["texting agent"] = MessageAgent.unscoped.create(
        owner=owner,
        name="Front desk by text",
        prompt=prompt,
        variables={"business": "Harbour Dental"},
        handoff_phrases=["talk to a person"],
        business_hours={
            "timezone": "Asia/Kathmandu",
            "days": {"mon": [["08:00", "12:00"], ["13:00", "24:00"]]},
        },
        away_message="{{ business }} is closed.",
    )


def _add_rehearsals(world: World) -> None:
    """A test that passed once and fails now, one that runs, one that never ran."""
    owner, agent = world.alice.workspace, world.rows["pinned agent"]
    expected = [
        {"kind": "contains", "text": "half past two", "turn": 2},
        {"kind": "tool_called", "tool": "book", "arguments": {"day": "Thursday"}},
        {"kind": "replies_within_ms", "ms": 2500},
    ]
    seen = ("Then half past two it is.", "No tool was used.", "The slowest took 640 ms")
    scripts = [
        TestScript.unscoped.create(
            owner=owner,
            agent=agent,
            name=name,
            caller=caller,
            turns=[{"say": TALK[1][1]}, {"interrupt": TALK[3][1], "after_chars": 40}],
            expectations=expected,
            tool_answers={"find_order": "Order 4711 was sent on Tuesday."},
        )
        for name, caller in (
            ("Thursday afternoon", "interrupter"),
            ("Hangs up while giving the telephone number", "hangs_up_mid_word"),
            ("Nobody there", "silent"),
        )
    ]
    world.rows["test script"] = scripts[0]
    for number, status in enumerate(("passed", "failed", "interrupted")):
        results = [
            {**one, "passed": status == "passed" or place != 1, "seen": words}
            for place, (one, words) in enumerate(zip(expected, seen, strict=True))
        ]
        is_judged = status != "interrupted"
        world.rows[f"{status} rehearsal"] = Rehearsal.unscoped.create(
            owner=owner,
            script=scripts[0],
            agent=agent,
            call=world.calls["test"] if status == "failed" else None,
            status=status,
            way="line",
            played={"caller": "interrupter"},
            results=results if is_judged else [],
            error="" if is_judged else "The simulator is not running.",
            version=str(number) * 12,
            parts={"greeting": str(number), "instructions": str(number)},
            prompt_version=number + 1,
            model_label="gpt-4o-mini",
            started_by=world.alice.user,
            started_at=timezone.now() - timedelta(hours=3 - number),
            ended_at=timezone.now() - timedelta(hours=3 - number),
        )
    world.rows["running rehearsal"] = Rehearsal.unscoped.create(
        owner=owner,
        script=scripts[1],
        agent=agent,
        status="running",
        started_at=timezone.now(),
    )


def _add_colleagues(world: World) -> None:
    workspace = world.alice.workspace
    colleague = User.objects.create_user("colleague@example.com", name="Grace")
    Membership.objects.create(
        workspace=workspace, user=colleague, role=Membership.Role.ADMIN
    )
    for email, days in (("guest@example.com", 5), ("late@example.com", -5)):
        Invitation.unscoped.create(
            owner=workspace,
            email=email,
            role=Membership.Role.MEMBER,
            invited_by=world.alice.user,
            digest=Invitation.digest_of(INVITATION if days > 0 else email),
            expires_at=timezone.now() + timedelta(days=days),
            sent_at=timezone.now() - timedelta(days=2),
        )


def _add_keys(tenant: Tenant) -> None:
    for name, days in (("Booking script", 300), ("Last year's script", -3)):
        services.issue_api_key(
            owner=tenant.workspace,
            user=tenant.user,
            name=name,
            scopes=["read", "write"],
            expires_at=timezone.now() + timedelta(days=days),
        )


def _change_token(account: CarrierAccount) -> None:
    account.old_auth_token = "the one before"
    account.old_auth_token_until = timezone.now() + timedelta(hours=20)
    account.save(update_fields=["old_auth_token", "old_auth_token_until"])


def _add_deleted(tenant: Tenant) -> None:
    long = "Reminders of appointments on the day before, in the evening, in Danish"
    for model, name, days in ((Prompt, long, 3), (VoiceAgent, "Night desk", 20)):
        row = model.unscoped.create(owner=tenant.workspace, name=name)
        row.put_away()
        row.deleted_at -= timedelta(days=days)
        row.save(update_fields=["deleted_at"])
        audit.record(audit.Action.DELETED, row, by=tenant.user)


WANTED = [
    Row("wanted_day", "string", "The day that the caller asked for", required=True),
    Row("is_patient", "boolean", "Whether they were here before"),
    Row("reason", "choice", choices=("check-up", "pain", "advice")),
]
TOOL_USES = [
    (
        {
            "name": "find_order",
            "arguments": '{"number": "4711", "name": "Ada King, Countess of Lovelace"}',
            "status": "ok",
            "elapsed_ms": 412,
        },
        "Order 4711 was sent on Tuesday.",
    ),
    (
        {
            "name": "book_table",
            "arguments": "{}",
            "status": "timed_out",
            "elapsed_ms": 5000,
        },
        "It took too long and was given up.",
    ),
    (
        {
            "name": "end_call",
            "arguments": "{}",
            "status": "abandoned",
            "elapsed_ms": 0,
        },
        "",
    ),
]
TALK = [
    ("agent", "Hello, this is Harbour Dental. How can I help?", None, False),
    ("caller", "Do you have anything on Thursday afternoon?", None, False),
    ("agent", "On Thursday I have two o'clock, half past", 640, True),
    ("caller", "Half past two is fine.", None, False),
    ("agent", "Then half past two it is. See you on Thursday!", 512, False),
]
ENDINGS = {
    "finished": (Status.COMPLETED, Reason.CALLER_HUNG_UP, "", False),
    "test": (Status.COMPLETED, Reason.AGENT_ENDED, "", True),
    "broken": (Status.FAILED, Reason.MODEL_FAILED, "HTTP 503", False),
    "refused": (Status.COMPLETED, Reason.NO_ACTIVE_AGENT, "", False),
    "missed": (Status.NO_ANSWER, Reason.CARRIER_ENDED, "", False),
}


AFTERWARDS = {
    "finished": {
        "analysis": "done",
        "outcome": "resolved",
        "summary": "The caller asked for an appointment on Thursday afternoon. Half "
        "past two was agreed on.",
        "extracted": {"wanted_day": "Thursday", "is_patient": False},
    },
    "test": {"analysis": "waiting", "step": "analyzing"},
    "broken": {
        "analysis": "failed",
        "error": "The model provider refused the request: check its key and the model.",
    },
    "refused": {"analysis": "no_conversation", "outcome": "no_conversation"},
    "missed": {"analysis": "no_conversation", "outcome": "no_conversation"},
}


def _add_calls(world: World) -> None:
    world.calls["running"] = world.rows["call"]
    for name, (status, reason, detail, is_test) in ENDINGS.items():
        talks = name in {"finished", "test", "broken"}
        call = _make_call(
            world, status, end_reason=reason, end_detail=detail, is_test=is_test
        )
        _add_events(call)
        if talks:
            _add_turns(call)
        AfterCall.unscoped.create(
            owner=call.owner, call=call, **{"step": "done", **AFTERWARDS[name]}
        )
        world.calls[name] = call
    _add_outgoing_calls(world)


def _add_outgoing_calls(world: World) -> None:
    """One that was placed, one that the rules refused, one that nobody knows."""
    outgoing = {"direction": Call.Direction.OUTGOING, "placed_by": world.alice.user}
    agent = world.rows["idle agent"]
    refusal = dialling.decide_call(agent, "+19005550100", timezone.now())
    call = _make_call(
        world,
        Status.COMPLETED,
        end_reason=Reason.CALLER_HUNG_UP,
        sid="CA" + 32 * "7",
        placement=Call.Placement.PLACED,
        variables={"patient_name": "Ada"},
        **outgoing,
    )
    _add_turns(call)
    refused = _make_call(
        world,
        Status.CANCELED,
        end_reason=Reason.REFUSED,
        end_detail=refusal.reason,
        decision=refusal.as_json(),
        placement=Call.Placement.NOT_PLACED,
        **outgoing,
    )
    unknown = _make_call(
        world, Status.QUEUED, placement=Call.Placement.UNKNOWN, **outgoing
    )
    Call.unscoped.filter(pk__in=[refused.pk, unknown.pk]).update(
        answered_at=None, duration_s=None, to_number="+16285550123"
    )
    Call.unscoped.filter(pk=unknown.pk).update(ended_at=None)
    _add_scheduled_calls(world, call)
    world.calls |= {"outgoing": call, "not allowed": refused, "unknown": unknown}


def _add_scheduled_calls(world: World, call: Call) -> None:
    """One that waits, with an attempt behind it, and one that was blocked."""
    soon = timezone.now() + timedelta(hours=3)
    common = {
        "owner": world.alice.workspace,
        "agent": world.rows["idle agent"],
        "to_number": "+16285550123",
        "scheduled_for": soon,
        "due_at": soon,
        "created_by": world.alice.user,
    }
    waiting = ScheduledCall.unscoped.create(
        **common,
        attempts_made=1,
        next_attempt_at=soon,
        variables={"patient_name": "Ada"},
        detail="It is night there. Next time: Thu 26 Nov, 08:00.",
    )
    Call.unscoped.filter(pk=call.pk).update(scheduled_call=waiting, attempt=1)
    world.rows["waiting"] = waiting
    recurring = RecurringCall.unscoped.create(
        owner=common["owner"],
        agent=common["agent"],
        created_by=world.alice.user,
        to_number="+16285550123",
        frequency="weekly",
        days=["mon", "wed", "fri"],
        time=time(9),
        timezone="America/Los_Angeles",
        starts_on=soon.date(),
        next_at=soon,
        variables={"patient_name": "Ada"},
    )
    world.rows["recurring"] = recurring
    for number, status in enumerate(("expired", "pending")):
        at = soon + timedelta(days=number - 1)
        world.rows["recurring time"] = ScheduledCall.unscoped.create(
            **common | {"scheduled_for": at, "due_at": at},
            recurring_call=recurring,
            occurs_at=at,
            status=status,
            detail="" if number else "Skipped: it could not be made in time.",
            next_attempt_at=at if number else None,
        )
    for number, status in enumerate(ScheduledCall.Status.values):
        at = soon + timedelta(minutes=15 * number)
        ScheduledCall.unscoped.create(
            **common | {"scheduled_for": at, "due_at": at}, status=status
        )
    decision = dialling.decide_call(
        world.rows["idle agent"], "+16285550123", timezone.now()
    )
    world.rows["blocked"] = ScheduledCall.unscoped.create(
        **common,
        status=ScheduledCall.Status.BLOCKED,
        detail="The number was put on the do-not-contact list.",
        decision=decision.as_json(),
    )


def _add_campaigns(world: World) -> None:
    """One in each state that its page shows otherwise."""
    by, agent = world.alice.user, world.rows["caller"]
    CallingRules.unscoped.filter(owner=agent.owner).update(countries=["US"])
    rows = [f"+162855501{place:02},Ada King,{place}" for place in range(20)]
    bad = ["+1 628 555 0100,Twice,1", "not a number,Bob,2", "+16285550199,,3"]
    text = "\n".join(["Phone,Patient name,Customer", *rows, *bad])
    for name in ("draft", "ready", "running", "stopped", "reading", "over"):
        campaign = campaigns.create(
            Campaign(
                owner=world.alice.workspace,
                agent=agent,
                name=f"Recall in spring, {name}",
            ),
            file_name="patients.csv",
            table=table_of(text),
            by=by,
        )
        if name != "draft":
            campaign = campaigns.map_columns(campaign, campaign.mapping)
        world.rows[f"campaign {name}"] = campaign
    reading = Campaign.unscoped.filter(pk=world.rows["campaign reading"].pk)
    reading.update(status="checking", rows=50_000, rows_read=12_500)
    for name in ("running", "stopped", "over"):
        campaign = campaigns.start(world.rows[f"campaign {name}"], by=by)
        _let_go_on(campaign)
    with transaction.atomic():
        campaigns.stop(
            Campaign.locked(world.rows["campaign stopped"].pk),
            "8 of the 14 calls that ended within two minutes have failed. Look at some "
            "of them before you resume.",
        )
    campaigns.cancel(world.rows["campaign over"], by=by)


def _let_go_on(campaign: Campaign) -> None:
    """Some of its contacts have been called."""
    contacts = ScheduledCall.unscoped.filter(campaign=campaign).order_by("line")
    ends = ["completed", "no-answer", "busy", "failed", "in-progress", "unknown"]
    for contact, status in zip(contacts, ends, strict=False):
        contact.status, contact.attempts_made = status, 1
        contact.detail = "" if status == "in-progress" else "Nobody answered"
        contact.save()


def _make_call(world: World, status: str, **fields) -> Call:
    start = timezone.now() - timedelta(hours=2)
    phone = world.rows["phone"]
    usual = {
        "phone": phone,
        "agent": world.rows["idle agent"],
        "carrier_account": phone.carrier_account,
        "direction": Call.Direction.INCOMING,
        "status": status,
        "from_number": "" if status == Status.NO_ANSWER else "+16285550123",
        "to_number": phone.number,
        "transport": "stream",
        "prompt_version": 2,
        "model_label": "Built-in demo responder",
        "is_demo": True,
        "started_at": start,
        "answered_at": start + timedelta(seconds=2),
        "ended_at": start + timedelta(seconds=95),
        "duration_s": 93,
    }
    return Call.unscoped.create(owner=world.alice.workspace, **usual | fields)


def _add_turns(call: Call) -> None:
    for number, (speaker, text, reply_ms, interrupted) in enumerate(TALK, start=1):
        Turn.unscoped.create(
            owner=call.owner,
            call=call,
            number=number,
            speaker=speaker,
            text=text,
            at=call.answered_at + timedelta(seconds=8 * number),
            at_ms=8000 * number,
            reply_ms=reply_ms,
            interrupted=interrupted,
        )
    for number, (use, text) in enumerate(TOOL_USES, start=len(TALK) + 1):
        Turn.unscoped.create(
            owner=call.owner,
            call=call,
            number=number,
            speaker="tool",
            text=text,
            at=call.answered_at + timedelta(seconds=8 * number),
            at_ms=8000 * number,
            tool=use,
        )


def _add_events(call: Call) -> None:
    for sequence, status in enumerate(("ringing", "in-progress", call.status)):
        CallEvent.unscoped.create(
            owner=call.owner,
            call=call,
            status=status,
            at=call.started_at + timedelta(seconds=sequence * 30),
            sequence=sequence,
        )


def _add_costs(call: Call) -> None:
    for part, amount, is_estimate in (
        ("carrier", Decimal("0.017"), False),
        ("model", Decimal("0.001234"), True),
        ("analysis", None, False),
    ):
        CallCost.unscoped.create(
            owner=call.owner,
            call=call,
            part=part,
            amount=amount,
            currency="USD" if amount else "",
            is_estimate=is_estimate,
        )
    Call.unscoped.filter(pk=call.pk).update(cost=Decimal("0.018234"), currency="USD")


def _add_webhooks(world: World) -> None:
    owner, call = world.alice.workspace, world.calls["finished"]
    _add_costs(call)
    endpoint = Endpoint.unscoped.create(
        owner=owner, url="https://crm.example.com/voiceops", description="The CRM"
    )
    world.rows["webhook"] = endpoint
    world.rows["broken webhook"] = Endpoint.unscoped.create(
        owner=owner,
        url="https://a-rather-long-name-of-a-host.example.com/with/a/long/path/too",
        is_enabled=False,
        disabled_at=timezone.now(),
        disabled_reason="It answered 410: it does not want to be told any more.",
    )
    for event, status in (("call.started", "delivered"), ("call.ended", "dead")):
        world.rows[f"{status} delivery"] = _add_delivery(endpoint, call, event, status)


def _add_delivery(endpoint: Endpoint, call: Call, event: str, status: str) -> Delivery:
    error = "" if status == "delivered" else "It answered 500."
    delivery = Delivery.unscoped.create(
        owner=endpoint.owner,
        endpoint=endpoint,
        call=call,
        event=event,
        status=status,
        attempts_made=2,
        error=error,
        payload=f'{{"type": "{event}", "data": {{"id": "{call.pk}"}}}}',
    )
    for number in (1, 2):
        Attempt.unscoped.create(
            owner=endpoint.owner,
            delivery=delivery,
            number=number,
            at=timezone.now(),
            status_code=500 if error or number == 1 else 200,
            elapsed_ms=84,
            error="It answered 500." if error or number == 1 else "",
            answer="<h1>Internal Server Error</h1>" if error or number == 1 else "ok",
        )
    return delivery


__all__ = ["PASSWORD", "World", "make_world"]
