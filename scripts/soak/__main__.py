"""`make soak`: ten minutes, or `SOAK_MINUTES=60`.

Ends with a failure where more goes wrong than one thing in a thousand, or where a
process grows faster than is said below.
"""

import asyncio
import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from scripts.soak.load import FIRST_TOKEN_MS, Load, Told
from scripts.soak.watch import Watch
from scripts.soak.world import set_up
from tests.flow.model import Model, running_model
from tests.flow.production import Production, running_production

MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))
TOKENS_A_SECOND = 200
LOOK_EVERY_S = 10
TELL_EVERY_S = 60
MOST_ERRORS = 0.001  # of all that was asked
# What a process may grow by in the last third, in MiB: caches and pools fill up, a leak
# goes on. An hour tells six times as much as ten minutes.
MOST_GROWTH = 10


def main() -> int:
    with (
        tempfile.TemporaryDirectory(prefix="voiceops-soak-") as scratch,
        running_model() as model,
        running_production(Path(scratch), model) as production,
    ):
        model.plan(
            mode="fixed",
            first_token_ms=FIRST_TOKEN_MS,
            tokens_per_second=TOKENS_A_SECOND,
        )
        return asyncio.run(_soak(production, model))


async def _soak(production: Production, model: Model) -> int:
    told = Told()
    load = Load(set_up(production), production.certificates, told)
    watch = Watch(production)
    print(f"Soak for {MINUTES:g} minutes: {load}", flush=True)
    working = asyncio.create_task(load.run())
    try:
        await _look_on(watch, told, model)
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
    print(f"All of it\n{told}\n{watch}")
    broken = [*told.broken(MOST_ERRORS), *watch.broken(MOST_GROWTH)]
    print("Broken: " + ("; ".join(broken) or "nothing"))
    return 1 if broken else 0


async def _look_on(watch: Watch, told: Told, model: Model) -> None:
    began = time.monotonic()
    next_words_s = TELL_EVERY_S
    while (passed_s := time.monotonic() - began) < MINUTES * 60:
        await asyncio.to_thread(watch.look)
        if passed_s >= next_words_s:
            next_words_s += TELL_EVERY_S
            print(f"Minute {passed_s / 60:.0f}\n{told.lately()}\n{watch}", flush=True)
            await asyncio.to_thread(model.forget)
        await asyncio.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    sys.exit(main())
