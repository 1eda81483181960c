"""The process: its settings, its end, its restart."""

import os
import signal
import subprocess
import sys

import httpx
import pytest

from simulator.settings import BadSettings, from_environment
from simulator.tests.application import DEADLINE_S, wait_until
from simulator.tests.conftest import KEY, sdk
from simulator.tests.test_calls import SAY

SID, TOKEN = "AC" + "a" * 32, "a-token"


class Process:
    def __init__(self, database, **more):
        environment = {
            "PATH": os.environ["PATH"],
            "SIMULATOR_KEY": KEY,
            "SIMULATOR_DATABASE": str(database),
            "SIMULATOR_SPEED": "0",
            "SIMULATOR_ACCOUNT_SID": SID,
            "SIMULATOR_AUTH_TOKEN": TOKEN,
        } | more
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "simulator"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self.popen.stdout.readline().split()[-1]
        self.http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=DEADLINE_S,
            trust_env=False,
        )
        self.client = sdk(self, {"sid": SID, "auth_token": TOKEN})

    def stop(self, how=signal.SIGTERM):
        self.http.close()
        self.popen.send_signal(how)
        code = self.popen.wait(DEADLINE_S)
        self.popen.stdout.close()
        return code


@pytest.fixture
def start(tmp_path):
    started = []

    def start(**more):
        started.append(Process(tmp_path / "carrier.sqlite3", **more))
        return started[-1]

    yield start
    for process in started:
        if process.popen.poll() is None:
            process.stop(signal.SIGKILL)


def place(process, app, **more):
    app.secret = TOKEN
    return process.client.calls.create(
        to="+14155550100",
        from_=process.client.incoming_phone_numbers.list()[0].phone_number,
        status_callback=app.url + "/progress",
        **more,
    )


def test_first_start_makes_the_account_once(start):
    first = start()
    numbers = [n.phone_number for n in first.client.incoming_phone_numbers.list()]
    first.stop()

    second = start()

    assert len(numbers) == 5
    assert sum(number.startswith("+1") for number in numbers) == 3
    listed = second.client.incoming_phone_numbers.list()
    assert [number.phone_number for number in listed] == numbers


def test_stop_ends_open_calls_with_their_last_callback(start, app):
    process = start()
    call = place(process, app, twiml="<Response><Pause length='60000'/></Response>")
    wait_until(lambda: process.client.calls(call.sid).fetch().status == "in-progress")

    code = process.stop()

    assert code == 0
    (form,) = app.forms("/progress")
    assert (form["CallSid"], form["CallStatus"]) == (call.sid, "completed")
    again = start().client.calls(call.sid).fetch()
    assert again.status == "completed"


def test_calls_open_at_a_crash_have_failed_at_the_next_start(start, app):
    process = start()
    app.answers["/out"] = SAY
    done = place(process, app, url=app.url + "/out")
    app.wait_for("/progress")
    call = place(process, app, twiml="<Response><Pause length='60000'/></Response>")
    wait_until(lambda: process.client.calls(call.sid).fetch().status == "in-progress")
    process.stop(signal.SIGKILL)

    again = start()

    assert again.client.calls(done.sid).fetch().status == "completed"
    assert again.client.calls(call.sid).fetch().status == "failed"
    events = again.http.get(f"/control/calls/{call.sid}").json()["events"]
    assert (events[-1]["type"], events[-1]["reason"]) == ("ended", "restart")


@pytest.mark.parametrize(
    "wrong",
    [
        {"SIMULATOR_KEY": ""},
        {"SIMULATOR_PORT": "many"},
        {"SIMULATOR_SPEED": "-1"},
        {"SIMULATOR_ACCOUNT_SID": "AC1", "SIMULATOR_AUTH_TOKEN": "t"},
        {"SIMULATOR_ACCOUNT_SID": SID},
    ],
)
def test_bad_settings_are_named(wrong):
    with pytest.raises(BadSettings, match="^SIMULATOR_"):
        from_environment({"SIMULATOR_KEY": KEY} | wrong)


def test_process_with_bad_settings_does_not_start():
    done = subprocess.run(
        [sys.executable, "-m", "simulator"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("SIMULATOR_KEY")
