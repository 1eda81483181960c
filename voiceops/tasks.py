"""The worker's sign of life."""

import time

from celery import shared_task
from django.core.cache import cache

HEARTBEAT_KEY = "worker:heartbeat"


@shared_task(ignore_result=True)
def heartbeat():
    """Say when a worker last consumed something: a deaf worker still looks alive."""
    cache.set(HEARTBEAT_KEY, time.time(), timeout=None)
