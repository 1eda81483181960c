"""Two looks at the same moment begin one episode, end it once, and tell once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core import mail
from django.db import connection

from alerts import digest, mails, watching
from alerts.models import Digest, Episode, Mail
from alerts.tests.calls import AT, MINUTE, calls, look, make_alert
from analytics import rollup
from analytics.tests.histories import utc
from hooks.models import Delivery
from hooks.tests.conftest import make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 3


def at_once(work):
    """In several threads, each on its own connection."""
    ready = threading.Barrier(WORKERS)

    def run(_number):
        try:
            ready.wait()
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(run, range(WORKERS)))


def test_looks_at_once_begin_and_end_once(alice):
    make_endpoint(alice.workspace)
    alert = make_alert(alice.workspace)
    calls(alice.workspace, bad=4)
    rollup.fold()

    at_once(lambda: watching.watch(AT))
    at_once(mails.send_due)

    episode = Episode.unscoped.get()
    assert episode.started_at == AT
    assert Mail.unscoped.count() == Delivery.unscoped.count() == len(mail.outbox) == 1

    calls(alice.workspace, good=4, before=-75)
    look(AT + 80 * MINUTE)
    at_once(lambda: watching.watch(AT + 95 * MINUTE))
    at_once(mails.send_due)

    episode.refresh_from_db()
    assert (episode.alert, episode.end_reason) == (alert, "recovered")
    assert Mail.unscoped.count() == Delivery.unscoped.count() == len(mail.outbox) == 2


def test_digests_at_once_are_one(alice):
    calls(alice.workspace, good=1)
    rollup.fold()

    at_once(lambda: digest.send_due(utc("2026-03-09T08:00")))

    assert Digest.unscoped.count() == len(mail.outbox) == 1
