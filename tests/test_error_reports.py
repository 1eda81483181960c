"""A report of an error says where it was, and nothing of whom it happened to."""

import pytest
from structlog.contextvars import bound_contextvars

from voiceops.error_reports import harmless

SECRET = "canary"


def test_report_is_made_of_what_is_harmless_alone():
    frame = {"filename": "a.py", "function": "dial", "lineno": 7, "module": "a"}
    event = {
        "event_id": "1",
        "level": "error",
        "platform": "python",
        "server_name": SECRET,
        "request": {"url": f"https://host/{SECRET}", "data": SECRET},
        "user": {"email": SECRET},
        "extra": {"celery-job": {"args": [SECRET]}},
        "breadcrumbs": {"values": [{"message": SECRET}]},
        "tags": {"of-somebody": SECRET},
        "transaction": f"/webhooks/{SECRET}",
        "transaction_info": {"source": "url"},
        "contexts": {"runtime": {"name": "CPython"}, "trace": {"data": SECRET}},
        "logentry": {"message": "call %s: refused\n" + SECRET, "params": [SECRET]},
        "exception": {
            "values": [
                {
                    "type": "ValueError",
                    "module": None,
                    "value": SECRET,
                    "stacktrace": {"frames": [frame | {"vars": {"token": SECRET}}]},
                }
            ]
        },
    }

    with bound_contextvars(request_id="r", call_id="c", user=SECRET):
        report = harmless(event)

    assert report == {
        "event_id": "1",
        "level": "error",
        "platform": "python",
        "tags": {"request_id": "r", "call_id": "c"},
        "contexts": {"runtime": {"name": "CPython"}},
        "logentry": {"message": "call %s: refused"},
        "exception": {
            "values": [
                {
                    "type": "ValueError",
                    "module": None,
                    "value": "",
                    "stacktrace": {"frames": [frame]},
                }
            ]
        },
    }


@pytest.mark.parametrize(("source", "is_told"), [("route", True), ("url", False)])
def test_report_names_a_route_and_no_address(source, is_told):
    event = {"transaction": "/calls/{pk}", "transaction_info": {"source": source}}

    assert ("transaction" in harmless(event)) == is_told
