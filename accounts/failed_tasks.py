"""Tasks that raised an error: noted by the worker, read and sent again by operators.

Rows hold what is due, so a task that failed is no work that got lost: beat's next bell
finds it. What stands here says that something is wrong, and since when.
"""

import logging
import re
from collections.abc import Sequence
from datetime import datetime

from celery import current_app
from celery.signals import task_failure
from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models import F
from django.utils.timezone import now

from accounts.models import FailedTask

MOST_KEPT = 1_000
AN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{1,19}")

logger = logging.getLogger(__name__)


@task_failure.connect
def _task_failed(sender, exception, args=(), kwargs=None, **rest):
    try:
        note(sender.name, args, kwargs or {}, exception, at=now())
    except DatabaseError as error:  # perhaps it is why the task failed
        logger.warning("a failed task was not noted: %s", type(error).__name__)


def note(
    name: str, args: Sequence, kwargs: dict, error: BaseException, *, at: datetime
) -> None:
    """Count a failure; only ids are kept of what the task was about."""
    given = [str(one) for one in args]
    ids = [one for one in given if AN_ID.fullmatch(one)]
    kind = {
        "name": name[:100],
        "ids": " ".join(ids)[:200],
        "error": type(error).__name__[:100],
    }
    defaults = {
        "is_repeatable": ids == given and not kwargs and len(" ".join(ids)) <= 200,
        "first_at": at,
        "last_at": at,
    }
    with transaction.atomic():
        row, is_new = FailedTask.objects.get_or_create(**kind, defaults=defaults)
        if is_new:
            _forget_oldest()
        else:
            known = FailedTask.objects.filter(pk=row.pk)
            known.update(count=F("count") + 1, last_at=at)


def _forget_oldest() -> None:
    latest = FailedTask.objects.order_by("-last_at").values_list("last_at", flat=True)
    if last := latest[MOST_KEPT - 1 : MOST_KEPT].first():
        FailedTask.objects.filter(last_at__lt=last).delete()


def send_again(row: FailedTask) -> bool:
    """Send it to a worker, and forget the failure; False if it cannot be repeated.

    Every task of ours is safe to repeat. Raises what the broker does.
    """
    if not row.is_repeatable:
        return False
    current_app.send_task(row.name, row.ids.split(), retry=False)
    row.delete()
    return True
