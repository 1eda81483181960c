"""What the bodies of the alerts API look like, for the schema and its readers."""

TIMES = {"created_at": "2026-03-01T12:00:00Z", "updated_at": "2026-03-01T12:00:00Z"}

NEW_ALERT = {
    "name": "Calls are not answered",
    "metric": "answer_rate",
    "direction": "incoming",
    "threshold": "80",
    "window_minutes": 60,
    "minimum_calls": 10,
    "mail_to": ["admins"],
}
ALERT = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d40",
    **NEW_ALERT,
    "agent_id": None,
    "threshold": "80.000000",
    "currency": "",
    "unit": "percent",
    "working_hours": {},
    "tells_webhooks": True,
    "is_active": True,
    "muted_until": None,
    "state": "firing",
    "value": "62.500000",
    "calls": 24,
    "checked_at": "2026-03-02T09:31:00Z",
    "is_deleted": False,
} | TIMES
EPISODE = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d41",
    "alert_id": ALERT["id"],
    "threshold": "80.000000",
    "window_minutes": 60,
    "started_at": "2026-03-02T09:07:00Z",
    "ended_at": None,
    "end_reason": "",
    "value": "75.000000",
    "worst_value": "62.500000",
    "end_value": None,
    "calls": 16,
    "end_calls": None,
    "told_at": "2026-03-02T09:07:00Z",
} | TIMES
TESTED = {"mails": 2}
