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

TEND_EVERY_S = 1
DEATHS_WITHIN_S = 60
BROKERS_PAUSE_S = (
    120  # its death ends all workers: nothing is dialled for half a minute
)
FAULT_PAUSE_S = (0.1, 0.6)
FAULTS = (
    *("429", "429", "500", "500-after", "close", "answer-lost", "garbled", "cut"),
    *("answer-late", "delay"),
)
CALLBACKS = ("", "", "lost", "twice", "reversed", "late")


class Workers:
    """Workers besides the stack's own; whoever ends is started again."""

    def __init__(self, stack: Stack, count: int):
        self._stack = stack
        self._is_over = threading.Event()
        self.processes = [self._start() for _ in range(count)]
        self._tending = threading.Thread(target=self._tend)
        self._tending.start()

    def _start(self) -> subprocess.Popen:
        return self._stack.beside(
            *("-m", "celery", "-A", "voiceops", "--quiet", "worker"),
            *("--pool", "threads", "--concurrency", WORKER_THREADS),
            *("--without-gossip", "--without-mingle", "--loglevel", "WARNING"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _tend(self) -> None:
        """Also after a broker's death, which ends its workers."""
        while not self._is_over.wait(TEND_EVERY_S):
            for place, process in enumerate(self.processes):
                if process.poll() is not None:
                    self.processes[place] = self._start()

    def kill(self, place: int) -> None:
        self.processes[place].kill()

    def stop(self) -> None:
        self._is_over.set()
        self._tending.join()
        for process in self.processes:
            process.kill()
            process.wait()


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
        pause_s: tuple[float, float],
        deaths: int,
        late_s: float,
    ):
        self._stack, self._workers = stack, workers
        self._carrier, self._accounts = carrier, accounts
        self._pause_s, self._most_deaths = pause_s, deaths
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
        ahead: list[str] = []
        while not self._is_over.wait(chance.uniform(*self._pause_s)):
            ahead = ahead or chance.sample(targets, len(targets))
            name = ahead.pop(0)
            if not self._may_die(name):
                ahead.append(name)  # until it may: everybody dies once a round
                continue
            if name == "broker" and not self.told["broker's data lost"]:
                self._lose_data()
            elif name.startswith("worker "):
                self._workers.kill(int(name.split()[1]))
                self._note(name)
            else:
                self._kill(name)

    def _may_die(self, name: str) -> bool:
        if name == "broker":  # with it its clients are started anew
            was_long_ago = self._deaths_since(BROKERS_PAUSE_S, name) == 0
            return was_long_ago and self._may_die("worker") and self._may_die("beat")
        return self._deaths_since(DEATHS_WITHIN_S, name) < self._most_deaths

    def _deaths_since(self, seconds: float, name: str) -> int:
        since = time.monotonic() - seconds
        return sum(at > since for at in self._deaths[name])

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
