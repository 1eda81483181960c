"""`make run` as a person meets it: real processes, real signals."""

import os
import signal
import socket
import stat
from contextlib import contextmanager

import pytest
import redis

from tests.processes import MARKS, Stack, running_stack, wait_until

pytestmark = pytest.mark.flow

SOON_S = 120  # on a machine that does much besides


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory):
    """For tests after which the stack works again."""
    var_dir = tmp_path_factory.mktemp("shared") / "var"
    with running_stack(var_dir) as stack:
        yield stack


@pytest.fixture(scope="module")
def battered_stack(tmp_path_factory):
    with running_stack(tmp_path_factory.mktemp("battered") / "var") as stack:
        yield stack


@pytest.fixture
def own_stack(battered_stack):
    """A stack that the test may treat badly: whatever it does, the next one runs."""
    if battered_stack.supervisor.poll() is not None:
        battered_stack.start()
        battered_stack.wait_until_ready()
    yield battered_stack
    if not battered_stack.is_ready():
        battered_stack.sweep()
        battered_stack.supervisor.wait()


@contextmanager
def swept(stack):
    try:
        yield stack
    finally:
        stack.sweep()


def is_new(pid, old):
    return pid not in {None, old}


def test_stack_says_where_it_is_and_how_to_log_in(shared_stack):
    greeting = f"VoiceOps is running at {shared_stack.url}"
    wait_until(lambda: greeting in shared_stack.log, SOON_S, "it says where it is")
    assert shared_stack.secrets["DEMO_PASSWORD"] in shared_stack.log


def test_stack_keeps_its_data_over_a_restart(own_stack):
    secrets = own_stack.secrets
    broker = redis.Redis(unix_socket_path=str(own_stack.var_dir / "valkey.sock"))
    broker.set("kept", "yes")

    assert own_stack.stop() == 0
    own_stack.start()
    own_stack.wait_until_ready()

    assert own_stack.secrets == secrets
    assert broker.get("kept") == b"yes"
    # It began with tables, and found them again.
    assert "Applying accounts.0001_initial" not in own_stack.log


def test_stack_ended_by_a_signal_leaves_no_process(own_stack):
    assert own_stack.stop(signal.SIGTERM) == 0
    for number in (signal.SIGINT, signal.SIGHUP):
        own_stack.start()
        own_stack.wait_until_ready()

        assert own_stack.stop(number) == 0


def test_supervisor_killed_leaves_no_process(own_stack):
    own_stack.supervisor.kill()
    own_stack.supervisor.wait()

    own_stack.assert_nothing_left()


@pytest.mark.parametrize("name", MARKS)
def test_process_that_dies_is_started_again(shared_stack, name):
    old = shared_stack.kill(name)

    wait_until(lambda: is_new(shared_stack.pid(name), old), SOON_S, f"{name} is back")
    wait_until(shared_stack.is_ready, SOON_S, "the stack is ready again")


def test_worker_is_renewed_when_its_broker_was(shared_stack):
    old = shared_stack.pid("worker")

    shared_stack.kill("broker")

    wait_until(lambda: is_new(shared_stack.pid("worker"), old), SOON_S, "a new worker")


def test_process_that_dies_again_and_again_stops_everything(own_stack):
    gone = own_stack.supervisor.poll
    beat = own_stack.pid("beat")
    while gone() is None:
        os.kill(beat, signal.SIGKILL)
        wait_until(
            lambda old=beat: gone() is not None or is_new(own_stack.pid("beat"), old),
            SOON_S,
            "another beat, or the end",
        )
        beat = own_stack.pid("beat")

    assert gone() == 1
    assert (
        "voiceops: beat was ended by SIGKILL, 6 times within 60 seconds"
        in own_stack.log
    )
    own_stack.assert_nothing_left()


def test_process_that_cannot_start_stops_everything_at_once(tmp_path):
    stack = Stack(tmp_path / "var", environment={"SIMULATOR_SPEED": "not a number"})
    with swept(stack):
        stack.start()

        assert stack.supervisor.wait(timeout=SOON_S) == 1
        assert (
            "voiceops: simulator ended with status 2 before it was ready" in stack.log
        )
        stack.assert_nothing_left()


def test_port_in_use_is_one_clear_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        stack = Stack(tmp_path / "var", port=taken.getsockname()[1])
        with swept(stack):
            stack.start()
            status = stack.supervisor.wait(timeout=SOON_S)

    assert status == 1
    assert stack.log == (
        f"voiceops: cannot listen on 127.0.0.1:{stack.port}: Address already in use"
        " (another one: make run PORT=9000)\n"
    )


def test_second_stack_on_the_same_data_is_refused(shared_stack):
    broker = wait_until(lambda: shared_stack.pid("broker"), SOON_S, "the broker runs")
    second = Stack(shared_stack.var_dir)
    second.start()

    assert second.supervisor.wait(timeout=SOON_S) == 1
    assert (
        f"voiceops: broker is already running on {shared_stack.var_dir}"
        f" (supervisor: process {shared_stack.supervisor.pid})\n"
    ) in shared_stack.log
    assert shared_stack.pid("broker") == broker
    wait_until(shared_stack.is_ready, SOON_S, "the first one works on")


def test_data_directory_with_a_long_path_has_its_socket_elsewhere(tmp_path):
    deep = tmp_path / ("long-" * 20)
    deep.mkdir()
    with running_stack(deep / "var") as stack:
        published = (stack.var_dir / "services" / "broker.env").read_text()
        socket_path = published.removeprefix("REDIS_URL=unix://").strip()
        directory = os.path.dirname(socket_path)
        assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700

    assert not os.path.exists(directory)


def test_one_process_can_be_started_apart(own_stack):
    own_stack.stop()

    own_stack.start("--only", "broker")
    wait_until(lambda: own_stack.pid("broker"), SOON_S, "the broker is there")
    other = Stack(own_stack.var_dir, own_stack.port)
    with swept(other):
        other.start("--only", "worker")
        wait_until(lambda: other.pid("worker"), SOON_S, "the worker is there")

        assert own_stack.pid("worker") is other.pid("broker") is None
        assert other.stop() == 0
    assert own_stack.stop() == 0
