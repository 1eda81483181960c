"""What the bodies of the telephony API look like, for the schema and its readers."""

TIMES = {"created_at": "2026-03-01T12:00:00Z", "updated_at": "2026-03-01T12:00:00Z"}
ACCOUNT_ID = "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d0a"
PHONE_ID = "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d06"

NEW_CARRIER_ACCOUNT = {
    "label": "Main account",
    "account_sid": "AC00000000000000000000000000000001",
    "auth_token": "write-only, never shown again",
    "calls_per_second": 1,
    "max_concurrent_calls": 10,
}
CARRIER_ACCOUNT_CHANGE = {"label": "Main account", "max_concurrent_calls": 25}
CARRIER_ACCOUNT = {
    "id": ACCOUNT_ID,
    "label": "Main account",
    "account_sid": "AC00000000000000000000000000000001",
    "calls_per_second": 1,
    "max_concurrent_calls": 10,
    "verified_at": "2026-03-01T12:00:00Z",
    "previous_token_until": None,
    "is_deleted": False,
} | TIMES

MEDIA_LINK = {
    "url": "https://voiceops.example.com/media/eyJraW5kIjoi…",
    "expires_at": "2026-03-01T14:00:00Z",
}

NEW_PHONE = {"number": "+14155550100", "label": "Front desk"}
RELABEL = {"label": "Sales"}
PHONE = {
    "id": PHONE_ID,
    **NEW_PHONE,
    "carrier_account_id": ACCOUNT_ID,
    "is_deleted": False,
} | TIMES
AVAILABLE_NUMBERS = {
    "results": [{"number": "+14155550101", "carrier_account_id": ACCOUNT_ID}],
    "next": None,
    "previous": None,
}

CALL = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d0b",
    "sid": "CA00000000000000000000000000000001",
    "direction": "incoming",
    "status": "completed",
    "from_number": "+16285550123",
    "to_number": "+14155550100",
    "phone_id": PHONE_ID,
    "agent_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08",
    "is_test": False,
    "started_at": "2026-03-02T09:30:00Z",
    "answered_at": "2026-03-02T09:30:01Z",
    "ended_at": "2026-03-02T09:31:12Z",
    "duration_s": 71,
    "answered_by": "",
    "end_reason": "caller_hung_up",
    "end_detail": "",
    "placement": "",
    "variables": {},
    "analysis_status": "done",
    "analysis_error": "",
    "outcome": "resolved",
    "summary": "The caller asked about Saturday and was told the opening hours.",
    "extracted": {"name": "Amara Okafor", "is_patient": True},
    "cost": "0.018200",
    "currency": "USD",
    "recording_url": None,
    "words_removed_at": None,
    "events_removed_at": None,
} | TIMES
WORDS = {"text": "I will send you the form by e-mail today."}
HAND_OVER = {"to": "+16285550123"}
HANG_UP = {"goodbye": True}
INTERVENTION = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d0f",
    "kind": "say",
    **WORDS,
    "status": "done",
    "by": "Ada",
} | TIMES
CALL_DETAIL = CALL | {
    "costs": [
        {
            "part": "carrier",
            "amount": "0.017000",
            "currency": "USD",
            "is_estimate": False,
            "input_tokens": None,
            "output_tokens": None,
        },
        {
            "part": "model",
            "amount": "0.001200",
            "currency": "USD",
            "is_estimate": True,
            "input_tokens": 6800,
            "output_tokens": 300,
        },
    ],
    "cost_standing": "final",
    "turns": [
        {
            "number": 1,
            "speaker": "agent",
            "text": "Hello, this is Brightside's automated assistant.",
            "at": "2026-03-02T09:30:01Z",
            "reply_ms": None,
            "interrupted": False,
            "tool": None,
            "by": "",
        },
        {
            "number": 2,
            "speaker": "caller",
            "text": "Are you open on Saturday?",
            "at": "2026-03-02T09:30:06Z",
            "reply_ms": None,
            "interrupted": False,
            "tool": None,
            "by": "",
        },
        {
            "number": 3,
            "speaker": "tool",
            "text": "Saturday: 9:00 to 13:00",
            "at": "2026-03-02T09:30:07Z",
            "reply_ms": None,
            "interrupted": False,
            "tool": {
                "name": "opening_hours",
                "arguments": '{"day": "Saturday"}',
                "status": "ok",
                "elapsed_ms": 240,
            },
            "by": "",
        },
    ],
    "interventions": [INTERVENTION],
    "facts": [{"name": "day", "value": "Saturday", "noted_at": "2026-03-02T09:30:09Z"}],
    "events": [
        {"status": "ringing", "at": "2026-03-02T09:30:00Z", "sequence": 0},
        {"status": "completed", "at": "2026-03-02T09:31:12Z", "sequence": 3},
    ],
}

NEW_DO_NOT_CONTACT = {"number": "+16285550123", "reason": "Asked by e-mail"}
DO_NOT_CONTACT = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d0c",
    **NEW_DO_NOT_CONTACT,
    "source": "person",
    "is_deleted": False,
} | TIMES

NEW_CONTACT = {
    "number": "+16285550123",
    "name": "Ada Lovelace",
    "notes": "Prefers mornings.",
    "variables": {"plan": "Gold"},
    "call_consent": "given",
    "call_consent_at": "2026-03-03T09:00:00Z",
    "call_consent_note": "Ticked the box on our form",
}
CONTACT = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d51",
    **NEW_CONTACT,
    "email": "",
    "timezone": "",
    "text_consent": "unknown",
    "text_consent_at": None,
    "text_consent_note": "",
    "do_not_contact": False,
    "is_deleted": False,
} | TIMES

TEST_SCRIPT_ID = "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d31"
NEW_TEST_SCRIPT = {
    "agent_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08",
    "name": "Asks for an order",
    "caller": "interrupter",
    "turns": [
        {"say": "Where is my order?"},
        {"interrupt": "It is number 4711.", "after_chars": 20},
        {"press": "1#"},
        {"silence_s": 3},
        {"say": "Thank you, goodbye."},
    ],
    "expectations": [
        {"kind": "contains", "text": "on Monday", "turn": 2},
        {"kind": "tool_called", "tool": "find_order", "arguments": {"number": "4711"}},
        {"kind": "replies_within_ms", "ms": 2500},
        {"kind": "ended_by", "reason": "agent_ended"},
    ],
    "tool_answers": {"find_order": "It arrives on Monday."},
}
TEST_SCRIPT = {
    "id": TEST_SCRIPT_ID,
    **NEW_TEST_SCRIPT,
    "made_from_call_id": None,
    "is_deleted": False,
} | TIMES
REHEARSAL = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d32",
    "script_id": TEST_SCRIPT_ID,
    "agent_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08",
    "status": "failed",
    "way": "line",
    "call_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d0b",
    "results": [
        {
            "kind": "ended_by",
            "reason": "agent_ended",
            "passed": False,
            "seen": "The other party hung up",
        }
    ],
    "error": "",
    "version": "3f9a2c1b7d04",
    "prompt_version": 4,
    "model_label": "gpt-4o-mini",
    "started_at": "2026-03-01T12:00:01Z",
    "ended_at": "2026-03-01T12:00:24Z",
} | TIMES

NEW_CALL = {
    "agent_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08",
    "to": "+16285550123",
    "variables": {"patient_name": "Ada"},
}

NEW_SCHEDULED_CALL = {
    "agent_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08",
    "to": "+16285550123",
    "scheduled_for": "2030-03-04T17:00:00Z",
    "variables": {"patient_name": "Ada"},
    "max_attempts": 2,
}
SCHEDULED_CALL = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d0e",
    **NEW_SCHEDULED_CALL,
    "campaign_id": None,
    "line": None,
    "timezone": "",
    "retry_delay_s": None,
    "retry_on_voicemail": False,
    "max_late_s": 14400,
    "window_start": None,
    "window_end": None,
    "window_days": [],
    "recurring_call_id": None,
    "status": "pending",
    "detail": "",
    "attempts_made": 0,
    "next_attempt_at": "2030-03-04T17:00:00Z",
} | TIMES
SCHEDULED_CALL_DETAIL = SCHEDULED_CALL | {"attempts": []}

NEW_RECURRING_CALL = {
    "agent_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08",
    "to": "+16285550123",
    "variables": {"patient_name": "Ada"},
    "frequency": "weekly",
    "days": ["mon", "thu"],
    "time": "09:00",
    "timezone": "America/Los_Angeles",
    "starts_on": "2030-03-04",
}
RECURRING_CALL = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d0f",
    **NEW_RECURRING_CALL,
    "time": "09:00:00",
    "their_timezone": "",
    "every": 1,
    "month_day": None,
    "nth": None,
    "ends_on": None,
    "count": None,
    "max_attempts": 3,
    "retry_delay_s": None,
    "retry_on_voicemail": False,
    "max_late_s": 14400,
    "status": "active",
    "next_times": ["2030-03-04T17:00:00Z", "2030-03-07T17:00:00Z"],
} | TIMES

CALLING_RULES_CHANGE = {"window_start": "09:00", "countries": ["US", "CA"]}
CALLING_RULES = {
    "window_start": "09:00:00",
    "window_end": "18:00:00",
    "window_days": ["mon", "tue", "wed", "thu", "fri"],
    "countries": ["CA", "US"],
    "countries_in_force": ["CA", "US"],
    "calls_a_day": 500,
    "calls_a_month": 5000,
    "placed_today": 12,
    "placed_this_month": 340,
}
CALLING_RULES_CHECK = {
    "at": "2030-03-04T05:00:00Z",
    "verdict": "deferred",
    "decided_by": "window",
    "reason": "It is Sun 3 Mar, 21:00 (America/Los_Angeles) there; the workspace "
    "calls: 08:00–21:00, every day. Next time: Mon 4 Mar, 08:00.",
    "later": "2030-03-04T16:00:00Z",
    "findings": [
        {
            "rule": "number",
            "verdict": "passed",
            "text": "It is a valid telephone number.",
            "later": None,
        }
    ],
}

NEW_CAMPAIGN = {
    "name": "Recall in spring",
    "agent_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08",
    "file": "to,patient_name\n+16285550123,Ada\n",
    "default_country": "US",
    "max_attempts": 2,
}
CHANGED_CAMPAIGN = {
    "max_attempts": 3,
    "columns": {"to": "Phone", "variables": {"patient_name": "Name"}},
}
NEW_LIST = {
    "file": "Phone,Name\n+16285550123,Ada\n",
    "columns": {"to": "Phone", "variables": {"patient_name": "Name"}},
}
REDIAL = {"statuses": ["no-answer", "busy"]}
CAMPAIGN = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d0f",
    "name": "Recall in spring",
    "agent_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08",
    "default_country": "US",
    "window_start": None,
    "window_end": None,
    "window_days": [],
    "max_attempts": 2,
    "retry_delay_s": None,
    "retry_on_voicemail": False,
    "columns": {
        "to": "to",
        "timezone": None,
        "scheduled_for": None,
        "variables": {"patient_name": "patient_name"},
    },
    "status": "ready",
    "pause_reason": "",
    "redials_id": None,
    "rows": 3,
    "rows_read": 3,
    "rows_refused": 1,
    "contacts": 2,
    "started_at": None,
    "ended_at": None,
} | TIMES
CAMPAIGN_DETAIL = CAMPAIGN | {
    "contacts_by_status": {"pending": 2},
    "refused_rows": [
        {"line": 3, "text": "12345", "reason": "This is no telephone number."}
    ],
}
REFUSED_ROW = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d10",
    "line": 3,
    "kind": "number",
    "text": "12345",
    "reason": "This is no telephone number.",
} | TIMES
CAMPAIGN_EVENT = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d11",
    "kind": "started",
    "sentence": "Ada started it, with 2 contacts.",
} | TIMES
RESULTS = '"line","number","status"\r\n"2","\'+16285550123","completed"\r\n'

NEW_MESSAGE = {
    "phone_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d04",
    "to": "+16285550123",
    "body": "Your table for four is ready.",
}
MESSAGE = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d30",
    "sid": "SM5ef8732a3c49700934481addd5ce1659",
    "conversation_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d31",
    "call_id": None,
    "direction": "outgoing",
    "from_number": "+12025550123",
    "to_number": "+16285550123",
    "body": NEW_MESSAGE["body"],
    "media": [],
    "status": "delivered",
    "error_code": None,
    "error": "",
    "sent_by": "user",
    "by": "Ada",
    "segments": 1,
    "cost": "0.007900",
    "currency": "USD",
    "send_at": None,
} | TIMES
CONVERSATION = {
    "id": MESSAGE["conversation_id"],
    "phone_id": NEW_MESSAGE["phone_id"],
    "number": "+16285550123",
    "address": "+16285550123",
    "mode": "agent",
    "need": "",
    "status": "open",
    "snoozed_until": None,
    "assigned_to": "",
    "labels": ["VIP"],
    "unread_count": 0,
    "last_message": MESSAGE,
    "last_message_at": MESSAGE["created_at"],
} | TIMES
CONVERSATION_DETAIL = CONVERSATION | {
    "costs": [
        {
            "currency": "USD",
            "amount": "0.033100",
            "carrier": "0.031600",
            "model": "0.001500",
        }
    ],
    "facts": [
        {"name": "party_size", "value": "4", "noted_at": MESSAGE["created_at"]},
    ],
}
TEXT_TOOL_USE = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d40",
    "message_id": MESSAGE["id"],
    "name": "note_fact",
    "arguments": '{"name": "party_size", "value": "4"}',
    "status": "ok",
    "text": "Noted: party_size.",
    "elapsed_ms": 6,
} | TIMES
