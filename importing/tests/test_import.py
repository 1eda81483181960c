"""The command over a real socket: what comes in, what does not, and what never does."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from bson import ObjectId
from django.conf import settings
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import AuditEntry, Membership, User, Workspace
from agents.models import MessageAgent, Prompt, PromptVersion, VoiceAgent
from hooks.models import Delivery
from importing.ledger import Ledger
from importing.models import Origin
from importing.tests.documents import (
    AGENT,
    ALICE,
    AT,
    CALL,
    OLD_AGENT,
    OLD_PHONE,
    OURS,
    PHONE,
    PROMPT,
    SID,
    TEXTER,
    THEIRS,
    of,
)
from telephony.models import (
    Call,
    CallCost,
    Campaign,
    CarrierAccount,
    Conversation,
    DoNotContact,
    Message,
    Phone,
    ScheduledCall,
    Turn,
)
from telephony.services import campaign_turns, campaigns

pytestmark = pytest.mark.django_db
KINDS = (
    *(User, Workspace, Membership, CarrierAccount, Phone, Prompt, VoiceAgent),
    *(MessageAgent, Call, Turn, CallCost, Conversation, Message, ScheduledCall),
    *(Campaign, DoNotContact, Origin, AuditEntry),
)


def row(collection, pk):
    """What came of a document."""
    return Ledger("old").find(collection, str(pk))


def counted():
    return {kind.__name__: kind._base_manager.count() for kind in KINDS}


def workspace_named(name):
    return Workspace.objects.get(name=name)


def test_people_come_without_their_passwords(bring_in, filled):
    lines = bring_in({str(ALICE): "new:Acme", "*": "new:Rest"})

    alice = row("users", ALICE)
    assert (alice.email, alice.name) == ("alice@example.com", "Alice 🌻 Ångström")
    assert not alice.has_usable_password()
    assert alice.date_joined == AT
    membership = Membership.objects.get(user=alice)
    assert (membership.workspace.name, membership.role) == ("Acme", "owner")
    bob = User.objects.get(email="bob@example.com")
    assert not bob.is_active
    assert not Membership.objects.filter(user=bob).exists()
    assert lines[("users", str(of(102)), "refused")] == [
        "email: Enter a valid email address."
    ]
    assert mail.outbox == []


def test_person_who_is_here_stays_as_they_are(bring_in, there, mallory):
    there.users.insert_one({"_id": ALICE, "email": mallory.user.email, "name": "X"})

    bring_in({"*": str(mallory.workspace.pk)})

    mallory.user.refresh_from_db()
    assert mallory.user.name == "Mallory"
    assert mallory.user.has_usable_password()
    assert Membership.objects.filter(user=mallory.user).count() == 1


def test_prompt_comes_as_its_first_version(bring_in, filled):
    bring_in()

    prompt = row("prompts", PROMPT)
    assert (prompt.name, prompt.text) == ("Front desk", "Be kind. {{ name }} ✓")
    version = PromptVersion.unscoped.get(prompt=prompt)
    assert (version.number, version.text) == (1, prompt.text)
    assert row("prompts", of(110)).name == "Front desk (2)"
    assert row("prompts", of(114)).is_deleted


def test_number_comes_in_with_its_account_sealed(bring_in, filled):
    bring_in()

    phone = row("phones", PHONE)
    assert (phone.number, phone.label, phone.is_deleted) == (OURS, "Main", False)
    account = CarrierAccount.unscoped.get()
    assert (account.account_sid, account.auth_token) == (SID, "carriers-secret")
    assert account.verified_at is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT auth_token FROM telephony_carrieraccount")
        assert "carriers-secret" not in cursor.fetchone()[0]
    assert "carriers-secret" not in str(list(AuditEntry.unscoped.values()))
    assert row("phones", OLD_PHONE).deleted_at == AT - timedelta(days=100)


def test_agents_come_in_with_what_they_are_set_to(bring_in, filled):
    lines = bring_in()

    ada = row("agents", AGENT)
    assert (ada.name, ada.direction, ada.is_active) == ("Ada", "both", True)
    assert (ada.phone, ada.prompt) == (row("phones", PHONE), row("prompts", PROMPT))
    assert (ada.temperature, ada.max_tokens) == (0.7, 300)
    assert ada.model == "gpt-5-mini"
    assert (ada.language, ada.tts_provider) == ("de-DE", "ElevenLabs")
    assert ada.variables == {"name": "Zoë"}
    assert ada.end_call_phrases == ["bye", "auf Wiedersehen"]
    (note,) = lines[("agents", str(AGENT), "altered")]
    assert note.startswith("max_tokens: ")
    assert not row("agents", of(130)).is_active
    assert row("agents", OLD_AGENT).is_deleted
    assert lines[("agents", str(of(131)), "refused")] == [
        "phone_id is of nothing that came in from phones"
    ]
    tess = row("message_agents", TEXTER)
    assert (tess.history_limit, tess.handoff_phrases) == (12, ["human", "a person"])


def test_call_comes_in_whole_and_is_over(bring_in, filled):
    bring_in()

    call = row("calls", CALL)
    assert call.owner == row("phones", PHONE).owner
    assert (call.sid, call.direction, call.status) == ("CA1", "incoming", "completed")
    assert (call.from_number, call.to_number) == (THEIRS, OURS)
    assert (call.agent, call.phone) == (row("agents", AGENT), row("phones", PHONE))
    assert (call.started_at, call.duration_s) == (AT, 61)
    assert call.ended_at == AT + timedelta(seconds=61)
    assert (call.cost, call.currency) == (Decimal("0.017000"), "USD")
    said = [(turn.speaker, turn.text) for turn in Turn.unscoped.filter(call=call)]
    assert said == [("agent", "Hallo!"), ("caller", "Grüß Gott 👋")]
    assert call.after_call.summary == "A kind talk — résumé"
    assert (call.after_call.step, call.after_call.next_try_at) == ("done", None)
    assert not Call.unscoped.filter(ended_at=None).exists()
    missed = row("calls", of(149))
    assert (missed.status, missed.end_reason) == ("no-answer", "no_answer")
    assert missed.started_at == datetime(2024, 8, 1, 10, tzinfo=UTC)
    assert row("calls", of(150)).from_number == "anonymous"
    assert row("calls", "a-text-for-an-id").from_number == ""


def test_every_row_refused_is_listed_with_why(bring_in, filled, tmp_path):
    lines = bring_in()

    refused = {
        pk: reasons
        for (collection, pk, outcome), reasons in lines.items()
        if (collection, outcome) == ("calls", "refused")
    }
    assert refused == {
        str(of(140)): ["one with the same SID is here already"],
        str(of(141)): ["it goes on there: import again when it has ended"],
        str(of(142)): ["the number is not registered here"],
        str(of(143)): ["started_at is no time as 2026-03-01T14:30:00Z"],
        str(of(144)): ["agent_id is of nothing that came in from agents"],
        str(of(145)): ["it was deleted there, and here is nothing that hides history"],
        str(of(146)): ["status is a word that the mapping does not have"],
        str(of(147)): ["direction is a word that the mapping does not have"],
        str(of(148)): ["duration is no whole number from 0"],
        str(of(151)): ["it is longer than a call can be"],
        str(of(152)): ["it is longer than a call can be"],
    }
    assert (tmp_path / "report.jsonl").stat().st_mode & 0o077 == 0


def test_texts_come_as_closed_conversations(bring_in, filled):
    bring_in()

    came, sent = row("messages", of(160)), row("messages", of(161))
    assert (came.sent_by, came.status, came.body) == (
        "other_party",
        "received",
        "Hi 👋",
    )
    assert (sent.sent_by, sent.status) == ("agent", "delivered")
    assert sent.agent == row("message_agents", TEXTER)
    assert came.conversation == sent.conversation
    thread = Conversation.unscoped.get(pk=came.conversation_id)
    assert (thread.address, thread.status) == (THEIRS, "closed")
    assert (thread.last_message, thread.last_message_at) == (sent, sent.created_at)
    assert thread.next_try_at is None
    assert not Message.unscoped.filter(status__in=["later", "waiting"]).exists()


def test_who_stopped_texts_there_is_not_contacted_here(bring_in, filled):
    bring_in()

    listed = DoNotContact.unscoped.get()
    assert (listed.number, listed.source) == ("+14155550177", "stop")
    assert listed.owner == row("phones", PHONE).owner


def test_calls_of_the_past_stay_history_and_others_wait_paused(bring_in, filled):
    bring_in()

    told = {
        of_id: (row("scheduled_calls", of(of_id)).status)
        for of_id in (170, 171, 172, 173, 174)
    }
    assert told == {
        170: "pending",
        171: "expired",
        172: "completed",
        173: "unknown",
        174: "canceled",
    }
    assert not ScheduledCall.unscoped.due(datetime(2099, 1, 1, tzinfo=UTC)).exists()
    campaign = Campaign.unscoped.get()
    waiting = row("scheduled_calls", of(170))
    assert (campaign.status, campaign.contacts) == ("paused", 1)
    assert (waiting.campaign, waiting.variables) == (campaign, {"name": "Jo"})
    assert row("calls", of(149)).scheduled_call == row("scheduled_calls", of(172))


def test_paused_calls_begin_when_a_person_resumes_them(bring_in, filled):
    bring_in({str(ALICE): "new:Acme", "*": "new:Rest"})
    campaign = Campaign.unscoped.get()
    waiting = row("scheduled_calls", of(170))

    campaigns.resume(campaign, by=None)
    campaign_turns.advance(campaign.pk, waiting.scheduled_for - timedelta(minutes=1))
    waiting.refresh_from_db()

    assert waiting.next_attempt_at is None
    campaign.refresh_from_db()
    assert campaign.status == "running"


def test_paused_campaign_has_a_page(bring_in, filled, alice):
    bring_in({"*": str(alice.workspace.pk)})

    answer = alice.client.get(Campaign.unscoped.get().get_absolute_url())

    assert answer.status_code == 200
    assert "Imported: Ada" in answer.content.decode()


def test_dial_lets_future_calls_be_due(bring_in, filled):
    bring_in(dial=True)

    waiting = row("scheduled_calls", of(170))
    assert (waiting.status, waiting.campaign) == ("pending", None)
    assert waiting.next_attempt_at == waiting.scheduled_for
    assert not Campaign.unscoped.exists()


def test_dry_run_tells_the_same_and_writes_nothing(bring_in, filled, capsys):
    before = counted()
    foreseen = bring_in(dry_run=True)
    told = capsys.readouterr().out

    assert counted() == before
    assert foreseen == bring_in()
    happened = capsys.readouterr().out
    assert told.replace("would be made", "         made") == happened


@pytest.mark.parametrize("size", [3, 500])
def test_second_run_makes_nothing_twice(bring_in, filled, size):
    first = bring_in(batch_size=size)
    once = counted()

    second = bring_in(batch_size=size)

    assert counted() == once
    refused = {key for key in first if key[2] == "refused"}
    assert {key for key in second if key[2] == "refused"} == refused


def test_what_was_refused_comes_in_once_it_is_mended(bring_in, filled):
    bring_in()
    filled.calls.update_one({"_id": of(141)}, {"$set": {"status": "completed"}})

    lines = bring_in()

    assert row("calls", of(141)).status == "completed"
    assert ("calls", str(of(141)), "refused") not in lines


def test_call_belongs_to_who_had_the_number_then(bring_in, there):
    bob, moved = ObjectId(), AT - timedelta(days=10)
    account = {"account_sid": SID, "auth_token": "x", "number": OURS}
    there.phones.insert_many(
        [
            account
            | {"_id": of(1), "user_id": ALICE, "isDeleted": True}
            | {"created_at": AT - timedelta(days=90), "deleted_at": moved},
            account | {"_id": of(2), "user_id": bob, "created_at": moved},
        ]
    )
    usual = {"direction": "incoming", "status": "completed", "from": THEIRS, "to": OURS}
    there.calls.insert_many(
        [
            usual | {"_id": of(3), "started_at": moved - timedelta(days=1)},
            usual | {"_id": of(4), "started_at": moved + timedelta(days=1)},
        ]
    )

    bring_in({str(ALICE): "new:Acme", str(bob): "new:Bob Ltd"})

    assert row("calls", of(3)).owner == workspace_named("Acme")
    assert row("calls", of(4)).owner == workspace_named("Bob Ltd")


def test_rows_of_two_workspaces_do_not_point_at_each_other(bring_in, there):
    bob = ObjectId()
    there.phones.insert_one(
        {"_id": PHONE, "user_id": bob, "number": OURS}
        | {"account_sid": SID, "auth_token": "x"}
    )
    there.agents.insert_one(
        {"_id": AGENT, "user_id": ALICE, "name": "Ada", "phone_id": PHONE}
    )

    lines = bring_in({str(ALICE): "new:Acme", str(bob): "new:Bob Ltd"})

    assert lines[("agents", str(AGENT), "refused")] == [
        "phone_id is of something in another workspace"
    ]


def test_number_of_another_workspace_is_refused(bring_in, there, alice, mallory):
    account = CarrierAccount.unscoped.create(
        owner=mallory.workspace, account_sid=SID, auth_token="x", label="x"
    )
    Phone.unscoped.create(owner=mallory.workspace, carrier_account=account, number=OURS)
    there.phones.insert_one({"_id": PHONE, "user_id": ALICE, "number": OURS})
    there.calls.insert_one(
        {"_id": CALL, "direction": "incoming", "status": "completed"}
        | {"from": THEIRS, "to": OURS, "started_at": AT}
    )

    lines = bring_in({"*": str(alice.workspace.pk)})

    assert lines[("phones", str(PHONE), "refused")] == [
        "the number is registered already, here or there"
    ]
    assert lines[("calls", str(CALL), "refused")] == [
        "the number is not registered here"
    ]


def test_number_without_an_account_gets_the_only_one_here(bring_in, there, alice):
    account = CarrierAccount.unscoped.create(
        owner=alice.workspace, account_sid=SID, auth_token="x", label="x"
    )
    there.phones.insert_many(
        [
            {"_id": of(1), "user_id": ALICE, "number": "+12025550144"}
            | {"account_sid": "AC" + 32 * "9", "auth_token": "y"},
            {"_id": PHONE, "user_id": ALICE, "number": OURS},
        ]
    )

    bring_in({"*": str(alice.workspace.pk)}, batch_size=1)

    assert row("phones", PHONE).carrier_account == account


def test_who_is_not_in_the_map_stays_out(bring_in, filled):
    lines = bring_in({"somebody": "new:Else"})

    assert lines[("phones", str(PHONE), "refused")] == [
        "the map names no workspace for its user_id"
    ]
    assert not Call.unscoped.exists()


def test_names_can_be_mapped(bring_in, there):
    there.lines.insert_one(
        {"_id": 7, "proprietor": ALICE, "tel": {"e164": "202 555 0123"}}
        | {"account_sid": SID, "auth_token": "x"}
    )

    bring_in(
        mapping="""
        [defaults]
        country = "US"
        [phones]
        collection = "lines"
        fields.user_id = "proprietor"
        fields.number = ["number", "tel.e164"]
        """
    )

    assert row("phones", 7).number == OURS


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        ("[phones]\nfields.nummer = 'x'", "There is no phones.fields.nummer to map."),
        ("[defaults]\ntimezone = 'Mars/Base'", "defaults.timezone is no time zone."),
        ("[phones]\nfields = 3", "phones.fields is of another kind."),
    ],
)
def test_mapping_that_cannot_be_is_told(bring_in, there, mapping, why):
    with pytest.raises(CommandError, match=why.replace(".", r"\.")):
        bring_in(mapping=mapping)


def test_map_to_no_workspace_is_told(bring_in, there):
    with pytest.raises(CommandError, match="There is no workspace 'Nowhere'"):
        bring_in({"*": "Nowhere"})


def test_database_that_is_away_is_told_without_the_password(tmp_path, monkeypatch):
    monkeypatch.setattr("importing.reading.ANSWER_WITHIN_MS", 50)
    (tmp_path / "map.json").write_text("{}")

    with pytest.raises(CommandError) as told:
        call_command(
            "import_mongodb",
            uri="mongodb://me:hush@127.0.0.1:1/db",
            workspace_map=tmp_path / "map.json",
            report=tmp_path / "report.jsonl",
        )

    assert "does not answer" in str(told.value)
    assert "hush" not in str(told.value)


def test_nothing_goes_out(bring_in, filled):
    bring_in(dial=True)

    assert mail.outbox == []
    assert not Delivery.unscoped.exists()


DIES = """
import os, pathlib, signal, sys
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
import django
django.setup()
from django.core.management import call_command
from importing import running

kept = running.Importer._origin

def dies(self, step, pk, made):
    if pk == "30":
        os.kill(os.getpid(), signal.SIGKILL)
    return kept(self, step, pk, made)

running.Importer._origin = dies
call_command("import_mongodb", uri=sys.argv[2], source="old", verbosity=0,
             workspace_map=pathlib.Path(sys.argv[3]), report=pathlib.Path(sys.argv[4]),
             batch_size=7)
"""


@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_it_goes_on(bring_in, there, server, tmp_path):
    there.phones.insert_one(
        {"_id": PHONE, "user_id": ALICE, "number": OURS, "created_at": AT}
        | {"account_sid": SID, "auth_token": "x"}
    )
    usual = {"direction": "incoming", "status": "completed", "from": THEIRS, "to": OURS}
    there.calls.insert_many(
        usual | {"_id": number, "sid": f"CA{number}", "started_at": AT}
        for number in range(60)
    )
    (tmp_path / "map.json").write_text('{"*": "new:Acme"}')

    killed = subprocess.run(
        [
            *(sys.executable, "-c", DIES, connection.settings_dict["NAME"]),
            *(f"{server.uri}{there.name}", tmp_path / "map.json", tmp_path / "lines"),
        ],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        cwd=settings.BASE_DIR,
        timeout=60,
    )
    then = Call.unscoped.count()
    bring_in({"*": "new:Acme"})

    assert killed.returncode == -signal.SIGKILL
    assert then == 28
    sids = sorted(Call.unscoped.values_list("sid", flat=True))
    assert sids == sorted(f"CA{number}" for number in range(60))
    assert Workspace.objects.filter(name="Acme").count() == 1
    assert Origin.unscoped.filter(collection="calls").count() == 60
