"""What a worker does, in a process of its own and a row at a time: it can be killed."""

from django.utils.timezone import now

from privacy import erasing, erasures, retention
from tests.worker import slowed


def forget() -> None:
    erasing.CHUNK = 1
    erasing.do_piece = slowed(erasing.do_piece)
    erasures.run()


def remove_old() -> None:
    retention.CHUNK = 1
    retention._piece = slowed(retention._piece)
    retention.run(now())
