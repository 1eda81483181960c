"""What belongs together is found by its ids, and errors are told without quotations."""

import asyncio
import sys

import pytest
import structlog
from celery import shared_task
from django.core.cache import caches
from structlog.contextvars import bound_contextvars, get_contextvars

from voiceops import redaction, trails
from voiceops.threads import MAX_THREADS, in_thread

TOKEN, NUMBER = "8d3f0c6a5b1e4f7290ab12cd34ef56a7", "+4915112345678"


@pytest.fixture(autouse=True)
def nothing_bound():
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()


@shared_task
def look():
    return get_contextvars()


def test_task_carries_the_ids_of_who_started_it():
    headers = {}
    with bound_contextvars(request_id="r", call_id="c", user="not carried"):
        trails._send_along(headers=headers)

    look.push_request(id="t", **headers)
    try:
        trails._take_up(task_id="t", task=look)
        known = get_contextvars()
        trails._let_go(task=look, state="SUCCESS")
    finally:
        look.pop_request()

    assert known == {
        "request_id": "r",
        "call_id": "c",
        "task": look.name,
        "task_id": "t",
    }
    assert get_contextvars() == {}


def test_task_that_nobody_started_has_no_ids_of_the_last_one():
    trails.about_call("another")

    known = look.apply().result

    assert set(known) == {"task", "task_id"}


def test_work_in_database_threads_is_about_the_same_call(transactional_db):
    async def session():
        trails.about_call("c")
        return await in_thread(get_contextvars)

    assert asyncio.run(session()) == {"call_id": "c"}


def test_database_threads_keep_their_connections_to_the_cache(transactional_db):
    async def look_often():
        return [await in_thread(lambda: caches["default"]) for _ in range(20)]

    found = asyncio.run(look_often())

    assert len({id(cache) for cache in found}) <= MAX_THREADS


def test_every_answer_says_which_request_it_was(client, db):
    first, second = client.get("/livez"), client.get("/livez")

    assert first["X-Request-ID"] != second["X-Request-ID"]
    assert get_contextvars() == {}


def told(error):
    try:
        raise error
    except Exception:
        return redaction.format_traceback(sys.exc_info())


def test_error_is_told_by_where_it_was():
    said = told(ValueError(f"{TOKEN} {NUMBER} what the caller said"))

    assert said.endswith("\nValueError")
    assert "test_trails.py" in said
    for secret in (TOKEN, NUMBER, "caller said"):
        assert secret not in said


def test_what_led_to_an_error_is_told_likewise():
    def broken():
        try:
            raise KeyError(NUMBER)
        except KeyError as error:
            raise TypeError(f"no {TOKEN} and {NUMBER}") from error

    try:
        broken()
    except TypeError:
        said = redaction.format_traceback(sys.exc_info())

    assert "KeyError\nwhich led to:" in said
    assert said.endswith("TypeError: no […] and […]")


def test_group_of_errors_is_told_one_by_one():
    said = told(ExceptionGroup("many", [ValueError(NUMBER), OSError(TOKEN)]))

    assert "\nValueError" in said and "\nOSError" in said
    assert NUMBER not in said and TOKEN not in said


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("AttributeError", "'NoneType' object has no attribute 'pk'", None),
        (
            "IntegrityError",
            'duplicate key value violates "one_call_a_sid"\nDETAIL: (sid)=(CA1)',
            'duplicate key value violates "one_call_a_sid"',
        ),
        (
            "OperationalError",
            "no answer from postgres://me:pass@db:5432/x?sslkey=y",
            "no answer from postgres://[…]@db:5432/x?[…]",
        ),
        ("TypeError", "what of 0151 12 34 56 78?", "what of […]?"),
        ("ValueError", "invalid literal: 'my secret'", ""),
        ("TypeError", "", ""),
    ],
)
def test_messages_that_speak_of_the_program_are_repeated(kind, message, expected):
    assert redaction.said_by(kind, message) == (
        message if expected is None else expected
    )
