"""What an earlier system may have: as its clients wrote it, on good and bad days."""

from datetime import UTC, datetime, timedelta

from bson import Decimal128, ObjectId

NAME = "earlier"
AT = datetime(2025, 3, 1, 9, tzinfo=UTC)
ALICE, BOB = ObjectId("65a000000000000000000001"), ObjectId("65a000000000000000000002")
SID = "AC" + 32 * "0"
OURS, THEIRS = "+12025550123", "+14155550199"


def of(number: int) -> ObjectId:
    return ObjectId(f"65b{number:021x}")


PROMPT, PHONE, AGENT, TEXTER, CALL = (of(number) for number in range(1, 6))
OLD_PHONE, OLD_AGENT = of(6), of(7)


def users():
    return [
        {
            "_id": ALICE,
            "email": "Alice@Example.com",
            "name": "Alice 🌻 Ångström",
            "password": "$2b$12$not-to-be-brought-along",
            "isDeleted": False,
            "created_at": AT,
        },
        {"_id": BOB, "email": "bob@example.com", "isDeleted": True},
        {"_id": of(100), "name": "nobody without an address"},
        {"_id": of(101), "email": "ALICE@example.com"},
        {"_id": of(102), "email": 42},
    ]


def prompts():
    mine = {"user_id": str(ALICE), "created_at": AT, "isDeleted": False}
    return [
        {"_id": PROMPT, "name": "Front desk", "text": "Be kind. {{ name }} ✓"} | mine,
        {"_id": of(110), "name": "Front desk", "text": "Its namesake"} | mine,
        {"_id": of(111), "name": "Empty"} | mine,
        {"_id": of(112), "name": "List", "text": ["no", "text"]} | mine,
        {"_id": of(113), "name": "NUL", "text": "a\0b"} | mine,
        {"_id": of(114), "name": "Gone", "text": "x"} | mine | {"isDeleted": True},
    ]


def phones():
    return [
        {
            "_id": PHONE,
            "user_id": str(ALICE),
            "number": "+1 (202) 555-0123",
            "label": "Main",
            "account_sid": SID,
            "auth_token": "carriers-secret",
            "sid": "PN" + 32 * "1",
            "created_at": AT,
        },
        {
            "_id": OLD_PHONE,
            "user_id": ALICE,
            "number": "+12025550144",
            "account_sid": SID,
            "isDeleted": True,
            "created_at": AT - timedelta(days=300),
            "deletedAt": AT - timedelta(days=100),
        },
        {"_id": of(120), "user_id": ALICE, "number": "call me", "account_sid": SID},
        {"_id": of(121), "user_id": ALICE, "number": OURS, "account_sid": SID},
        {"_id": of(122), "user_id": ALICE, "number": "+12025550145"},
    ]


def agents():
    return [
        {
            "_id": AGENT,
            "user_id": ALICE,
            "name": "Ada",
            "phone_id": str(PHONE),
            "prompt_id": PROMPT,
            "direction": "both",
            "isActive": True,
            "temperature": Decimal128("0.7"),
            "end_call_phrases": ["bye", "auf Wiedersehen"],
            "variables": {"name": "Zoë"},
            "language": "de-DE",
            "tts_provider": "elevenlabs",
            "model": "gpt-5-mini",
            "max_tokens": 1_000_000,
            "created_at": AT,
        },
        {
            "_id": of(130),
            "user_id": ALICE,
            "name": "Second at the phone",
            "phone_id": PHONE,
            "instructions": "Wait.",
            "is_active": True,
            "direction": "inbound",
        },
        {"_id": OLD_AGENT, "user_id": ALICE, "name": "Old", "isDeleted": True},
        {"_id": of(131), "user_id": ALICE, "name": "Lost", "phone_id": of(999)},
        {"_id": of(132), "name": "Nobody's"},
    ]


def message_agents():
    return [
        {
            "_id": TEXTER,
            "user_id": ALICE,
            "name": "Tess",
            "phone_id": PHONE,
            "instructions": "Be brief.",
            "is_active": True,
            "history_limit": 12,
            "handoff_phrases": "human, a person",
        }
    ]


def calls():
    usual = {"direction": "inbound", "status": "completed", "to": OURS, "from": THEIRS}
    return [
        usual
        | {
            "_id": CALL,
            "user_id": BOB,  # whose the number is, counts
            "sid": "CA1",
            "phone_id": PHONE,
            "agent_id": str(AGENT),
            "started_at": AT,
            "duration": "61",
            "price": "-0.0170",
            "price_unit": "usd",
            "summary": "A kind talk — résumé",
            "transcript": [
                {"role": "assistant", "content": "Hallo!"},
                {"role": "user", "content": "Grüß Gott 👋", "timestamp": AT},
                {"role": "martian", "content": "…"},
                "noise",
            ],
        },
        usual | {"_id": of(140), "sid": "CA1", "started_at": AT},
        usual | {"_id": of(141), "started_at": AT, "status": "in-progress"},
        usual | {"_id": of(142), "started_at": AT, "to": "+12025550199"},
        usual | {"_id": of(143), "started_at": "yesterday"},
        usual | {"_id": of(144), "started_at": AT, "agent_id": of(999)},
        usual | {"_id": of(145), "started_at": AT, "isDeleted": True},
        usual | {"_id": of(146), "started_at": AT, "status": "exploded"},
        usual | {"_id": of(147), "direction": "sideways", "started_at": AT},
        usual | {"_id": of(148), "started_at": AT, "duration": -5},
        {
            "_id": of(149),
            "direction": "outbound-api",
            "status": "No_Answer",
            "to_number": THEIRS,
            "from_number": "+1 202 555 0144",
            "agent_id": OLD_AGENT,
            "started_at": "2024-08-01T12:00:00+02:00",
        },
        usual | {"_id": of(150), "from": "anonymous", "created_at": 1_740_819_600},
        usual | {"_id": of(151), "started_at": AT, "duration": 10**14},
        usual | {"_id": of(152), "started_at": AT, "ended_at": AT + timedelta(days=9)},
        usual | {"_id": "a-text-for-an-id", "started_at": AT, "from": None},
    ]


def messages():
    came = {"direction": "inbound", "from": THEIRS, "to": OURS}
    sent = {"direction": "outbound-api", "from": OURS, "to": THEIRS}
    return [
        came | {"_id": of(160), "sid": "SM1", "body": "Hi 👋", "created_at": AT},
        sent
        | {
            "_id": of(161),
            "body": "Good day",
            "status": "delivered",
            "agent_id": TEXTER,
            "created_at": AT + timedelta(minutes=1),
        },
        sent | {"_id": of(162), "body": "never sent", "status": "later"},
        came | {"_id": of(163), "from": None, "body": "?", "created_at": AT},
        came
        | {
            "_id": of(164),
            "from": "+14155550177",
            "body": "stop",
            "created_at": AT + timedelta(minutes=2),
        },
        came | {"_id": of(165), "body": {"html": "?"}, "created_at": AT},
    ]


def scheduled_calls():
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    mine = {"agent_id": AGENT, "to_number": THEIRS, "status": "scheduled"}
    return [
        mine | {"_id": of(170), "scheduled_for": tomorrow, "variables": {"name": "Jo"}},
        mine | {"_id": of(171), "scheduled_for": AT},
        mine
        | {
            "_id": of(172),
            "scheduled_for": AT,
            "status": "completed",
            "call_id": of(149),
            "agent_id": OLD_AGENT,
        },
        mine | {"_id": of(173), "scheduled_for": tomorrow, "status": "dialing"},
        mine | {"_id": of(174), "scheduled_for": tomorrow, "isDeleted": True},
        mine | {"_id": of(175), "scheduled_for": tomorrow, "to_number": "12"},
        mine | {"_id": of(176)},
        mine | {"_id": of(177), "scheduled_for": tomorrow, "agent_id": of(998)},
    ]


def earlier_system():
    kinds = (users, prompts, phones, agents, message_agents, calls, messages)
    return {kind.__name__: kind() for kind in (*kinds, scheduled_calls)}
