"""What breaks, and when: by chance, but the same chance for the same seed."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import defaultdict

import httpx
import psutil

from tests.flow.carrier import Account, Carrier
from tests.processes import Stack
from voiceops.run.plan import WORKER_THREADS

PAUSE_S = (1.0, 4.0)  # between two kills
# The supervisor gives a process up that dies more often: it would be broken.
DEATHS, DEATHS_WITHIN_S = 4, 60
FAULT_PAUSE_S = (0.1, 0.6)
FAULTS = (
    *("429", "429", "500", "500-after", "close", "answer-lost", "garbled", "cut"),
    *("answer-late", "delay"),
)
CALLBACKS = ("", "", "lost", "twice", "reversed", "late")


class Workers:
    """Workers besides the stack's own; whoever is killed comes back."""

    def __init__(self, stack: Stack, count: int):
        self._stack = stack
        self._is_over = False
        self.processes = [self._start() for _ in range(count)]

    def _start(self) -> subprocess.Popen:
        return self._stack.beside(
            *("-m", "celery", "-A", "voiceops", "--quiet", "worker"),
            *("--pool", "threads", "--concurrency", WORKER_THREADS),
            *("--without-gossip", "--without-mingle", "--loglevel", "WARNING"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def kill(self, place: int) -> None:
        self.processes[place].kill()
        self.processes[place].wait()
        if not self._is_over:
            self.processes[place] = self._start()

    def stop(self) -> None:
        self._is_over = True
        for place in range(len(self.processes)):
            self.kill(place)


class Storm:
    """Kills and faults until it is told to stop; `told` is what it did."""

    def __init__(
        self,
        stack: Stack,
        workers: Workers,
        carrier: Carrier,
        accounts: list[Account],
        seed: int,
        *,
        late_s: float,
    ):
        self._stack, self._workers = stack, workers
        self._carrier, self._accounts = carrier, accounts
        self._late_s = late_s
        self._is_over = threading.Event()
        self._deaths: dict[str, list[float]] = defaultdict(list)
        self.told: dict[str, int] = defaultdict(int)
        # Each its own chance: neither changes what the other does.
        self._threads = [
            threading.Thread(target=self._kill_on, args=(random.Random(seed),)),
            threading.Thread(target=self._spoil_on, args=(random.Random(seed + 1),)),
        ]

    def __enter__(self) -> "Storm":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()
        for account in self._accounts:
            self._carrier.fail(account, clear=True)

    # -- Processes ---------------------------------------------------------------------

    def _kill_on(self, chance: random.Random) -> None:
        targets = ["worker", "beat", "broker"]
        targets += [f"worker {n}" for n in range(len(self._workers.processes))]
        chance.shuffle(targets)  # the first ones: everybody once
        while not self._is_over.wait(chance.uniform(*PAUSE_S)):
            targets.append(chance.choice(targets))
            name = targets.pop(0)
            if not self._may_die(name):
                continue
            if name == "broker" and not self.told["broker's data lost"]:
                self._lose_data()
            elif name.startswith("worker "):
                self._workers.kill(int(name.split()[1]))
                self._note(name)
            else:
                self._kill(name)

    def _may_die(self, name: str) -> bool:
        # With the broker its clients are started anew.
        names = ("broker", "worker", "beat") if name == "broker" else (name,)
        since = time.monotonic() - DEATHS_WITHIN_S
        recent = [[at for at in self._deaths[each] if at > since] for each in names]
        return all(len(deaths) < DEATHS for deaths in recent)

    def _kill(self, name: str) -> None:
        if (pid := self._stack.pid(name)) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self._note(name)

    def _lose_data(self) -> None:
        """Everything that was queued is gone with it."""
        pid = self._stack.pid("broker")
        if pid is None:
            return
        broker = psutil.Process(pid)
        broker.suspend()  # it must not write once more
        shutil.rmtree(self._stack.var_dir / "valkey", ignore_errors=True)
        (self._stack.var_dir / "valkey").mkdir()
        broker.kill()
        self._note("broker")
        self.told["broker's data lost"] += 1

    def _note(self, name: str) -> None:
        self.told[f"{name.split()[0]} killed"] += 1
        names = ("broker", "worker", "beat") if name == "broker" else (name,)
        for each in names:
            self._deaths[each].append(time.monotonic())

    # -- The carrier -------------------------------------------------------------------

    def _spoil_on(self, chance: random.Random) -> None:
        while not self._is_over.wait(chance.uniform(*FAULT_PAUSE_S)):
            account = chance.choice(self._accounts)
            kind, count = chance.choice(FAULTS), chance.randint(1, 3)
            method = chance.choice(("POST", "POST", "POST", "GET"))
            delay_s = self._late_s * chance.uniform(0.2, 1.5)
            callbacks = chance.choice(CALLBACKS)
            late_s = chance.uniform(0, 2) if callbacks == "late" else 0
            with contextlib.suppress(httpx.TimeoutException):  # it is busy: next time
                self._carrier.fail(
                    account, kind=kind, count=count, method=method, delay_s=delay_s
                )
                self.told[f"{kind} of {method}"] += count
                self._carrier.fail(account, callbacks=callbacks, delay_s=late_s)
