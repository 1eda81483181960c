"""What belongs together in the log, from one process to the next.

A task carries the request's id and the call's in its headers, so that what a worker
logs can be found by them. Ids of ours alone: nothing that a client sent.
"""

import time
import uuid

import structlog
from celery.signals import before_task_publish, task_postrun, task_prerun
from structlog.contextvars import (
    bind_contextvars,
    clear_contextvars,
    get_contextvars,
)

from voiceops import metrics

HEADER = "voiceops_trail"
CARRIED = ("request_id", "call_id")

logger = structlog.get_logger("voiceops.tasks")


def about_request() -> str:
    """A new id for the request that begins, in all that is logged from here on."""
    request_id = str(uuid.uuid4())
    bind_contextvars(request_id=request_id)
    return request_id


def about_call(call_id) -> None:
    """All that this request, task or session logs from here on is about this call."""
    bind_contextvars(call_id=str(call_id))


def follow() -> None:
    """Give trails to the tasks that are sent, and take up those of tasks that run."""
    before_task_publish.connect(_send_along, weak=False)
    task_prerun.connect(_take_up, weak=False)
    task_postrun.connect(_let_go, weak=False)


def _send_along(headers=None, **kwargs) -> None:
    known = get_contextvars()
    trail = {name: known[name] for name in CARRIED if name in known}
    if trail and headers is not None:
        headers[HEADER] = trail


def _take_up(task_id=None, task=None, **kwargs) -> None:
    clear_contextvars()  # the thread's last task was somebody else's
    trail = getattr(task.request, HEADER, None) or {}
    kept = {name: str(trail[name]) for name in CARRIED if name in trail}
    bind_contextvars(task=task.name, task_id=task_id, **kept)
    task.request.began = time.perf_counter()


def _let_go(task=None, state=None, **kwargs) -> None:
    """One line a task, unless only a bell has rung for it: that is most of them."""
    began = getattr(task.request, "began", None)
    if began is not None:
        elapsed_s = time.perf_counter() - began
        metrics.note_task(task.name, state, elapsed_s)
        if not get_contextvars().keys().isdisjoint(CARRIED):
            logger.info("task", state=state, ms=round(elapsed_s * 1000, 1))
    clear_contextvars()
