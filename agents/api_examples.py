"""What the bodies of the agents API look like, for the schema and its readers."""

TIMES = {"created_at": "2026-03-01T12:00:00Z", "updated_at": "2026-03-01T12:00:00Z"}
PROMPT_ID = "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d05"
TOOL_ID = "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d0a"
PHONE_ID = "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d06"

NEW_PROMPT = {
    "name": "Reception",
    "text": "You answer the phone of {{ company }}. We are open 9 to 5.",
    "note": "First version",
}
PROMPT = {
    "id": PROMPT_ID,
    "name": NEW_PROMPT["name"],
    "text": NEW_PROMPT["text"],
    "version": 1,
    "placeholders": ["company"],
    "is_deleted": False,
} | TIMES
PROMPT_VERSION = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d07",
    "version": 1,
    "text": NEW_PROMPT["text"],
    "note": "First version",
    "placeholders": ["company"],
    "author_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d01",
} | TIMES
PREVIEW = {"variables": {"company": "Brightside Dental"}}
PREVIEWED = {
    "text": "You answer the phone of Brightside Dental. We are open 9 to 5.",
    "missing": [],
}

NEW_AGENT = {
    "name": "Reception",
    "phone_id": PHONE_ID,
    "direction": "incoming",
    "greeting": "Hello, this is Brightside's automated assistant.",
    "prompt_id": PROMPT_ID,
    "variables": {"company": "Brightside Dental"},
    "transport": "stream",
    "tools": ["end_call", TOOL_ID],
}
AGENT = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d08",
    **NEW_AGENT,
    "is_active": True,
    "greeting_mode": "agent_first",
    "instructions": "",
    "knows_contact": True,
    "model": "",
    "temperature": 0.4,
    "max_tokens": 300,
    "language": "en-US",
    "voice": "",
    "tts_provider": "Google",
    "transcription_provider": "Deepgram",
    "hints": "Brightside, Dr. Lee",
    "interruptible": "any",
    "interrupt_sensitivity": "high",
    "greeting_interruptible": True,
    "dtmf_detection": True,
    "dtmf_length": None,
    "filler": "",
    "filler_after_ms": 3000,
    "silence_reminders": 1,
    "silence_reminder_s": 10,
    "silence_timeout_s": 30,
    "max_duration_s": 600,
    "time_warning_s": 30,
    "end_call_phrases": ["Goodbye"],
    "end_call_message": "",
    "transfer_number": "+14155550188",
    "transfer_message": "I am connecting you, one moment please.",
    "transfer_whisper": "A caller of the assistant, about an appointment.",
    "transfer_timeout_s": 30,
    "recording_enabled": False,
    "recording_notice": "This call is recorded.",
    "summary_enabled": True,
    "extraction_schema": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Who called"},
            "is_patient": {"type": "boolean"},
        },
        "required": ["name"],
        "additionalProperties": False,
    },
    "voicemail_detection": True,
    "voicemail_message": "This is Brightside. Please call us back.",
    "screening_message": "Brightside Dental, about the appointment on Monday.",
    "window_start": "09:00:00",
    "window_end": "18:00:00",
    "window_days": ["mon", "tue", "wed", "thu", "fri"],
    "is_deleted": False,
} | TIMES
ACTIVATED_AGENT = AGENT | {"deactivated": ["01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d09"]}

NEW_MESSAGE_AGENT = {
    "name": "Front desk by text",
    "phone_id": PHONE_ID,
    "prompt_id": PROMPT_ID,
    "variables": {"company": "Brightside Dental"},
    "handoff_phrases": ["talk to a person"],
    "business_hours": {
        "timezone": "America/Los_Angeles",
        "days": {
            "mon": [["08:00", "12:00"], ["13:00", "18:00"]],
            "sat": [["09:00", "13:00"]],
        },
    },
    "away_message": "We are closed now and will answer in the morning.",
}
MESSAGE_AGENT = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d0a",
    **NEW_MESSAGE_AGENT,
    "is_active": True,
    "prompt_version": None,
    "instructions": "",
    "knows_contact": False,
    "model": "",
    "temperature": 0.4,
    "max_tokens": 300,
    "history_limit": 30,
    "reply_delay_s": 5,
    "tools": ["note_fact", "hand_over"],
    "is_deleted": False,
} | TIMES
ACTIVATED_MESSAGE_AGENT = MESSAGE_AGENT | {
    "deactivated": ["01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d0b"]
}

NEW_LANGUAGE_MODEL = {
    "base_url": "https://models.example.com/v1",
    "model": "small",
    "api_key": "sk-3f9c",
}
LANGUAGE_MODEL = {
    "base_url": "https://models.example.com/v1",
    "model": "small",
    "has_api_key": True,
    "is_own": True,
    "in_use": "small at models.example.com",
    "is_demo": False,
}

NEW_TOOL = {
    "name": "find_order",
    "description": "Finds an order by its number and tells when it arrives.",
    "parameters": {
        "type": "object",
        "properties": {
            "number": {"type": "string", "description": "The order's number."}
        },
        "required": ["number"],
    },
    "method": "GET",
    "url": "https://shop.example.com/orders/{number}",
    "headers": {"Accept-Language": "en"},
    "secret_headers": {"Authorization": "Bearer 3f9c"},
    "timeout_s": 5,
    "meanwhile": "One moment, I am looking it up.",
}
TOOL = {
    "id": TOOL_ID,
    **{name: value for name, value in NEW_TOOL.items() if name != "secret_headers"},
    "secret_header_names": ["Authorization"],
    "last_used_at": "2026-03-01T12:00:00Z",
    "last_status": "ok",
    "is_deleted": False,
} | TIMES
TOOL_TEST = {"arguments": {"number": "4711"}}
TOOL_TESTED = {"status": "ok", "text": '{"arrives": "2026-03-04"}', "elapsed_ms": 240}
