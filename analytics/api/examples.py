"""What the bodies of the figures look like, for the schema and its readers."""

MONEY = {
    "cost": "1.284000",
    "currency": "USD",
    "costs": [{"currency": "USD", "amount": "1.284000"}],
}
CALLS_OF_A_DAY = {
    "date": "2026-03-01",
    "total": 42,
    "answered": 39,
    "failed": 1,
    "minutes": 96.25,
    **MONEY,
}
CALLS_OF_AN_HOUR = {"hour": 9, "total": 12, "answered": 11}
CALLS_OF_AN_AGENT = {
    "agent_id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d01",
    "name": "Reception",
    "total": 42,
    "incoming": 30,
    "outgoing": 12,
    "answered": 39,
    "answer_rate": 0.9286,
    "average_duration_s": 148,
    "minutes": 96.25,
    "last_call_at": "2026-03-01T16:45:10Z",
    "reply_p50_ms": 640,
    "reply_p95_ms": 1180,
    **MONEY,
}
TEXTS_OF_A_DAY = {
    "date": "2026-03-01",
    "total": 18,
    "incoming": 8,
    "outgoing": 10,
    "delivered": 9,
    "failed": 1,
    "segments": 21,
    **MONEY,
}

COSTS = {
    "date": "2026-03-01",
    "agent_id": None,
    "phone_id": None,
    "name": "",
    "currency": "USD",
    "amount": "1.426200",
    "carrier": "1.092000",
    "model": "0.171000",
    "analysis": "0.021000",
    "other": "0.000000",
    "texts_carrier": "0.132300",
    "texts_model": "0.009900",
    "calls": 42,
    "answered": 39,
    "minutes": 96.25,
    "texts": 18,
    "average_call": "0.032923",
    "average_minute": "0.013340",
}

_TILES = {
    "from": "2026-02-02",
    "to": "2026-03-03",
    "calls": {
        "total": 42,
        "incoming": 30,
        "outgoing": 12,
        "answered": 39,
        "failed": 1,
        "answer_rate": 0.9286,
        "average_duration_s": 148,
        "minutes": 96.25,
    },
    "reply_ms": {"count": 310, "p50": 640, "p95": 1180},
    "spend": [{"part": "carrier", "currency": "USD", "amount": "1.284000"}],
    "texts": {
        "total": 18,
        "incoming": 8,
        "outgoing": 10,
        "delivered": 9,
        "failed": 1,
        "segments": 21,
    },
}
SUMMARY = {
    **_TILES,
    "timezone": "America/Los_Angeles",
    "statuses": [{"name": "completed", "total": 41}],
    "outcomes": [{"name": "resolved", "total": 30}],
    "end_reasons": [{"name": "agent_ended", "total": 28}],
    "versions": [],
    "previous": {**_TILES, "from": "2026-01-03", "to": "2026-02-01"},
}
SUMMARY_FILE = '"figure","value","previous"\r\n"calls.total","42","40"\r\n'
NEW_BUDGET = {
    "amount": "250.00",
    "currency": "USD",
    "warn_percent": 80,
    "stops_outgoing": True,
}
BUDGET = NEW_BUDGET | {
    "is_set": True,
    "month": "2026-03-01",
    "spent": "96.412300",
    "is_stopped": False,
}
