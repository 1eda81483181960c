"""Probes: `/livez` says that the process answers, `/readyz` that it can work."""

import time

from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from voiceops.celery import app
from voiceops.tasks import HEARTBEAT_KEY

# Several missed heartbeats: a worker that is busy for a moment is not a dead one.
WORKER_SILENT_S = 30


@require_safe
@never_cache
def livez(request):
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
def readyz(request):
    """200 when database, broker and worker all answer; else 503 and which does not."""
    checks = {"database": _database, "broker": _broker, "worker": _worker}
    problems = {name: _problem(check) for name, check in checks.items()}
    ready = not any(problems.values())
    return JsonResponse(
        {name: problem or "ok" for name, problem in problems.items()},
        status=200 if ready else 503,
    )


def _problem(check) -> str | None:
    try:
        return check()
    # Whatever a driver raises, the probe's answer is that it is not ready.
    except Exception as error:
        return type(error).__name__


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _broker() -> None:
    with app.connection_for_read() as broker:
        broker.ensure_connection(max_retries=1, timeout=2)


def _worker() -> str | None:
    seen = cache.get(HEARTBEAT_KEY)
    if seen is None:
        return "no worker has been heard of"
    silent_s = time.time() - seen
    return f"silent for {silent_s:.0f} s" if silent_s > WORKER_SILENT_S else None
