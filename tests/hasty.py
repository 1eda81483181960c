"""Short times, on a machine where any process may stall for longer than they last."""

from collections.abc import Callable

TRIES = 8


def sometime(attempt: Callable[[], object]) -> bool:
    """Whether one of a few attempts succeeds: a stall spoils one, a bug all of them."""
    return any(attempt() for _ in range(TRIES))
