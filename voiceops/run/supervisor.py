"""Starts a plan in order, keeps it running, and takes it down."""

import asyncio
import contextlib
import signal
from collections import deque
from collections.abc import Callable, Collection

from voiceops.run.children import Child, Leash, Service
from voiceops.run.console import Console
from voiceops.run.plan import Plan

GRACE_S = 10
BROKER_GRACE_S = 5
READY_WITHIN_S = 60
POLL_S = 0.05
RESTARTS = 5
RESTARTS_WITHIN_S = 60
FIRST_PAUSE_S = 0.5


class GaveUp(Exception):
    """A process that the stack cannot do without; `lines` are its last words."""

    def __init__(self, reason: str, lines: Collection[str]):
        super().__init__(reason)
        self.lines = list(lines)


class Supervisor:
    def __init__(self, plan: Plan, console: Console, when_up: Callable[[], None]):
        self.plan = plan
        self.console = console
        self.when_up = when_up
        self.children: dict[str, Child] = {}
        self.is_stopping = False

    async def run(self) -> int:
        """Until a signal (0) or until something gave up (1)."""
        asked = asyncio.Event()
        _on_stop_signal(asked.set)
        self.leash = await Leash.start()
        work = asyncio.create_task(self._keep_everything())
        stop = asyncio.create_task(asked.wait())
        await asyncio.wait([work, stop], return_when=asyncio.FIRST_COMPLETED)
        failures = work.exception() if work.done() else None
        self.is_stopping = True
        self.console.say("Stopping ...")
        await self._stop_children()
        work.cancel()
        stop.cancel()
        with contextlib.suppress(asyncio.CancelledError, BaseExceptionGroup):
            await work
        await self.leash.close()
        if failures is None:
            return 0
        self._explain(failures)
        return 1

    async def _keep_everything(self) -> None:
        async with asyncio.TaskGroup() as group:
            for service in self.plan.first:
                group.create_task(self._keep(service))
            for service in self.plan.first:
                await self._until_ready(service)
            if self.plan.prepare is not None:
                await self._run_once(self.plan.prepare)
            for service in self.plan.rest:
                group.create_task(self._keep(service))
            for service in self.plan.rest:
                await self._until_ready(service)
            self.when_up()

    async def _keep(self, service: Service) -> None:
        """Run it again whenever it ends. Raises GaveUp when it ends too often."""
        deaths: deque[float] = deque(maxlen=RESTARTS + 1)
        clock = asyncio.get_running_loop().time
        while True:
            status = await self._run(service)
            if self.is_stopping:
                return
            if service.is_ready and not service.was_ready:
                # A first start that fails by itself fails again.
                reason = f"{service.name} {_in_words(status)} before it was ready"
                raise GaveUp(reason, service.last_lines)
            deaths.append(clock())
            recent = [at for at in deaths if clock() - at < RESTARTS_WITHIN_S]
            how = _in_words(status)
            if len(recent) > RESTARTS:
                raise GaveUp(
                    f"{service.name} {how}, {len(recent)} times within"
                    f" {RESTARTS_WITHIN_S} seconds",
                    service.last_lines,
                )
            pause_s = FIRST_PAUSE_S * 2 ** (len(recent) - 1)
            self.console.child(service.name, f"{how}; again in {pause_s:g} s")
            await asyncio.sleep(pause_s)
            if self.is_stopping:
                return
            if service.name == "broker":
                self._renew_broker_clients()

    def _renew_broker_clients(self) -> None:
        """Workers were seen alive and deaf after their broker came back."""
        for name in ("worker", "beat"):
            if name in self.children:
                self.children[name].terminate()

    async def _run(self, service: Service) -> int:
        child = await Child.start(service)
        self.children[service.name] = child
        self.leash.add(child)
        if self.is_stopping:
            child.terminate()
        status = await child.wait(self.console)
        self.leash.remove(child)
        del self.children[service.name]
        return status

    async def _run_once(self, service: Service) -> None:
        status = await self._run(service)
        if status != 0:
            raise GaveUp(f"{service.name} {_in_words(status)}", service.last_lines)

    async def _until_ready(self, service: Service) -> None:
        if service.is_ready is None:
            return
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while not await service.is_ready():
                    await asyncio.sleep(POLL_S)
            service.was_ready = True
        except TimeoutError:
            reason = f"{service.name} was not ready within {READY_WITHIN_S} seconds"
            raise GaveUp(reason, service.last_lines) from None

    async def _stop_children(self) -> None:
        """The broker last: the others may still have something to tell it."""
        clients = [child for name, child in self.children.items() if name != "broker"]
        await _end(clients, GRACE_S)
        await _end(list(self.children.values()), BROKER_GRACE_S)

    def _explain(self, failures: BaseException) -> None:
        for failure in getattr(failures, "exceptions", [failures]):
            self.console.say(f"voiceops: {failure}")
            for line in getattr(failure, "lines", []):
                self.console.say(f"  {line}")


async def _end(children: list[Child], grace_s: float) -> None:
    """Ask, wait, then insist. Returns when none is left."""
    if not children:
        return
    for child in children:
        child.terminate()
    waits = [asyncio.create_task(child.process.wait()) for child in children]
    _, late = await asyncio.wait(waits, timeout=grace_s)
    if late:
        for child in children:
            child.kill()
        await asyncio.wait(late)
    for child in children:
        child.sweep()


def _on_stop_signal(act: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    # Also where a shell started us in the background and set them to be ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, act)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup stays in force
        loop.add_signal_handler(signal.SIGHUP, act)


def _in_words(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
