"""Reading calls through the API."""

from base64 import b64encode
from datetime import UTC, datetime
from uuid import UUID

import pytest

from agents.models import VoiceAgent
from telephony.models import Call, CallEvent, Turn
from telephony.services import history
from voiceops.ids import earliest_uuid7

pytestmark = pytest.mark.django_db


def make_call(tenant, **fields):
    defaults = {
        "sid": f"CA{Call.unscoped.count():032d}",
        "direction": Call.Direction.INCOMING,
        "status": Call.Status.COMPLETED,
        "from_number": "+16285550101",
        "to_number": "+14155550100",
    }
    if "started_at" in fields:
        # As if it had been made then: the id holds the time too.
        day = int(earliest_uuid7(fields["started_at"]))
        defaults["id"] = UUID(int=day + Call.unscoped.count())
    return Call.unscoped.create(owner=tenant.workspace, **defaults | fields)


def listed(tenant, query=""):
    answer = tenant.api("GET", f"/api/calls{query}")
    assert answer.status_code == 200, answer.content
    return [call["id"] for call in answer.json()["results"]]


def test_calls_are_listed_newest_first_and_only_ones_own(alice, mallory):
    first, second = make_call(alice), make_call(alice)
    make_call(mallory)

    assert listed(alice) == [str(second.pk), str(first.pk)]


def test_calls_are_filtered_by_each_field(alice):
    agent = VoiceAgent.unscoped.create(owner=alice.workspace, name="Reception")
    day = datetime(2026, 11, 20, 23, 59, tzinfo=UTC)
    wanted = make_call(
        alice,
        agent=agent,
        status=Call.Status.BUSY,
        direction=Call.Direction.OUTGOING,
        from_number="+4930123456",
        started_at=day,
    )
    Turn.unscoped.create(
        owner=alice.workspace,
        call=wanted,
        number=1,
        speaker="caller",
        text="About my Invoice",
        at=day,
        at_ms=0,
    )
    make_call(alice, started_at=datetime(2026, 11, 21, tzinfo=UTC))

    for query in (
        f"agent_id={agent.pk}",
        "status=busy",
        "direction=outgoing",
        "number=%2B4930123456",
        "number=30123",
        "to=2026-11-20",
        "from=2026-11-20&to=2026-11-20",
        "q=invoice",
    ):
        assert listed(alice, f"?{query}") == [str(wanted.pk)], query


def test_a_search_leads_on_to_where_it_has_not_looked(alice, monkeypatch):
    """Both ways, by pages that may be empty."""
    monkeypatch.setattr(history, "SEARCHED_CALLS", 3)
    calls = [make_call(alice, status=Call.Status.COMPLETED) for _ in range(8)]
    Call.unscoped.filter(pk__in=[calls[0].pk, calls[7].pk]).update(status="busy")

    older = pages_from(alice, "/api/calls?status=busy", "next")
    newer = pages_from(alice, older[-1]["previous"], "previous")

    newest, oldest = [str(calls[7].pk)], [str(calls[0].pk)]
    assert [ids_of(answer) for answer in older] == [newest, [], oldest]
    assert [ids_of(answer) for answer in newer] == [[], [], newest]


def pages_from(tenant, url, direction):
    """The answers from that address on, until no link leads further."""
    answers = []
    while url:
        answers.append(tenant.api("GET", url).json())
        url = answers[-1][direction]
    return answers


def ids_of(answer):
    return [call["id"] for call in answer["results"]]


def test_calls_are_filtered_by_an_agent_that_is_gone(alice):
    agent = VoiceAgent.unscoped.create(owner=alice.workspace, name="Reception")
    wanted = make_call(alice, agent=agent)
    make_call(alice)
    agent.put_away()

    assert listed(alice, f"?agent_id={agent.pk}") == [str(wanted.pk)]


@pytest.mark.parametrize(
    "query",
    [
        "status=asleep",
        "direction=x",
        "agent_id=x",
        "agent_id=01930000-0000-7000-8000-000000000000",
        "from=yesterday",
        "to=2026-13-01",
        "colour=red",
        "q=%00",
        "number=%00",
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(query, alice):
    answer = alice.api("GET", f"/api/calls?{query}")

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [query.split("=")[0]]


def test_active_calls_are_those_that_have_not_ended(alice):
    ringing = make_call(alice, status=Call.Status.RINGING)
    talking = make_call(alice, status=Call.Status.IN_PROGRESS)
    make_call(alice)

    answer = alice.api("GET", "/api/calls/active").json()

    assert [call["id"] for call in answer["results"]] == [
        str(talking.pk),
        str(ringing.pk),
    ]


def test_a_call_is_read_by_id_or_sid_with_turns_and_events(alice):
    call = make_call(alice)
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    rows = {"owner": alice.workspace, "call": call, "at": at}
    Turn.unscoped.create(
        **rows, number=2, speaker="agent", text="Hi", at_ms=900, reply_ms=310
    )
    Turn.unscoped.create(**rows, number=1, speaker="caller", text="Hello", at_ms=10)
    CallEvent.unscoped.create(**rows, status="completed", sequence=3)
    CallEvent.unscoped.create(**rows, status="session-started")

    by_id = alice.api("GET", f"/api/calls/{call.pk}").json()

    assert by_id == alice.api("GET", f"/api/calls/{call.sid}").json()
    assert [(t["number"], t["speaker"], t["reply_ms"]) for t in by_id["turns"]] == [
        (1, "caller", None),
        (2, "agent", 310),
    ]
    assert by_id["events"] == [
        {"status": "completed", "at": "2026-11-20T12:00:00Z", "sequence": 3},
        {"status": "session-started", "at": "2026-11-20T12:00:00Z", "sequence": None},
    ]


def test_a_sid_of_another_tenant_finds_nothing(alice, mallory):
    theirs = make_call(alice)

    for name in (theirs.pk, theirs.sid, "nothing", "%00"):
        assert mallory.api("GET", f"/api/calls/{name}").status_code == 404


def test_turn_of_a_tool_tells_what_was_asked_and_answered(alice):
    call = make_call(alice)
    use = {"name": "f", "arguments": "{}", "status": "ok", "elapsed_ms": 12}
    for number, fields in enumerate(
        ({"speaker": "caller", "text": "Hi"}, {"speaker": "tool", "tool": use})
    ):
        Turn.unscoped.create(
            owner=alice.workspace,
            call=call,
            number=number,
            at=call.started_at,
            at_ms=0,
            **fields,
        )

    turns = alice.api("GET", f"/api/calls/{call.pk}").json()["turns"]

    assert [turn["tool"] for turn in turns] == [None, use]


def test_cursor_back_from_nowhere_is_no_error_of_ours(alice):
    call = make_call(alice)
    cursor = b64encode(b"r=1").decode()

    answer = alice.api("GET", f"/api/calls?number=1628&cursor={cursor}")

    assert [row["id"] for row in answer.json()["results"]] == [str(call.pk)]
