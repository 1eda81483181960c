"""A worker's task in a process of its own, on the database of the running test.

Only for tests whose rows are committed (`transactional_db`).
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import wraps

from django.db import connection

from tests.processes import WITHIN_S
from voiceops.run.children import PROJECT_DIR
from voiceops.run.guard import die_with_parent

PROGRAM = "import sys, django; django.setup(); from importlib import import_module as i"
PIECE_S = 0.3


def database_url():
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    host = given["HOST"] or given["OPTIONS"]["host"]
    return f"postgres://{given['USER']}@/{given['NAME']}?host={host}"


@contextmanager
def running_task(module, task, **environment):
    """The process that runs `task()` of `module`; killed at the end."""
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings", **environment}
    process = subprocess.Popen(
        [sys.executable, "-c", f"{PROGRAM}; i({module!r}).{task}()"],
        cwd=PROJECT_DIR,
        env={**os.environ, "DATABASE_URL": database_url(), **environment},
        preexec_fn=die_with_parent(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(WITHIN_S)


def slowed(piece: Callable) -> Callable:
    """One piece of a task that is to be killed halfway, in its own process: whoever
    kills it may stall before.
    """

    @wraps(piece)
    def slow(*args, **options):
        time.sleep(PIECE_S)
        return piece(*args, **options)

    return slow
