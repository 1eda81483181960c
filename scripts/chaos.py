"""`make chaos`: ten thousand due calls in a storm, on SQLite and on PostgreSQL.

    python -m scripts.chaos [--rows N] [--seed N] [sqlite] [postgres]

Ends with a failure where somebody was rung twice or forgotten, or where a row does not
say what became of it. The same seed is the same world and the same storm, as far as
processes keep to a beat.
"""

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import Size, run

ROWS, ACCOUNTS, PACE = 10_000, 4, 15
WORKERS = {"sqlite": 1, "postgres": 4}
# Beginning anew takes a process seconds of the machine, which the calls need as well.
PAUSE_S = (4.0, 12.0)
ROWS_A_SECOND = 1  # at the least, on a machine that does other things too


def main() -> int:
    arguments = _arguments()
    seed = arguments.seed or secrets.randbelow(10**6)
    is_broken = False
    for database in arguments.databases or WORKERS:
        size = Size(
            rows=arguments.rows,
            accounts=ACCOUNTS,
            workers=WORKERS[database],
            # The carrier talks the calls through as well, all in one process.
            calls_per_second=PACE,
            patience=0.3,
            pause_s=PAUSE_S,
            deaths=1,
            within_s=600 + arguments.rows / ROWS_A_SECOND,
        )
        with tempfile.TemporaryDirectory(prefix="voiceops-chaos-") as scratch:
            on_postgres = database == "postgres"
            outcome = run(size, seed, Path(scratch) / "var", on_postgres=on_postgres)
        print(f"{database}, {size.workers} workers: {outcome}", flush=True)
        is_broken = is_broken or bool(outcome.broken)
    return 1 if is_broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.chaos")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--seed", type=int, help="of an earlier run")
    parser.add_argument("databases", nargs="*", help=f"of {', '.join(WORKERS)}")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
