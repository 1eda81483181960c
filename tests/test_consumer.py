"""A worker whose broker goes away, between two tasks."""

from contextlib import suppress
from types import SimpleNamespace

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from tests.processes import WITHIN_S, wait_until
from tests.test_bells import start
from voiceops.consumer import Consumer


@pytest.fixture
def broker(tmp_path):
    server = start(tmp_path / "valkey.sock", tmp_path / "data")
    yield server
    server.kill()
    server.wait()


@pytest.fixture
def consumer(broker, tmp_path):
    """It has fetched a task, and listens for more of them and for commands."""
    app = Celery(broker=f"redis+socket://{tmp_path}/valkey.sock", set_as_current=False)
    made = Consumer(
        print,
        app=app,
        controller=SimpleNamespace(use_eventloop=False),
        pool=SimpleNamespace(num_processes=4, is_green=False),
    )
    made.connection = connection = app.connection_for_read()
    made.task_consumer = app.amqp.TaskConsumer(connection, on_message=print)
    made.task_consumer.consume()
    app.control.mailbox.Node("here", channel=connection.channel()).listen()
    app.send_task("a.task")
    delivered = made.task_consumer.channel.qos._delivered
    wait_until(lambda: delivered or drain(connection), WITHIN_S, "it has the task")
    drain(connection)
    return made


def drain(connection):
    """Take what comes until nothing has come for a moment."""
    with suppress(TimeoutError):
        while True:
            connection.drain_events(timeout=0.2)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_lost_broker_ends_no_worker_that_has_fetched_a_task(consumer, broker):
    assert len(consumer.task_consumer.channel.qos._delivered) == 1
    broker.kill()
    broker.wait()

    consumer.on_connection_error_after_connected(OperationalError())

    assert consumer.connection is None
