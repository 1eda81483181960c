"""Database work for asynchronous code: a few threads, each with its own connection.

Django's database layer blocks, and its connections belong to threads. A bounded pool
keeps the number of connections in hand however many calls are open.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import close_old_connections
from structlog.contextvars import (
    bind_contextvars,
    clear_contextvars,
    get_contextvars,
)

MAX_THREADS = 8

T = TypeVar("T")

_threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="database")


async def in_thread(function: Callable[..., T], *args) -> T:
    """Run `function(*args)` in a database thread and wait for its result.

    Cancelling the wait does not stop work that has begun.
    """
    loop = asyncio.get_running_loop()
    bound = get_contextvars()
    return await loop.run_in_executor(_threads, _unit_of_work, function, args, bound)


def _unit_of_work(function: Callable[..., T], args: tuple, bound: dict[str, Any]) -> T:
    """What a request's start and end do for a view: no broken connection is used,
    and one that is not to be kept goes back to the pool.

    `bound` is for the log. The whole context is not taken along: Django keeps the
    thread's connection to the cache in it, and would make another one each time.
    """
    clear_contextvars()
    bind_contextvars(**bound)
    close_old_connections()
    try:
        return function(*args)
    finally:
        close_old_connections()
