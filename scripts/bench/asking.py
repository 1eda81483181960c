"""Asking pages and the API in this process, and what their statements take of CPU."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 7


@dataclass
class Measured:
    """The best of some rounds, in milliseconds: noise only ever adds."""

    statements: int = 0
    page_ms: float = float("inf")
    database_ms: float = float("inf")
    slowest_ms: float = float("inf")

    def add(self, page_ms: float, statements: list[float]) -> None:
        self.statements = len(statements)
        self.page_ms = min(self.page_ms, page_ms)
        self.database_ms = min(self.database_ms, sum(statements))
        self.slowest_ms = min(self.slowest_ms, max(statements))


def best_of(ask: Callable) -> Measured:
    from django.db import connection

    measured, statements, now = Measured(), [], clock()

    def note(execute, *arguments):
        started = now()
        try:
            return execute(*arguments)
        finally:
            statements.append((now() - started) * 1000)

    assert ask().status_code == 200  # and everything that is loaded once is loaded
    with connection.execute_wrapper(note):
        for _ in range(ROUNDS):
            statements.clear()
            started = time.process_time()
            ask()
            measured.add((time.process_time() - started) * 1000, statements)
    return measured


def clock() -> Callable[[], float]:
    """CPU seconds of this process and, on PostgreSQL, of the one that answers it.

    What others do on the machine meanwhile is not counted.
    """
    from django.db import connection

    if connection.vendor == "sqlite":
        return time.process_time

    def both():
        backend = connection.connection.info.backend_pid
        told = Path(f"/proc/{backend}/schedstat").read_text()  # nanoseconds first
        return time.process_time() + int(told.split()[0]) / 1e9

    return both


def answer_alone() -> None:
    """PostgreSQL's backend has no helpers, whose CPU `clock` would not see."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER ROLE CURRENT_USER SET max_parallel_workers_per_gather = 0"
            )
        connection.close()
        connection.close_pool()
