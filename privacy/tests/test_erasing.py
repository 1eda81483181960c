"""A number is forgotten: it stands nowhere any more, and refusals outlive it."""

import itertools
import re
import signal
from datetime import timedelta

import pytest
import time_machine
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, models
from django.utils.timezone import now

from accounts.models import AuditEntry, Membership, Workspace
from analytics import rollup
from analytics.models import Bucket, Change
from privacy import erasing, erasures, exports
from privacy.masking import Number
from privacy.models import Erasure, ExportPiece
from privacy.tests.test_exporting import opened
from privacy.tests.test_retention import WORDS, make_talk, make_text
from telephony import twilio
from telephony.models import (
    Budget,
    BudgetNotice,
    Call,
    CarrierRemoval,
    Contact,
    Conversation,
    DoNotContact,
    Message,
    Recording,
    ScheduledCall,
    Turn,
)
from telephony.services import do_not_contact, hashes, removals
from telephony.services.recordings import record_recording
from telephony.tests.calls import (
    make_agent,
    make_call,
    make_live_call,
    make_phone,
    make_turn,
)
from telephony.tests.test_recordings import heard_call  # noqa: F401
from tests.people import join
from tests.processes import wait_until
from tests.walls import furnish, owned_models
from tests.worker import running_task
from voiceops.encryption import EncryptedTextField

pytestmark = pytest.mark.django_db

NUMBER = "+14155550100"
SPELLED = [
    *("+1 415-555-0100", "(415) 555-0100", "415.555.0100", "14155550100"),
    *("001 415/555 0100", "415\u00a0555\u20110100", "%2B14155550100"),
]


HOUR_AGO = now() - timedelta(hours=1)
A_WHILE = timedelta(minutes=2)  # calls of these tests end within it


def forget(tenant, number=NUMBER):
    erasure = erasures.ask(tenant.workspace, number)
    return go_on(erasure)


def go_on(erasure, times=3):
    """As by the clock, and with a carrier that deletes what it is asked to."""
    for _ in range(times):
        erasure.refresh_from_db()
        told = (now(), erasure.next_try_at, erasure.claimed_until)
        with time_machine.travel(max(filter(None, told)) + A_WHILE):
            erasures.run()
        CarrierRemoval.unscoped.update(status="done", next_try_at=None)
    erasure.refresh_from_db()
    return erasure


def places_of_number():
    """Where it stands: all columns of all tables as they are, encrypted ones opened."""
    return [place for place, value in all_values() if holds_number(value)]


def holds_number(value):
    """Whether its digits stand in it, parted by whatever parts digits."""
    bare = re.sub(r"[\s().\-/]|\\+(xa0|u00a0|u2011)", "", ascii(value))
    return NUMBER.removeprefix("+1") in bare


def all_values():
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for name, value in zip(names, row, strict=True):
                    yield f"{table}.{name}", value
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedTextField):
                for value in model._base_manager.values_list(field.name, flat=True):
                    yield f"{model._meta.db_table}.{field.name}, opened", value


# -- Everywhere ------------------------------------------------------------------------


def plant(row):
    """Put the number into every column of the row that holds texts."""
    changes = {}
    spellings = itertools.cycle(SPELLED)
    for field in row._meta.concrete_fields:
        if isinstance(field, models.JSONField):
            value = getattr(row, field.attname)
            said = [14155550100, *(f"It is {spelled}." for spelled in SPELLED)]
            is_list = isinstance(value, list)
            changes[field.attname] = [{"said": said}] if is_list else {NUMBER: said}
        elif isinstance(field, models.CharField | models.TextField):
            long = field.max_length is None or field.max_length > 40
            text = f"It is {next(spellings)}!" if long else NUMBER
            if not field.choices and (field.max_length or 99) >= len(text):
                changes[field.attname] = text
    rows = models.QuerySet(model=type(row)).filter(pk=row.pk)
    rows.update(**changes)
    return len(changes)


def test_no_row_of_any_table_holds_it_afterwards(alice):
    rows = furnish(alice)
    Call.unscoped.update(status="completed", ended_at=now())
    exports.ask(alice.workspace, by=alice.user)
    erasure = erasures.ask(alice.workspace, NUMBER)
    planted = {type(row) for row in rows if row.pk != erasure.pk and plant(row)}
    LogEntry.objects.create(
        user=alice.user,
        content_type=ContentType.objects.get_for_model(Contact),
        object_id=str(rows[0].pk),
        object_repr=SPELLED[0],
        action_flag=2,
    )
    no_room = {one for one in owned_models() if not erasing._texts_of(one)}
    no_room |= {Budget, BudgetNotice}  # three letters of a currency
    assert planted >= set(owned_models()) - no_room - {Erasure}
    exports.run()
    assert len(places_of_number()) > 100
    before = exports.latest(alice.workspace)
    assert any(map(holds_number, told_in(before)))

    # An erasure's own columns and a carrier's SIDs are no texts of people.
    Erasure.unscoped.exclude(pk=erasure.pk).delete()
    CarrierRemoval.unscoped.all().delete()
    done = go_on(erasure)

    assert done.status == "done", done.status
    assert places_of_number() == []
    assert (done.sealed_number, done.digest) == ("", "")
    assert not ExportPiece.unscoped.exists()
    exports.ask(alice.workspace, by=alice.user)
    exports.run()
    after = exports.latest(alice.workspace)
    assert after != before and after.status == "done"
    assert not any(map(holds_number, told_in(after)))


def told_in(export):
    with opened(export) as archive:
        return [archive.read(name).decode() for name in archive.namelist()]


def test_encrypted_columns_are_looked_through_too(alice):
    models_ = [
        model
        for model in erasing.swept_models()
        if any(isinstance(f, EncryptedTextField) for f in model._meta.concrete_fields)
    ]
    assert {model.__name__ for model in models_} >= {"Tool", "CarrierAccount"}


# -- What becomes of what --------------------------------------------------------------


def test_calls_keep_their_figures_and_lose_the_person(alice):
    owner = alice.workspace
    phone = make_phone(owner, "+14155550142")
    call = make_talk(owner, 3, phone, variables={"name": "Ada"}, from_number=NUMBER)
    other = make_talk(owner, 2, from_number="+14155550177")
    make_turn(other, 3, f"Call {SPELLED[1]} or 415 555 01001.")
    Recording.unscoped.create(owner=owner, call=call, sid="RE1", status="completed")
    assert Change.objects.all().delete()[0]

    receipt = forget(alice)

    call.refresh_from_db()
    assert (call.from_number, call.to_number) == ("erased", "+14155550142")
    assert (call.duration_s, call.variables, bool(call.words_removed_at)) == (
        61,
        {},
        True,
    )
    assert not Turn.unscoped.filter(call=call, text=WORDS).exists()
    assert not Change.objects.exists()
    assert Recording.unscoped.get().status == "removed"
    assert CarrierRemoval.unscoped.get().batch == receipt.pk
    other.refresh_from_db()
    assert (other.from_number, other.words_removed_at) == ("+14155550177", None)
    text = Turn.unscoped.get(call=other, number=3).text
    assert text == "Call erased or 415 555 01001."
    page = alice.client.get(call.get_absolute_url()).content.decode()
    assert "Forgotten number" in page and "Call back" not in page
    assert alice.client.get("/calls?number=4155550100").status_code == 200


def test_texts_schedules_and_contact_go(alice):
    owner = alice.workspace
    phone = make_phone(owner)
    text = make_text(owner, 3, phone, NUMBER)
    waiting = make_text(
        owner, 0, phone, NUMBER, status="later", direction="outgoing",
        from_number=phone.number, to_number=NUMBER, send_at=now() + timedelta(days=1),
    )  # fmt: skip
    by_whatsapp = make_text(owner, 1, phone, f"whatsapp:{NUMBER}")
    Contact.unscoped.create(owner=owner, number=NUMBER, name="Ada", notes=WORDS)
    call = make_talk(owner, 1, phone)
    row = ScheduledCall.unscoped.create(
        owner=owner,
        agent=call.agent,
        to_number=NUMBER,
        scheduled_for=now() + timedelta(days=1),
        due_at=now() + timedelta(days=1),
        next_attempt_at=now() + timedelta(days=1),
        variables={"name": "Ada"},
    )

    receipt = forget(alice)

    for message, field in (
        (text, "from_number"),
        (waiting, "to_number"),
        (by_whatsapp, "from_number"),
    ):
        message.refresh_from_db()
        assert (message.body, getattr(message, field)) == ("", "erased")
    assert waiting.status == "canceled"
    addresses = Conversation.unscoped.values_list("address", flat=True)
    assert len(set(addresses)) == 2
    assert all(one.startswith("erased-") and one.isascii() for one in addresses)
    assert not Contact.unscoped.exists()
    row.refresh_from_db()
    assert (row.status, row.to_number, row.variables) == ("canceled", "erased", {})
    assert receipt.counts["texts"] == 3 and receipt.counts["contacts"] == 1
    assert alice.client.get(text.conversation.get_absolute_url()).status_code == 200
    assert alice.client.get(row.get_absolute_url()).status_code == 200
    assert alice.client.get("/inbox?tab=closed").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_recording_is_deleted_at_the_carrier(alice, heard_call):  # noqa: F811
    call, sid = heard_call, Recording.unscoped.get().sid
    account = call.carrier_account
    Call.unscoped.filter(pk=call.pk).update(to_number=NUMBER)
    b"".join(twilio.open_recording(account, sid)[1])  # it is there
    erasure = erasures.ask(alice.workspace, NUMBER)

    erasures.run()
    erasure.refresh_from_db()
    assert (erasure.status, erasure.sealed_number) == ("at_carrier", "")
    removals.pump.run()
    erasure = go_on(erasure)

    with pytest.raises(twilio.NotFound):
        twilio.open_recording(account, sid)
    assert erasure.status == "done"
    assert erasures.at_carrier(erasure) == {"waiting": 0, "done": 1, "refused": 0}
    late = "RE" + "2" * 32
    call.refresh_from_db()
    record_recording(call, sid=late, status="completed")
    assert Recording.unscoped.get(sid=late).status == "removed"
    assert CarrierRemoval.unscoped.get(sid=late).status == "waiting"


def test_figures_agree_afterwards(alice):
    owner = alice.workspace
    call = make_talk(owner, 3, from_number=NUMBER)
    make_text(owner, 3, make_phone(owner), NUMBER)
    rollup.fold()
    counted = list(Bucket.unscoped.order_by("pk").values())

    forget(alice)
    rollup.fold()

    call_command("check_rollup", workspace=owner.pk)
    assert counted and list(Bucket.unscoped.order_by("pk").values()) == counted
    Call.unscoped.filter(pk=call.pk).delete()  # what is gone is not counted
    rollup.fold()
    call_command("check_rollup", workspace=owner.pk)
    assert list(Bucket.unscoped.order_by("pk").values()) != counted


@pytest.mark.parametrize("by", ["list", "contact"])
def test_refusal_outlives_the_number(by, alice, mallory):
    owner = alice.workspace
    if by == "list":
        do_not_contact.add(owner=owner, number=NUMBER, source="stop")
    else:
        Contact.unscoped.create(owner=owner, number=NUMBER, call_consent="refused")

    assert forget(alice).keeps_refusal

    assert places_of_number() == []
    owner = Workspace.objects.get(pk=owner.pk)
    assert do_not_contact.find(owner, NUMBER) and do_not_contact.find(owner.pk, NUMBER)
    assert do_not_contact.find(owner, "+14155550101") is None
    assert do_not_contact.find(mallory.workspace, NUMBER) is None
    page = alice.client.get("/do-not-contact").content.decode()
    assert "Forgotten number" in page
    assert do_not_contact.remove(do_not_contact.find(owner, NUMBER), by=alice.user)
    assert do_not_contact.find(owner, NUMBER) is None


def test_two_workspaces_hash_a_number_differently(alice, mallory):
    mine, theirs = (hashes.of_number(t.workspace, NUMBER) for t in (alice, mallory))

    assert mine != theirs
    assert mine == hashes.of_number(alice.workspace, NUMBER)


def test_nobody_elses_rows_are_touched(alice, mallory):
    theirs = make_call(mallory.workspace, from_number=NUMBER)

    forget(alice)

    theirs.refresh_from_db()
    assert theirs.from_number == NUMBER


def test_it_waits_for_the_end_of_a_call_that_goes_on(alice):
    call = make_live_call(alice.workspace, from_number=NUMBER)

    erasure = forget(alice)
    assert (erasure.status, erasure.step) == ("waiting", 0)
    call.advance("completed", at=now())
    erasure = go_on(erasure)

    call.refresh_from_db()
    assert (erasure.status, call.from_number) == ("done", "erased")


def test_it_goes_on_where_it_was_killed(alice, monkeypatch):
    for _ in range(3):
        make_call(alice.workspace, HOUR_AGO, from_number=NUMBER)
    monkeypatch.setattr(erasing, "CHUNK", 1)
    erasure = erasures.ask(alice.workspace, NUMBER)
    pieces = iter(range(5))
    whole = erasing.do_piece

    def die(*args):
        if next(pieces, None) is None:
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(erasing, "do_piece", die)
    with pytest.raises(KeyboardInterrupt):
        erasures.run()
    monkeypatch.setattr(erasing, "do_piece", whole)
    Erasure.unscoped.update(claimed_until=None)
    erasure = go_on(erasure)

    assert (erasure.status, erasure.counts["calls"]) == ("done", 3)


@pytest.mark.django_db(transaction=True)
def test_worker_that_is_killed_has_erased_what_it_said(alice, mallory):
    """By SIGKILL, between two pieces or in one; whoever comes next does the rest."""
    owner, many = alice.workspace, 30
    for _ in range(many):
        make_turn(make_call(owner, HOUR_AGO, from_number=NUMBER), 1, WORDS)
    theirs = make_turn(make_call(mallory.workspace, from_number=NUMBER), 1, WORDS)
    erasure = erasures.ask(owner, NUMBER)
    left = Call.unscoped.filter(owner=owner, from_number=NUMBER)

    with running_task("privacy.tests.slowly", "forget") as process:
        wait_until(lambda: left.count() < many - 2, 60, "some calls are erased")
        process.send_signal(signal.SIGKILL)
        process.wait()
    erasure.refresh_from_db()
    assert 0 < left.count() < many
    assert erasure.counts["calls"] == many - left.count()
    assert Turn.unscoped.filter(call__in=left, text=WORDS).count() == left.count()
    erasure = go_on(erasure)

    assert (erasure.status, erasure.counts["calls"]) == ("done", many)
    assert not Turn.unscoped.filter(owner=owner, text=WORDS).exists()
    theirs.refresh_from_db()
    assert (theirs.text, theirs.call.from_number) == (WORDS, NUMBER)


def test_call_that_begins_meanwhile_is_left_alone_until_it_is_over(alice, monkeypatch):
    """Its words are still being written: nobody would find them afterwards."""
    begun = []

    def begin(erasure, _whole=erasing.is_under_way):
        answer = _whole(erasure)
        if not begun:
            begun.append(make_live_call(alice.workspace, from_number=NUMBER))
        return answer

    monkeypatch.setattr(erasing, "is_under_way", begin)
    erasure = forget(alice)

    (call,) = begun
    call.refresh_from_db()
    assert (call.from_number, erasure.status) == (NUMBER, "waiting")
    make_turn(call, 1, WORDS)
    call.advance("completed", at=now())
    assert go_on(erasure).status == "done"
    assert not Turn.unscoped.filter(text=WORDS).exists()
    call.refresh_from_db()
    assert call.from_number == "erased"


def test_somebody_who_calls_meanwhile_is_forgotten_too(alice, monkeypatch):
    late = []

    def call_in(erasure, _whole=erasing.is_left):
        if not late:
            late.append(make_call(alice.workspace, from_number=NUMBER))
        return _whole(erasure)

    monkeypatch.setattr(erasing, "is_left", call_in)

    assert forget(alice).status == "done"

    late[0].refresh_from_db()
    assert late[0].from_number == "erased"


def test_audit_log_tells_that_a_number_was_forgotten_and_not_which(alice):
    do_not_contact.add(owner=alice.workspace, number=NUMBER, by=alice.user)

    forget(alice)

    told = AuditEntry.unscoped.filter(kind__in=["do_not_contact", "erasure"])
    assert {entry.label for entry in told.filter(kind="do_not_contact")} == {"erased"}
    assert told.filter(kind="erasure").count() == 1
    assert DoNotContact.unscoped.count() == 1
    assert Message.unscoped.count() == 0


@pytest.mark.parametrize("text", [*SPELLED, NUMBER, "001 415 555 0100"])
def test_every_spelling_is_found(text):
    assert Number(NUMBER).masked(f"<{text}>") == "<erased>"


@pytest.mark.parametrize(
    "text", ["44155550100", "41555501001", "555-0100", "9914155550100"]
)
def test_other_numbers_are_left_alone(text):
    assert Number(NUMBER).masked(text) == text


# -- Page and API ----------------------------------------------------------------------

URL = "/settings/data/forget"


def test_page_says_what_goes_then_forgets_and_gives_a_receipt(alice):
    make_call(alice.workspace, from_number=NUMBER)
    assert alice.client.post(URL, {"number": "4711"}).status_code == 422

    asked = alice.client.post(URL, {"number": SPELLED[0]})
    page = asked.content.decode()
    assert "Forget +1 415-555-0100?" in page and not Erasure.unscoped.exists()
    answer = alice.client.post(URL, {"number": NUMBER, "confirmed": "1"})
    erasure = Erasure.unscoped.get()
    assert answer["Location"] == erasure.get_absolute_url()
    assert "hx-get" in alice.client.get(answer["Location"]).content.decode()
    go_on(erasure)

    receipt = alice.client.get(answer["Location"]).content.decode()
    assert "Calls that lost the number" in receipt
    assert not holds_number(receipt)
    assert alice.user.email not in receipt.split("<main", 1)[1]
    listed = alice.client.get("/settings/data").content.decode()
    assert erasure.get_absolute_url() in listed
    assert URL in alice.client.get(f"/people/{NUMBER}").content.decode()


def test_api_forgets_and_tells_how_far_it_is(alice, mallory):
    made = alice.api("POST", "/api/erasures", {"number": NUMBER})
    again = alice.api("POST", "/api/erasures", {"number": NUMBER})

    assert (made.status_code, again.status_code) == (202, 202)
    assert made.json()["id"] == again.json()["id"]
    go_on(Erasure.unscoped.get())
    path = f"/api/erasures/{made.json()['id']}"
    told = alice.api("GET", path).json()
    assert (told["status"], told["percent"]) == ("done", 100)
    assert set(told) == {
        *("id", "status", "percent", "asked_at", "done_here_at", "done_at"),
        *("erased", "at_carrier", "keeps_refusal"),
    }
    assert not holds_number(told) and "@" not in str(told)
    assert alice.api("GET", "/api/erasures").json()["results"] == [told]
    assert mallory.api("GET", path).status_code == 404
    assert alice.api("POST", "/api/erasures", {"number": "1"}).status_code == 400


def test_own_numbers_and_those_of_agents_are_refused(alice):
    owner = alice.workspace
    make_phone(owner, "+14155550142")
    make_agent(owner, transfer_number="+1 415 555 0143")

    for number in ("+14155550142", "+14155550143"):
        refused = alice.api("POST", "/api/erasures", {"number": number})
        assert refused.status_code == 409, refused.json()
        assert alice.client.post(URL, {"number": number}).status_code == 422


def test_members_do_not_forget_numbers(alice):
    member = join(alice, "mia", Membership.Role.MEMBER)

    assert member.client.get(URL).status_code == 403
    body = {"number": NUMBER}
    assert member.api("POST", "/api/erasures", body).status_code == 403
    assert URL not in member.client.get(f"/people/{NUMBER}").content.decode()
    assert not Erasure.unscoped.exists()
