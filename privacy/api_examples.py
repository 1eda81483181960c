"""What the bodies look like, for the schema and its readers."""

NEW_RETENTION = {
    "transcript_days": 90,
    "recording_days": 30,
    "message_days": None,
    "event_days": 30,
}
RETENTION = NEW_RETENTION | {
    "would_remove": {"transcript": 12, "recording": 40, "event": 40}
}

NEW_ERASURE = {"number": "+16285550123"}
ERASURE = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d21",
    "status": "done",
    "percent": 100,
    "asked_at": "2026-03-02T09:30:00Z",
    "done_here_at": "2026-03-02T09:30:04Z",
    "done_at": "2026-03-02T09:35:10Z",
    "erased": {"calls": 3, "transcripts": 2, "recordings": 2, "contacts": 1},
    "at_carrier": {"waiting": 0, "done": 2, "refused": 0},
    "keeps_refusal": True,
}

EXPORT = {
    "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d22",
    "status": "done",
    "percent": 100,
    "size": 48213,
    "counts": {"telephony.call": 120, "telephony.message": 40, "people": 3},
    "file_url": "https://voiceops.example/api/exports/01930c7e-2b6a-7c11-9d7e-"
    "5f0a3c1b2d22/file",
    "done_at": "2026-03-02T09:30:04Z",
    "expires_at": "2026-03-05T09:30:04Z",
    "created_at": "2026-03-02T09:30:00Z",
    "updated_at": "2026-03-02T09:30:04Z",
}
