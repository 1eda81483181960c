"""A pump whose worker is told to end: what is under way ends, nothing else begins."""

import pytest
from celery.signals import worker_shutting_down

from voiceops import pump

pytestmark = pytest.mark.django_db  # its threads look after connections

PIECES = 3


@pytest.fixture(autouse=True)
def _goes_on_afterwards():
    yield
    pump._is_ending.clear()


def test_no_piece_is_taken_after_the_worker_was_told_to_end():
    done = []

    async def work(piece):
        done.append(piece)
        if len(done) == PIECES:
            worker_shutting_down.send(sender="a worker", sig="SIGTERM", how="Warm")

    endless = pump.Pump(claim=lambda room: [len(done)], work=work, at_once=1)

    endless.run()

    assert done == list(range(PIECES))
