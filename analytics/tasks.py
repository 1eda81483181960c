"""Work of analytics that nobody waits for."""

from celery import shared_task


@shared_task(ignore_result=True)
def fold_changes():
    """Count again what has changed. Safe to run twice at once."""
    from analytics import rollup

    rollup.fold()
