"""`make bench`, or `make bench ARGS=webhook` for one of them."""

import sys

from scripts.bench import turns, webhook

BENCHMARKS = {"webhook": webhook.run, "turns": turns.run}


def main() -> None:
    names = sys.argv[1:] or list(BENCHMARKS)
    over = [name for name in names if not BENCHMARKS[name]()]
    if over:
        print("Over budget:", ", ".join(over))


if __name__ == "__main__":
    main()
