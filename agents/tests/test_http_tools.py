import asyncio
import json

import pytest
from django.core.exceptions import ValidationError

from agents.tools import http
from agents.tools.http import Endpoint, check_endpoint, check_headers, request_of
from agents.tools.outcome import MAX_SHOWN_CHARACTERS
from agents.tools.schema import BadArguments
from tests.hasty import sometime
from tests.stub_service import stub_service

__all__ = ["stub_service"]

ANY = {"type": "object", "properties": {"id": {}}, "required": ["id"]}


def endpoint(url, method="GET", parameters=ANY, **fields):
    return Endpoint(method, url, parameters, **fields)


def use(tool, **arguments):
    return asyncio.run(http.call(tool, json.dumps(arguments)))


# -- What is saved ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com/", "https"),
        ("https://{id}.example.com/", "not in the host"),
        ("https://{id}/", "not in the host"),
        ("{id}://example.com/", "https"),
        ("https://example.com:{id}/", "not an address"),
        ("https://example.com/{id", "left open"),
        ("https://example.com/id}", "left open"),
        ("https://example.com/{}", "left open"),
        ("https://example.com/{a b}", "left open"),
        ("https://example.com/{other}", "required"),
        ("https://example.com/{id}#top", "#"),
        ("https://127.0.0.1/{id}", "private"),
        ("https://localhost.", "name of a host"),
    ],
)
def test_address_is_refused(url, why):
    with pytest.raises(ValidationError) as refused:
        check_endpoint(endpoint(url))

    assert why in refused.value.messages[0]


def test_address_over_http_is_for_development(settings):
    check_endpoint(endpoint("http://example.com/{id}"))
    settings.PRODUCTION = True

    with pytest.raises(ValidationError):
        check_endpoint(endpoint("http://example.com/{id}"))


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"content-length": "1"},
        {"Transfer-Encoding": "chunked"},
        {"X Y": "1"},
        {"": "1"},
        {"X:": "1"},
        {"X-Key": "a\r\nHost: evil"},
        {"X-Key": "ключ"},
        {"X-Key": "x" * 2001},
        {"X-Key": "a", "x-key": "b"},
        {f"X-{n}": "1" for n in range(21)},
    ],
)
def test_headers_are_refused(headers):
    with pytest.raises(ValidationError):
        check_headers(headers)


def test_headers_are_taken():
    check_headers({"Authorization": "Bearer a.b-c", "X-Api-Key": "", "Accept": "*/*"})


# -- What is sent ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("42", "/orders/42"),
        (42, "/orders/42"),
        (True, "/orders/true"),
        ("a/b", "/orders/a%2Fb"),
        ("a?b#c&d=e", "/orders/a%3Fb%23c&d=e"),
        ("../admin", "/orders/..%2Fadmin"),
        ("%2e%2e", "/orders/%252e%252e"),
        ("{id}", "/orders/%7Bid%7D"),
        ("@evil.example", "/orders/@evil.example"),
        ("\\evil", "/orders/%5Cevil"),
        ("ü ß", "/orders/%C3%BC%20%C3%9F"),
        ("a\r\nHost: evil", "/orders/a%0D%0AHost:%20evil"),
    ],
)
def test_argument_stays_in_its_place(stub_service, value, path):
    outcome = use(endpoint(f"{stub_service.url}/orders/{{id}}"), id=value)

    assert outcome.status == "ok"
    assert [one["path"] for one in stub_service.requests] == [path]


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_argument_that_changes_the_path_is_refused(stub_service, value):
    outcome = use(endpoint(f"{stub_service.url}/orders/{{id}}/items"), id=value)

    assert outcome.status == "refused"
    assert stub_service.requests == []


@pytest.mark.parametrize("url", ["https://a.example\\{id}", "https://{id}.example/"])
def test_argument_never_chooses_the_host(url):
    with pytest.raises(BadArguments):
        request_of(endpoint(url), {"id": "evil"})


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_other_arguments_go_into_the_query(stub_service, method):
    tool = endpoint(f"{stub_service.url}/orders/{{id}}?v={{id}}&k=1", method)

    use(tool, id="a&b", day="1+1", open=True, tags=["x", "y"], size={"w": 1})

    (request,) = stub_service.requests
    assert (request["method"], request["body"]) == (method, "")
    path, query = request["path"].split("?")
    assert path == "/orders/a&b"
    assert query.split("&") == [
        *("v=a%26b", "k=1", "day=1%2B1", "open=true", "tags=x", "tags=y"),
        "size=%7B%22w%22:+1%7D",
    ]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_other_arguments_go_into_the_body(stub_service, method):
    tool = endpoint(
        f"{stub_service.url}/orders/{{id}}", method, headers={"X-Key": "secret"}
    )

    use(tool, id=7, day="Montag", size={"w": 1})

    (request,) = stub_service.requests
    assert (request["method"], request["path"]) == (method, "/orders/7")
    assert json.loads(request["body"]) == {"day": "Montag", "size": {"w": 1}}
    assert request["headers"]["Content-Type"] == "application/json"
    assert request["headers"]["X-Key"] == "secret"


def test_own_content_type_is_kept(stub_service):
    headers = {"content-type": "application/vnd.api+json"}

    use(endpoint(f"{stub_service.url}/answer", "POST", headers=headers), id=1)

    (request,) = stub_service.requests
    assert request["headers"]["content-type"] == "application/vnd.api+json"


# -- What the model is shown -----------------------------------------------------------


def test_answer_is_shown_as_it_came(stub_service):
    stub_service.answer = {"free": ["10:00", "11:30"]}

    outcome = use(endpoint(f"{stub_service.url}/answer"), id=1)

    assert (outcome.status, outcome.text) == ("ok", '{"free": ["10:00", "11:30"]}')
    assert 0 <= outcome.elapsed_ms < 5000


def test_answer_without_text_says_that_it_is_done(stub_service):
    outcome = use(endpoint(f"{stub_service.url}/empty/204"), id=1)

    assert (outcome.status, outcome.text) == ("ok", "Done: status 204, without a text.")


def test_long_answer_is_cut(stub_service):
    stub_service.answer = "x" * 20_000

    outcome = use(endpoint(f"{stub_service.url}/answer"), id=1)

    assert outcome.status == "ok"
    assert outcome.text.startswith('"' + "x" * (MAX_SHOWN_CHARACTERS - 1) + "\n")
    assert outcome.text.endswith("[cut: the answer is longer]")


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_answer_of_an_error_is_a_failure(stub_service, status):
    outcome = use(endpoint(f"{stub_service.url}/status/{status}"), id=1)

    assert outcome.status == "failed"
    assert outcome.text == (
        f'The service answered with status {status}.\n{{"error": "no such order"}}'
    )


def test_late_answer_is_timed_out(stub_service):
    late = endpoint(f"{stub_service.url}/stall", timeout_s=0.2)

    def is_given_up_in_time():
        outcome = use(late, id=1)
        assert outcome.status == "timed_out"
        return 200 <= outcome.elapsed_ms < 1000

    assert sometime(is_given_up_in_time)


def test_arguments_that_do_not_fit_send_nothing(stub_service):
    outcome = use(endpoint(f"{stub_service.url}/answer"), other=1)

    assert outcome.status == "refused"
    assert outcome.text == "'id' is a required property"
    assert stub_service.requests == []


def test_private_host_is_refused(stub_service, settings):
    settings.TOOL_ALLOWED_HOSTS = []

    outcome = use(endpoint(f"{stub_service.url}/answer"), id=1)

    assert outcome.status == "refused"
    assert "private network" in outcome.text
    assert stub_service.requests == []


def test_secrets_do_not_show_when_an_endpoint_is_printed():
    assert "hush" not in repr(endpoint("https://a.example/", headers={"X": "hush"}))
