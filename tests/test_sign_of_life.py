"""A worker that does nothing ends, so that another one takes its place."""

import os
import signal
import time
from types import SimpleNamespace

from voiceops import sign_of_life
from voiceops.run.probes import was_touched_lately


def test_process_ends_when_it_was_silent_for_long_and_not_before(tmp_path, monkeypatch):
    path = tmp_path / "alive"
    path.touch()
    done = []

    def sleep(seconds):
        done.append(("sleep", seconds))
        silent_since = time.time() - sign_of_life.SILENT_S - 1
        os.utime(path, (silent_since, silent_since))

    def kill(*given):
        done.append(("kill", *given))

    def leave(status):
        done.append(("exit", status))

    # The module's alone: other threads go on sleeping.
    clock = SimpleNamespace(time=time.time, sleep=sleep)
    system = SimpleNamespace(getpid=os.getpid, kill=kill, _exit=leave)
    monkeypatch.setattr(sign_of_life, "time", clock)
    monkeypatch.setattr(sign_of_life, "os", system)

    assert was_touched_lately(str(path))
    sign_of_life.end_when_silent(path)

    assert not was_touched_lately(str(path))
    assert done == [
        ("sleep", sign_of_life.LOOK_EVERY_S),
        ("kill", os.getpid(), signal.SIGTERM),
        ("sleep", sign_of_life.ENDED_WITHIN_S),
        ("exit", 1),
    ]


def test_nothing_was_touched_where_no_file_is(tmp_path):
    assert not was_touched_lately(str(tmp_path / "alive"))
