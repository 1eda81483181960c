"""Input that means harm, or that nobody meant: a 4xx that says so, or inert text."""

import base64
import html
import json

import pytest
from django.test import Client

from accounts import services
from accounts.models import User
from agents.models import Prompt
from tests.people import PASSWORD

pytestmark = pytest.mark.django_db
PROBLEM = "application/problem+json"
MEGABYTE = 1_000_000
UNKNOWN = "01930000-0000-7000-8000-000000000000"


@pytest.fixture
def send(alice):
    """`send(method, path, raw)`: bytes as they are, with alice's token."""
    token = services.issue_login_token(alice.user)

    def send(method, path, raw=b"", content_type="application/json", **headers):
        return Client().generic(
            method,
            path,
            raw,
            content_type=content_type,
            headers={"authorization": f"Bearer {token}", **headers},
        )

    return send


@pytest.mark.parametrize(
    ("raw", "content_type", "status"),
    [
        (b'{"name": "a\\u0000b", "text": "x"}', "application/json", 400),
        (b'{"name": "\\ud800", "text": "x"}', "application/json", 400),
        (b'{"\\udfff": 1}', "application/json", 400),
        (b'{"name": "\xff\xfe", "text": "x"}', "application/json", 400),
        (b'{"name": "a", "text": "' + b"x" * 10 * MEGABYTE, "application/json", 413),
        (b"[" * 100_000 + b"]" * 100_000, "application/json", 400),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "application/json", 400),
        (b'{"name": ' + b"9" * 5_000 + b', "text": "x"}', "application/json", 400),
        (b'{"name": NaN, "text": "x"}', "application/json", 400),
        (b'{"name": Infinity, "text": "x"}', "application/json", 400),
        (b'{"name": {"$gt": ""}, "text": ["x"]}', "application/json", 400),
        (b'{"name": null, "text": true}', "application/json", 400),
        (b"", "application/json", 400),
        (b"null", "application/json", 400),
        (b"name=a&text=b", "application/x-www-form-urlencoded", 415),
        (b"<name/>", "application/xml", 415),
        (b"--x--", "multipart/form-data; boundary=x", 415),
        (b'{"name": "a", "text": "b"}', "text/plain", 415),
        (b'{"name": "a", "text": "b"}', "application/json; charset=utf-16", 400),
        (b'{"name": "a", "text": "b"}', "nonsense", 415),
        (b'{"name": "a", "text": "b"}', "", 415),
    ],
    ids=range(21),
)
def test_a_hostile_body_is_refused(raw, content_type, status, send):
    answer = send("POST", "/api/prompts", raw, content_type)

    assert (answer.status_code, answer["content-type"]) == (status, PROBLEM)
    assert answer.json()["status"] == status
    assert Prompt.unscoped.count() == 0


@pytest.mark.parametrize(
    ("field", "number"),
    [
        ("max_duration_s", 10**400),
        ("max_duration_s", 2**31),
        ("max_duration_s", -1),
        ("max_duration_s", 1e308),
        ("max_tokens", 2**63),
        ("temperature", 1e308),
        ("temperature", "1e999"),
        ("temperature", "-Infinity"),
    ],
)
def test_a_huge_number_is_refused_beside_its_field(field, number, alice):
    answer = alice.api("POST", "/api/agents", {"name": "A", field: number})

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("name", 5, "name"),
        ("max_tokens", "100", "max_tokens"),
        ("temperature", "0.5", "temperature"),
        ("temperature", True, "temperature"),
        ("recording_enabled", "off", "recording_enabled"),
        ("recording_enabled", 0, "recording_enabled"),
        ("variables", {"name": 5}, "variables.name"),
        ("end_call_phrases", ["bye", 1], "end_call_phrases.1"),
    ],
)
def test_a_value_of_another_type_is_refused_not_converted(field, value, where, alice):
    body = {"name": "A", "instructions": "Be brief.", field: value}
    answer = alice.api("POST", "/api/agents", body)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [where])


@pytest.mark.parametrize(
    "query",
    [
        "q=%00",
        "q=%ED%A0%80",
        "q=%FF%FE",
        "number=%00",
        "agent_id=%00",
        "cursor=%00",
        "cursor=%ff",
        "cursor=nonsense",
        "cursor=" + base64.b64encode(b"p=x").decode(),
        "cursor=" + base64.b64encode(b"p=2026-01-01").decode(),
        "cursor=" + base64.b64encode(b"o=-1").decode(),
        "page_size=1e2",
        "page_size=" + "9" * 5_000,
        "page_size=%D9%A3",
        "from=0000-00-00",
        "from=99999-01-01",
        "from=0001-01-01",
        "from=1969-12-31",
        "to=9999-12-31",
        "number=abc",
        "number=%D9%A3",
        "status=busy&status=completed",
        "format=xml",
        "to=%00",
        "%00=1",
        "%ff=1",
        "q=" + "x" * 5_000,
    ],
)
def test_a_hostile_query_is_refused(query, send):
    answer = send("GET", f"/api/calls?{query}")

    assert (answer.status_code, answer["content-type"]) == (400, PROBLEM)


@pytest.mark.parametrize("path", ["/api/audit-log", "/api/scheduled-calls"])
@pytest.mark.parametrize("query", ["from=0001-01-01", "to=9999-12-31"])
def test_a_day_beyond_every_calendar_is_refused(path, query, send):
    answer = send("GET", f"{path}?{query}")

    assert (answer.status_code, answer["content-type"]) == (400, PROBLEM)


@pytest.mark.parametrize(
    "path",
    [
        "/api/calls/%00",
        "/api/calls/%ED%A0%80",
        "/api/calls/%FF",
        "/api/calls/..%2f..%2fetc%2fpasswd",
        "/api/calls/" + "x" * 10_000,
        "/api/prompts/%00",
        "/api/prompts/%FF",
        f"/api/prompts/{UNKNOWN}%00",
        f"/api/prompts/{UNKNOWN.upper()}",
        "/api/%00",
        "/api/%FF%FE",
        "/agents/%ED%A0%80",
    ],
)
def test_a_hostile_path_is_not_found(path, send):
    answer = send("GET", path)

    assert (answer.status_code, answer["content-type"]) == (404, PROBLEM)


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("authorization", "Bearer \u00ff\u00fe", 401),
        ("authorization", "Bearer", 401),
        ("authorization", "Basic YTpi", 401),
        ("authorization", "Bearer " + "x" * 60_000, 401),
        ("accept", "text/html", 406),
    ],
)
def test_a_hostile_header_is_refused(header, value, status, send):
    answer = send("GET", "/api/prompts", **{header: value})

    assert (answer.status_code, answer["content-type"]) == (status, PROBLEM)


@pytest.mark.parametrize(
    ("method", "status"),
    [("PROPFIND", 405), ("TRACE", 405), ("DELETE", 405), ("HEAD", 200)],
)
def test_a_method_that_is_not_there_is_told(method, status, send):
    answer = send(method, "/api/prompts")

    assert answer.status_code == status
    if status == 405:
        assert answer["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_options_tells_the_methods_and_nothing_of_the_code(send):
    answer = send("OPTIONS", f"/api/phones/{UNKNOWN}")

    assert (answer.status_code, answer.json()) == (
        200,
        {"methods": ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"]},
    )


@pytest.mark.parametrize(
    "name",
    [
        "\u202egnp.exe",
        "\u2066\u2069\u200f",
        "<script>alert(1)</script>",
        "{{ 7*7 }}{% debug %}",
        "Z\u0361\u0349a\u0334l\u0337go",
        "\U0001f469\u200d\U0001f680",
    ],
)
def test_odd_text_is_kept_as_it_is_and_shown_inert(name, alice):
    made = alice.api("POST", "/api/prompts", {"name": name, "text": name})

    assert (made.status_code, made.json()["name"]) == (201, name)
    assert made["X-Content-Type-Options"] == "nosniff"
    assert html.escape(name) in alice.client.get("/prompts").content.decode()


@pytest.mark.parametrize(
    "looks_alike",
    [
        "\u0430lice@example.com",  # a Cyrillic a
        "alice@ex\u0430mple.com",
        "alice@\uff45xample.com",
        "alice@example.com\u202e",
        "ali\u200bce@example.com",
    ],
)
def test_an_address_that_only_looks_like_anothers_is_refused(looks_alike, alice):
    def send(path):
        body = json.dumps({"email": looks_alike, "password": PASSWORD})
        return Client().post(path, body, content_type="application/json")

    registered, logged_in = send("/auth/register"), send("/auth/login")

    assert (registered.status_code, list(registered.json()["errors"])) == (
        400,
        ["email"],
    )
    assert logged_in.status_code in {400, 401}
    assert User.objects.count() == 1


@pytest.mark.parametrize("email", ["ALICE@example.com", "Alice@EXAMPLE.com"])
def test_an_address_in_another_case_is_the_same(email, alice):
    answer = Client().post(
        "/auth/login",
        json.dumps({"email": email, "password": PASSWORD}),
        content_type="application/json",
    )

    assert answer.json()["user"]["id"] == str(alice.user.pk)
