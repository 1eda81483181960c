"""The check in the background, for the operators' page; the cache has its result."""

import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from voiceops.isolation import report, tasks

LIMIT_S = 3600  # below `tenants.LONGEST_RUN`
# A check whose worker is dead has gone on for so long at most, as far as pages know.
SEEN_EVERY_S, DEAD_AFTER_S = 20, 600
RUNNING_KEY = "isolation:running"
RESULT_KEY = "isolation:result"
COMMAND = ("check_isolation", "--json", "--all")


@dataclass(frozen=True)
class Outcome:
    """How the last check ended: its `result`, or why there is none."""

    ended_at: datetime
    result: report.Result | None
    problem: str


def start() -> bool:
    """Let a worker check; False if a check is under way."""
    is_first = cache.add(RUNNING_KEY, True, timeout=DEAD_AFTER_S)
    if is_first:
        tasks.check_isolation.delay()
    return is_first


def is_running() -> bool:
    return bool(cache.get(RUNNING_KEY))


def run() -> None:
    """Check in a process of its own, since the check seals its process off."""
    try:
        kept = _run_command()
    finally:
        cache.delete(RUNNING_KEY)
    cache.set(RESULT_KEY, (timezone.now().isoformat(), *kept), timeout=None)


def _run_command() -> tuple[str, str]:
    """What the command printed, and what it complained about."""
    with subprocess.Popen(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *COMMAND],
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            until = time.monotonic() + LIMIT_S
            while time.monotonic() < until:
                with suppress(subprocess.TimeoutExpired):
                    return process.communicate(timeout=SEEN_EVERY_S)
                cache.set(RUNNING_KEY, True, timeout=DEAD_AFTER_S)
        finally:  # also where the cache is away
            process.terminate()  # if it is at work still; it removes what it has made
    return "", f"It was still at work after {LIMIT_S} seconds and was stopped."


def latest() -> Outcome | None:
    """How the last check ended; None if there was none."""
    kept = cache.get(RESULT_KEY)
    if kept is None:
        return None
    ended_at, printed, complaint = kept
    try:
        result, problem = report.from_json(printed), ""
    except (ValueError, KeyError, TypeError):
        result, problem = None, complaint.strip()[-500:] or "It printed nothing."
    return Outcome(parse_datetime(ended_at), result, problem)
