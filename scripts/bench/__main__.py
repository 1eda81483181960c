"""`make bench`, or `make bench ARGS=webhook` for one of them."""

import subprocess
import sys

from scripts.bench import (
    analytics,
    dialling,
    inbox,
    lists,
    processes,
    texts,
    turns,
    webhook,
)
from scripts.bench.world import on_each_database

BENCHMARKS = {
    "webhook": webhook.run,
    "processes": processes.run,
    "texts": texts.run,
    "turns": turns.run,
    "dialling": dialling.run,
    **on_each_database("inbox", inbox.run),
    **on_each_database("lists", lists.run),
    **on_each_database("analytics", analytics.run),
}
OVER_BUDGET = 1


def main() -> int:
    names = [name for given in sys.argv[1:] for name in _meant(given)]
    names = names or list(BENCHMARKS)
    if len(names) == 1:
        return 0 if BENCHMARKS[names[0]]() else OVER_BUDGET
    # Each in a process of its own: Django is set up once in one, for one database.
    commands = {name: [sys.executable, "-m", "scripts.bench", name] for name in names}
    over = [name for name in names if subprocess.run(commands[name]).returncode]
    print("Over budget:", ", ".join(over) or "nothing")
    return 0


def _meant(given: str) -> list[str]:
    """The benchmark of that name, or those that begin with it."""
    found = [name for name in BENCHMARKS if f"{name}-".startswith(f"{given}-")]
    return found or sys.exit(
        f"no benchmark: {given}; there are {', '.join(BENCHMARKS)}"
    )


if __name__ == "__main__":
    sys.exit(main())
