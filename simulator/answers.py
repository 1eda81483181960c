"""REST answers in Twilio's shapes: resources as JSON, dates, pages, errors."""

import math
import time
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from urllib.parse import urlencode

from starlette.responses import JSONResponse

from simulator.call import API_VERSION

PRICE_AFTER_S = 2
PRICE_A_MINUTE = Decimal("0.0085")
PRICE_A_SEGMENT, PRICE_OF_MEDIA = Decimal("0.0079"), Decimal("0.0200")
MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE = 1000, 50
MESSAGES = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal Server Error"),
}


class Refused(Exception):
    """A request that Twilio refuses, with its error code."""

    def __init__(self, code: int, message: str = "", status: int = 400):
        self.status, default = MESSAGES.get(code, (status, ""))
        super().__init__(message or default)
        self.code = code

    def response(self) -> JSONResponse:
        headers = {}
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
        body = {
            "code": self.code,
            "message": str(self),
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        return JSONResponse(body, self.status, headers)


def account_json(account: dict) -> dict:
    return {
        "sid": account["sid"],
        "auth_token": account["auth_token"],
        "friendly_name": account["friendly_name"],
        "owner_account_sid": account["sid"],
        "status": "active",
        "type": "Trial",
        "date_created": date(account["created_at"]),
        "date_updated": date(account["created_at"]),
        "subresource_uris": {},
        "uri": f"/{API_VERSION}/Accounts/{account['sid']}.json",
    }


def number_json(number: dict) -> dict:
    same = (
        "sid account_sid phone_number friendly_name voice_url voice_method"
        " voice_fallback_url voice_fallback_method status_callback"
        " status_callback_method sms_url sms_method sms_fallback_url"
        " sms_fallback_method"
    )
    return {name: number[name] for name in same.split()} | {
        "api_version": API_VERSION,
        "address_requirements": "none",
        "address_sid": None,
        "beta": False,
        "bundle_sid": None,
        "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
        "date_created": date(number["created_at"]),
        "date_updated": date(number["updated_at"]),
        "emergency_address_sid": None,
        "emergency_status": "Inactive",
        "identity_sid": None,
        "origin": "twilio",
        "sms_application_sid": "",
        "status": "in-use",
        "trunk_sid": None,
        "uri": _uri(number, "IncomingPhoneNumbers"),
        "voice_application_sid": "",
        "voice_caller_id_lookup": False,
        "voice_receive_mode": "voice",
    }


def call_json(call: dict) -> dict:
    has_ended = call["ended_at"] is not None
    return {
        "sid": call["sid"],
        "account_sid": call["account_sid"],
        "parent_call_sid": call["parent_call_sid"],
        "phone_number_sid": call["phone_number_sid"] or "",
        "from": call["from_number"],
        "from_formatted": call["from_number"],
        "to": call["to_number"],
        "to_formatted": call["to_number"],
        "direction": call["direction"],
        "status": call["status"],
        "start_time": date(call["started_at"]),
        "end_time": date(call["ended_at"]),
        "duration": str(call["duration_s"]) if has_ended else None,
        "date_created": date(call["created_at"]),
        "date_updated": date(call["updated_at"]),
        "answered_by": None,
        "api_version": API_VERSION,
        "caller_name": None,
        "forwarded_from": None,
        "group_sid": None,
        "price": _price(call),
        "price_unit": "USD",
        "queue_time": "0",
        "trunk_sid": "",
        "subresource_uris": {},
        "uri": _uri(call, "Calls"),
    }


def _price(call: dict) -> str | None:
    """Of begun minutes, known some time after the end; None if nobody answered."""
    is_known = call["ended_at"] and time.time() - call["ended_at"] > PRICE_AFTER_S
    if not is_known or not call["started_at"]:
        return None
    minutes = max(1, math.ceil(call["duration_s"] / 60))
    return f"-{PRICE_A_MINUTE * minutes:.5f}"


def message_json(message: dict) -> dict:
    is_incoming = message["direction"] == "inbound"
    return {
        "sid": message["sid"],
        "account_sid": message["account_sid"],
        "api_version": API_VERSION,
        "body": message["body"],
        "date_created": date(message["created_at"]),
        "date_sent": date(message["sent_at"]),
        "date_updated": date(message["updated_at"]),
        "direction": message["direction"],
        "error_code": None if is_incoming else message["error_code"],
        "error_message": None,
        "from": message["from_number"],
        "messaging_service_sid": None,
        "num_media": str(message["num_media"]),
        "num_segments": str(segments(message["body"])),
        "price": _price_of_text(message),
        "price_unit": "USD",
        "status": message["status"],
        "subresource_uris": {
            "media": _uri(message, "Messages").replace(".json", "/Media.json")
        },
        "to": message["to_number"],
        "uri": _uri(message, "Messages"),
    }


def _price_of_text(message: dict) -> str | None:
    """Known some time after it was sent; undelivered ones cost too."""
    is_known = message["sent_at"] and time.time() - message["sent_at"] > PRICE_AFTER_S
    if not is_known:
        return None
    if message["num_media"]:
        return f"-{PRICE_OF_MEDIA:.5f}"
    return f"-{PRICE_A_SEGMENT * segments(message['body']):.5f}"


def media_json(medium: dict) -> dict:
    message = f"{medium['message_sid']}/Media/{medium['sid']}.json"
    return {
        "sid": medium["sid"],
        "account_sid": medium["account_sid"],
        "parent_sid": medium["message_sid"],
        "content_type": medium["content_type"],
        "date_created": date(medium["created_at"]),
        "date_updated": date(medium["updated_at"]),
        "uri": f"/{API_VERSION}/Accounts/{medium['account_sid']}/Messages/{message}",
    }


def page_json(key: str, path: str, query: dict[str, str], fetch) -> dict:
    """One page of a list; `fetch(limit, offset)` gives the records.

    Raises Refused for paging that is not a number.
    """
    try:
        size = int(query.get("PageSize", DEFAULT_PAGE_SIZE))
        number = int(query.get("Page", 0))
    except ValueError as exc:
        raise Refused(20001, "Page and PageSize are numbers") from exc
    size = min(max(size, 1), MAX_PAGE_SIZE)
    records = fetch(size + 1, number * size)
    filters = {k: v for k, v in query.items() if k not in ("Page", "PageSize")}

    def link(page: int) -> str:
        return f"{path}?{urlencode(filters | {'PageSize': size, 'Page': page})}"

    start = number * size
    shown = records[:size]
    return {
        key: shown,
        "page": number,
        "page_size": size,
        "start": start,
        "end": max(start + len(shown) - 1, 0),
        "first_page_uri": link(0),
        "previous_page_uri": link(number - 1) if number else None,
        "next_page_uri": link(number + 1) if len(records) > size else None,
        "uri": link(number),
    }


def segments(body: str) -> int:
    """How many SMS a body takes: GSM 03.38 taken as ASCII, else UCS-2."""
    single, joined = (160, 153) if body.isascii() else (70, 67)
    return 1 if len(body) <= single else -(-len(body) // joined)


def date(seconds: float | None) -> str | None:
    """RFC 2822, in UTC, as Twilio writes dates."""
    if seconds is None:
        return None
    return format_datetime(datetime.fromtimestamp(int(seconds), UTC))


def _uri(row: dict, kind: str) -> str:
    return f"/{API_VERSION}/Accounts/{row['account_sid']}/{kind}/{row['sid']}.json"
