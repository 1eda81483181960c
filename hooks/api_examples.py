"""What the bodies of the webhooks API look like, for the schema and its readers."""

TIMES = {"created_at": "2026-03-01T12:00:00Z", "updated_at": "2026-03-01T12:00:00Z"}

NEW_ENDPOINT = {
    "url": "https://crm.example.com/hooks/voiceops",
    "description": "The CRM",
    "events": ["call.ended", "call.analyzed"],
}
ENDPOINT = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d20",
    **NEW_ENDPOINT,
    "is_enabled": True,
    "disabled_reason": "",
    "is_deleted": False,
} | TIMES
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENDPOINT_WITH_SECRET = ENDPOINT | {"secret": SECRET}
REPLAYED = {"count": 3}
DELIVERY = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d21",
    "message_id": "msg_01930c7e2b6a7c119d7e5f0a3c1b2d21",
    "event": "call.ended",
    "call_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d0b",
    "text_id": None,
    "status": "delivered",
    "attempts_made": 1,
    "next_try_at": None,
    "delivered_at": "2026-03-02T09:31:18Z",
    "error": "",
} | TIMES
DELIVERY_DETAIL = DELIVERY | {
    "payload": '{"type": "call.ended", "timestamp": "2026-03-02T09:31:12Z", …}',
    "attempts": [
        {
            "number": 1,
            "at": "2026-03-02T09:31:18Z",
            "status_code": 200,
            "elapsed_ms": 84,
            "error": "",
            "answer": "ok",
        }
    ],
}
