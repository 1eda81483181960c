"""Work of analytics that nobody waits for."""

from celery import shared_task

AT_ONCE_S = 20  # the worker has more to do


@shared_task(ignore_result=True)
def fold_changes():
    """Count again what has changed. Safe to run twice at once."""
    from analytics import rollup

    rollup.fold(limit_s=AT_ONCE_S)
