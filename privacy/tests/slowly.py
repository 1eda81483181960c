"""What a worker does, in a process of its own and a row at a time: it can be killed."""

from django.utils.timezone import now

from privacy import erasing, erasures, retention


def forget() -> None:
    erasing.CHUNK = 1
    erasures.run()


def remove_old() -> None:
    retention.CHUNK = 1
    retention.run(now())
