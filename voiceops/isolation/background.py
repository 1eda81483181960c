"""The check in the background, for the operators' page; the cache has its result."""

import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from voiceops.isolation import report, tasks

LIMIT_S = 600  # well below `tenants.LONGEST_RUN`
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
    is_first = cache.add(RUNNING_KEY, True, timeout=LIMIT_S)
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
    try:
        ended = subprocess.run(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), *COMMAND],
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return "", f"It was still at work after {LIMIT_S} seconds and was stopped."
    return ended.stdout, ended.stderr


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
