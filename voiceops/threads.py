"""Database work for asynchronous code: a few threads, each with its own connection.

Django's database layer blocks, and its connections belong to threads. A bounded pool
keeps the number of connections in hand however many calls are open.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from django.db import close_old_connections

MAX_THREADS = 8

T = TypeVar("T")

_threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="database")


async def in_thread(function: Callable[..., T], *args) -> T:
    """Run `function(*args)` in a database thread and wait for its result.

    Cancelling the wait does not stop work that has begun.
    """
    loop = asyncio.get_running_loop()
    # With whatever is bound here for the log: the thread has nothing of its own.
    context = contextvars.copy_context()
    work = partial(context.run, _unit_of_work, function, args)
    return await loop.run_in_executor(_threads, work)


def _unit_of_work(function: Callable[..., T], args: tuple) -> T:
    """What a request's start and end do for a view: no broken connection is used,
    and one that is not to be kept goes back to the pool."""
    close_old_connections()
    try:
        return function(*args)
    finally:
        close_old_connections()
