"""What keeps the check to itself: it sends nothing, counts nothing, logs nothing.

All of this holds for the whole process, so the check has a process of its own: one
that serves nobody else meanwhile.
"""

import contextlib
import logging
import socket
from collections.abc import Iterator

from celery.app.task import Task
from django.db import connection
from django.test import override_settings

LOCAL = "django.core.cache.backends.locmem.LocMemCache"
SESSIONS = "isolation-sessions"
SETTINGS = {
    # The real cache counts the requests of real people, and remembers.
    "CACHES": {
        "default": {"BACKEND": LOCAL, "LOCATION": "isolation"},
        SESSIONS: {"BACKEND": LOCAL, "LOCATION": SESSIONS},
    },
    "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
    "SESSION_CACHE_ALIAS": SESSIONS,
    "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
}


class Sealed(ConnectionRefusedError):
    """Something wanted to leave the process during the check."""

    def __init__(self, *args, **kwargs):
        super().__init__("the isolation check reaches nobody outside")


@contextlib.contextmanager
def sealed() -> Iterator[None]:
    """Nothing leaves this process in the `with` but what the database is asked.

    Whoever opens a connection (to a carrier, a model, a simulator, a broker) is told
    that it was refused; mails go nowhere; tasks are not sent. Rate limits and sessions
    live in a cache that ends with it.
    """
    connection.ensure_connection()  # before: drivers look hosts up too
    with contextlib.ExitStack() as stack:
        stack.enter_context(override_settings(**SETTINGS))
        for name in ("connect", "connect_ex"):
            stack.enter_context(_replaced(socket.socket, name, _refuse))
        stack.enter_context(_replaced(socket, "getaddrinfo", _refuse_name))
        stack.enter_context(_replaced(Task, "apply_async", _drop))
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.CRITICAL)
        yield


def _refuse(*args, **kwargs):
    raise Sealed


def _refuse_name(*args, **kwargs):
    raise socket.gaierror(socket.EAI_NONAME, str(Sealed()))


def _drop(task, *args, **kwargs):
    """In place of sending a task: nobody gets it, and the sender does not mind."""


@contextlib.contextmanager
def _replaced(holder, name: str, value) -> Iterator[None]:
    before = getattr(holder, name)
    setattr(holder, name, value)
    try:
        yield
    finally:
        setattr(holder, name, before)
