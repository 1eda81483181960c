"""Workers and beats say that they do something, and end when they do nothing.

A worker whose broker came back may look alive and hear nothing any more. So a file is
touched whenever it begins a task (beat: whenever it sent one), for a health check; and
as nobody restarts what is merely unhealthy, a process that is silent for long ends.
"""

import logging
import os
import signal
import threading
import time
from pathlib import Path

from celery.signals import after_task_publish, beat_init, task_prerun, worker_ready

# Beat rings every second: in a minute each of dozens of workers begins something.
SILENT_S = 180
LOOK_EVERY_S = 10
ENDED_WITHIN_S = 30

logger = logging.getLogger(__name__)


def keep(path: Path) -> None:
    """Touch `path` from now on, and watch over that once the process is up."""

    def touch(**kwargs) -> None:
        path.touch()

    def watch(**kwargs) -> None:
        path.touch()
        threading.Thread(target=end_when_silent, args=[path], daemon=True).start()

    for begun in (task_prerun, after_task_publish):
        begun.connect(touch, weak=False)
    for is_up in (worker_ready, beat_init):
        is_up.connect(watch, weak=False)


def end_when_silent(path: Path) -> None:
    while time.time() - path.stat().st_mtime < SILENT_S:
        time.sleep(LOOK_EVERY_S)
    logger.error("nothing was done for %d s: to be started again", SILENT_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ENDED_WITHIN_S)
    os._exit(1)
