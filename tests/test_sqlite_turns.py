"""Writers of one process take turns at SQLite, and nobody keeps the turn."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction

from accounts.models import User
from tests.processes import WITHIN_S
from voiceops.sqlite import base

pytestmark = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="it is for SQLite"
)


@pytest.fixture
def writer(transactional_db):
    """A thread with a connection of its own, that waits for no lock of SQLite."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(impatient).result()
        yield lambda does: thread.submit(does)
        thread.submit(lambda: connection.close()).result()


def impatient():
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")


def write(name):
    with transaction.atomic():
        User.objects.create(email=f"{name}@example.com")


def names():
    emails = User.objects.values_list("email", flat=True)
    return sorted(email.split("@")[0] for email in emails)


def test_a_writer_waits_for_its_turn_before_it_asks_sqlite(writer):
    """Which would refuse it at once here."""
    has_begun = threading.Event()

    def begin_and_write():
        has_begun.set()
        write("second")

    with transaction.atomic():
        written = writer(begin_and_write)
        assert has_begun.wait(WITHIN_S)
        write("first")
        assert not written.done()
    written.result(WITHIN_S)

    assert names() == ["first", "second"]


def test_a_turn_that_does_not_come_is_an_error_and_no_wait_for_ever(
    writer, monkeypatch
):
    with transaction.atomic():
        with monkeypatch.context() as patch:
            patch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.05)
            with pytest.raises(OperationalError, match="database is locked"):
                writer(lambda: write("second")).result(WITHIN_S)
        write("first")

    writer(lambda: write("third")).result(WITHIN_S)
    assert names() == ["first", "third"]


def _fails_inside():
    with transaction.atomic():
        raise ZeroDivisionError


def _fails_to_begin():
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")  # SQLite knows no transaction in a transaction
        try:
            write("never")
        finally:
            cursor.execute("ROLLBACK")


def _loses_its_connection():
    with transaction.atomic():
        connection.close()


@pytest.mark.parametrize(
    ("does", "error"),
    [
        (_fails_inside, ZeroDivisionError),
        (_fails_to_begin, OperationalError),
        (_loses_its_connection, None),
    ],
)
def test_the_turn_is_given_back_whatever_breaks(does, error, writer):
    if error:
        with pytest.raises(error):
            does()
    else:
        does()

    assert not base._turn.locked()
    writer(lambda: write("next")).result(WITHIN_S)
    assert names() == ["next"]
