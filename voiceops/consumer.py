"""What a worker does when its broker goes away: it goes on, and connects again."""

from celery.worker.consumer import Consumer as CelerysConsumer


class Consumer(CelerysConsumer):
    """Celery's own, but for messages that were fetched and not begun.

    Kombu would put them back through a connection that it has taken apart already, and
    that error ends the worker with all that it is doing. They are hints: what is due
    stands in rows, and beat rings for it again.
    """

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        if self.task_consumer is not None:
            self.task_consumer.channel.do_restore = False
        super().on_connection_error_after_connected(exc)
