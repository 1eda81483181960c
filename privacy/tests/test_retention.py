"""What is kept no longer: the words go; the rows and all figures stay."""

import signal
import uuid
from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts.models import AuditEntry, Membership
from agents.outcomes import Outcome
from analytics.models import Change
from hooks.models import Delivery, Endpoint
from privacy import retention
from privacy.models import Retention
from telephony.models import (
    AfterCall,
    Call,
    CallEvent,
    CallFact,
    CarrierRemoval,
    Conversation,
    Message,
    Note,
    Recording,
    Turn,
)
from telephony.samples import id_of
from telephony.services import after_call, rehearsals, removals
from telephony.services import recordings as sounds
from telephony.tests.calls import make_agent, make_call, make_phone, make_turn
from tests.people import join
from tests.processes import wait_until
from tests.worker import running_task
from voiceops.ids import earliest_uuid7

pytestmark = pytest.mark.django_db

URL = "/settings/data"
WORDS = "The caller wants her secret engine"


def days_ago(days):
    return now() - timedelta(days=days)


def make_talk(owner, days, phone=None, **fields):
    """A call of that age with all that is kept of one."""
    account = phone.carrier_account if phone else None
    call = make_call(
        owner,
        days_ago(days),
        sid=f"CA{uuid.uuid4().hex}",
        agent=make_agent(owner, name=f"Reception {uuid.uuid4().hex}"),
        phone=phone,
        carrier_account=account,
        **fields,
    )
    make_turn(call, 1, WORDS)
    make_turn(call, 2, WORDS, speaker="agent", reply_ms=700, interrupted=True)
    about = {"owner": owner, "call": call}
    CallFact.unscoped.create(**about, name="engine", value=WORDS)
    CallEvent.unscoped.create(**about, status="ringing", at=call.started_at)
    AfterCall.unscoped.create(
        **about,
        step="done",
        analysis="done",
        outcome=Outcome.RESOLVED,
        summary=WORDS,
        extracted={"said": WORDS},
    )
    endpoint = Endpoint.unscoped.get_or_create(owner=owner, url="https://a.example")[0]
    Delivery.unscoped.create(
        **about,
        endpoint=endpoint,
        event="call.analyzed",
        payload=WORDS,
        status="delivered",
    )
    return call


def make_text(owner, days, phone, address="+14155550100", **fields):
    conversation = Conversation.unscoped.get_or_create(
        owner=owner, phone=phone, address=address
    )[0]
    given = {
        "id": id_of(days_ago(days)),
        "created_at": days_ago(days),
        "carrier_account": phone.carrier_account,
        "direction": "incoming",
        "sid": f"SM{uuid.uuid4().hex}",
        "from_number": address,
        "to_number": phone.number,
        "body": WORDS,
        "media": [{"sid": f"ME{uuid.uuid4().hex}", "content_type": "image/png"}],
        "status": "received",
        "sent_by": "other_party",
    }
    return Message.unscoped.create(
        owner=owner, conversation=conversation, **{**given, **fields}
    )


def keep(owner, **days):
    return retention.save(owner, **days)


def test_without_a_word_everything_is_kept(alice):
    call = make_talk(alice.workspace, 3_000)

    retention.run(now())

    call.refresh_from_db()
    assert call.words_removed_at is None
    assert Turn.unscoped.filter(text=WORDS).count() == 2


def test_old_transcripts_lose_their_words_and_no_figure(alice):
    owner = alice.workspace
    old, young = make_talk(owner, 31), make_talk(owner, 29)
    keep(owner, transcript_days=30)
    assert Change.objects.all().delete()[0]

    retention.run(now())

    old.refresh_from_db()
    young.refresh_from_db()
    assert old.words_removed_at and young.words_removed_at is None
    turns = Turn.unscoped.filter(call=old)
    assert set(turns.values_list("text", "tool", "by")) == {("", None, "")}
    assert list(turns.values_list("reply_ms", "interrupted")) == [
        (None, False),
        (700, True),
    ]
    after = AfterCall.unscoped.get(call=old)
    assert (after.summary, after.extracted, after.outcome) == ("", None, "resolved")
    assert not CallFact.unscoped.filter(call=old).exists()
    assert not Delivery.unscoped.filter(call=old).exists()
    assert CallEvent.unscoped.filter(call=old).exists()
    assert not Change.objects.exists(), "figures would be counted anew"
    assert Turn.unscoped.filter(call=young, text=WORDS).count() == 2
    assert Delivery.unscoped.filter(call=young).exists()


def test_it_goes_on_where_it_was_killed_in_pieces(alice, monkeypatch):
    owner = alice.workspace
    calls = [make_talk(owner, days) for days in (40, 39, 38, 37)]
    keep(owner, transcript_days=30)
    monkeypatch.setattr(retention, "CHUNK", 2)
    kind, seen = retention.KINDS[0], []

    def die_at_the_third(ids, before):
        seen.append(list(ids))
        if len(seen) == 2:
            raise KeyboardInterrupt
        return kind.remove(ids, before)

    dying = retention.Kind(kind.name, kind.rows, die_at_the_third, kind.affected)
    monkeypatch.setattr(retention, "KINDS", (dying,))
    with pytest.raises(KeyboardInterrupt):
        retention.run(now())
    monkeypatch.setattr(retention, "KINDS", (kind,))
    retention.run(now())

    assert seen[0] == [call.pk for call in calls[:2]]
    assert not Call.unscoped.filter(words_removed_at=None).exists()
    assert Retention.unscoped.get().through == {"transcript": str(calls[3].pk)}


@pytest.mark.django_db(transaction=True)
def test_worker_that_is_killed_loses_nothing_and_repeats_nothing(alice):
    calls = [make_talk(alice.workspace, 31) for _ in range(30)]
    keep(alice.workspace, transcript_days=30)
    left = Call.unscoped.filter(words_removed_at=None)

    with running_task("privacy.tests.slowly", "remove_old") as process:
        wait_until(lambda: left.count() < 28, 60, "some are without words")
        process.send_signal(signal.SIGKILL)
        process.wait()
    removed = 30 - left.count()
    assert 0 < removed < 30
    through = Retention.unscoped.get().through
    assert through == {"transcript": str(calls[removed - 1].pk)}
    assert Turn.unscoped.filter(text=WORDS).count() == 2 * left.count()
    retention.run(now())

    assert not left.exists()
    assert not Turn.unscoped.filter(text=WORDS).exists()
    assert Turn.unscoped.count() == 60


def test_a_run_ends_in_time_and_workspaces_take_turns(alice, mallory):
    for tenant in (alice, mallory):
        make_talk(tenant.workspace, 31)
        keep(tenant.workspace, transcript_days=30)

    retention.run(now(), longest_s=0)

    assert not Retention.unscoped.filter(looked_at__isnull=False).exists()
    assert not Call.unscoped.filter(words_removed_at__isnull=False).exists()


def test_nobody_elses_calls_are_touched(alice, mallory):
    theirs = make_talk(mallory.workspace, 400)
    keep(alice.workspace, transcript_days=7, event_days=7)

    retention.run(now())

    theirs.refresh_from_db()
    assert theirs.words_removed_at is None
    assert CallEvent.unscoped.filter(call=theirs).exists()


def test_events_go_with_what_webhooks_were_told(alice):
    owner = alice.workspace
    call = make_talk(owner, 31)
    Delivery.unscoped.update(id=earliest_uuid7(days_ago(31)))
    pending = Delivery.unscoped.create(
        id=uuid.UUID(int=earliest_uuid7(days_ago(31)).int + 1),
        owner=owner,
        endpoint=Endpoint.unscoped.get(),
        event="call.ended",
        payload="{}",
    )
    keep(owner, event_days=30)

    retention.run(now())

    call.refresh_from_db()
    assert call.events_removed_at and call.words_removed_at is None
    assert not CallEvent.unscoped.exists()
    assert list(Delivery.unscoped.all()) == [pending]
    page = alice.client.get(call.get_absolute_url()).content.decode()
    assert "reported meanwhile is not kept" in page


# -- Recordings and texts, at the carrier too ------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_recordings_are_deleted_at_the_carrier_by_repeating(alice, carrier):
    owner = alice.workspace
    login, phone = carrier.open_account(count=1), make_phone(alice.workspace)
    account = phone.carrier_account
    account.account_sid, account.auth_token = login.sid, login.auth_token
    account.save()
    call = make_talk(owner, 31, phone)
    for n in (1, 2):
        Recording.unscoped.create(
            owner=owner, call=call, sid="RE" + str(n) * 32, status="completed"
        )
    keep(owner, recording_days=30)
    carrier.fail(login, "500")

    retention.run(now())
    assert sounds.to_hear(call) is None and sounds.was_removed(call)
    assert CarrierRemoval.unscoped.filter(status="waiting").count() == 2
    for _ in range(2):
        CarrierRemoval.unscoped.filter(next_try_at__isnull=False).update(
            next_try_at=days_ago(1)
        )
        removals.pump.run()
    retention.run(now())

    done = CarrierRemoval.unscoped.order_by("sid")
    assert [row.status for row in done] == ["done", "done"], done.values()
    assert sum(row.attempts for row in done) == 3
    page = alice.client.get(call.get_absolute_url()).content.decode()
    assert "carrier was asked" in page
    told = alice.api("GET", f"/api/calls/{call.pk}").json()
    assert (told["recording_url"], len(told["turns"])) == (None, 2)


def test_late_report_of_a_removed_recording_brings_nothing_back(alice):
    call = make_talk(alice.workspace, 31)
    row = Recording.unscoped.create(
        owner=alice.workspace, call=call, sid="RE1", status="removed"
    )

    sounds.record_recording(call, sid="RE1", status="completed", duration_s=7)

    row.refresh_from_db()
    assert row.status == "removed"


def test_old_texts_lose_their_words_here_and_at_the_carrier(alice):
    owner, phone = alice.workspace, make_phone(alice.workspace)
    old, young = make_text(owner, 31, phone), make_text(owner, 29, phone)
    later = make_text(owner, 60, phone, status="later", send_at=days_ago(-1))
    sent_late = make_text(owner, 60, phone, status="sent", send_at=days_ago(20))
    Note.unscoped.create(
        owner=owner, conversation=old.conversation, text=WORDS, created_at=days_ago(31)
    )
    keep(owner, message_days=30)
    assert Change.objects.all().delete()[0]

    retention.run(now())

    for message, is_kept in ((old, False), (young, True), (later, True)):
        message.refresh_from_db()
        assert (message.words_removed_at is None) == is_kept
        assert (message.body, bool(message.media)) == (
            (WORDS, True) if is_kept else ("", False)
        )
    assert set(
        CarrierRemoval.unscoped.filter(of_sid=old.sid).values_list("kind", flat=True)
    ) == {"medium"}
    assert CarrierRemoval.unscoped.filter(kind="message", sid=old.sid).exists()
    assert not Note.unscoped.exists()
    assert not Change.objects.exists()
    sent_late.refresh_from_db()
    page = alice.client.get(old.conversation.get_absolute_url()).content.decode()
    assert "Not kept any more" in page


def test_text_that_was_sent_long_after_it_was_written_goes_by_its_sending(alice):
    owner, phone = alice.workspace, make_phone(alice.workspace)
    text = make_text(owner, 60, phone, status="later", send_at=days_ago(-1))
    keep(owner, message_days=30)
    make_text(owner, 40, phone)
    retention.run(now())
    Message.unscoped.filter(pk=text.pk).update(status="sent", send_at=days_ago(31))

    retention.run(now())

    text.refresh_from_db()
    assert (text.body, text.words_removed_at is None) == ("", False)


# -- Without words ---------------------------------------------------------------------


def test_nothing_is_made_of_a_call_without_words(alice):
    call = make_talk(alice.workspace, 31)
    keep(alice.workspace, transcript_days=30)
    retention.run(now())
    call.refresh_from_db()

    assert not after_call.analyze_again(call)
    with pytest.raises(rehearsals.Refused):
        rehearsals.script_of(call)
    page = alice.client.get(call.get_absolute_url()).content.decode()
    assert "The figures of the call stay." in page
    assert "Analyze again" not in page and "Make a test" not in page
    told = alice.api("GET", f"/api/calls/{call.pk}").json()
    assert (told["turns"], told["summary"], told["outcome"]) == ([], "", "resolved")
    assert told["words_removed_at"]


def test_analysis_under_way_has_no_say_any_more(alice):
    owner = alice.workspace
    call = make_talk(owner, 31)
    until = now() + timedelta(minutes=1)
    AfterCall.unscoped.update(
        analysis="waiting", step="analyzing", claimed_until=until, next_try_at=now()
    )
    row = AfterCall.unscoped.get()
    keep(owner, transcript_days=30)
    retention.run(now())

    after_call._conclude(row, analysis="done", summary=WORDS)

    assert AfterCall.unscoped.get(call=call).summary == ""


# -- Page and API ----------------------------------------------------------------------


def test_page_shows_what_would_go_before_anything_is_saved(alice):
    make_talk(alice.workspace, 31)
    form = {"transcript_days": "30", "recording_days": "30"}

    previewed = alice.client.post(URL, form | {"preview": "1"})

    assert "about 1 calls with a transcript" in previewed.content.decode()
    assert "about 0 calls with a recording" in previewed.content.decode()
    assert not Retention.unscoped.exists()
    assert alice.client.post(URL, form | {"transcript_days": "6"}).status_code == 422
    assert alice.client.post(URL, form).status_code == 302
    assert 'value="30"' in alice.client.get(URL).content.decode()
    entry = AuditEntry.unscoped.get(kind="retention")
    assert entry.changes["transcript_days"] == [None, 30]


def test_api_sets_and_reads_it(alice, mallory):
    make_talk(alice.workspace, 31)
    nothing = dict.fromkeys(retention.FIELDS)
    assert alice.api("GET", "/api/retention").json() == nothing | {"would_remove": {}}

    put = alice.api("PUT", "/api/retention", {"transcript_days": 30})

    assert put.json() == nothing | {
        "transcript_days": 30,
        "would_remove": {"transcript": 1},
    }
    for body in ({"transcript_days": 6}, {"event_days": 3_651}, {"days": 3}):
        assert alice.api("PUT", "/api/retention", body).status_code == 400
    assert mallory.api("GET", "/api/retention").json()["would_remove"] == {}


def test_who_may_only_read_changes_nothing(alice):
    keep(alice.workspace, event_days=30)
    member = join(alice, "mia", Membership.Role.MEMBER)

    page = member.client.get(URL).content.decode()

    assert "30" in page and 'name="event_days"' not in page
    assert member.client.post(URL, {"event_days": "7"}).status_code == 403
    assert member.api("PUT", "/api/retention", {}).status_code == 403
    assert Retention.unscoped.get().event_days == 30
