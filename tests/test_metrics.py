"""Who may read the metrics, and what they say."""

import math
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from datetime import timedelta

import pytest
import redis
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from telephony import twiml
from telephony.models import AfterCall, Call
from telephony.tests.calls import make_call, make_live_call
from telephony.tests.conftest import number  # noqa: F401
from tests.test_redis_away import no_redis  # noqa: F401
from voiceops import gauges, pulse, scrape
from voiceops.run.children import PROJECT_DIR
from voiceops.tasks import HEARTBEAT_KEY, heartbeat

pytestmark = pytest.mark.django_db

TOKEN = "the-token-of-the-metrics"


@pytest.fixture(autouse=True)
def fresh(settings):
    settings.METRICS_TOKEN = TOKEN
    cache.delete_many([gauges.KEPT_AS, HEARTBEAT_KEY])
    yield
    with suppress(redis.RedisError):
        cache.delete_many([gauges.KEPT_AS, HEARTBEAT_KEY])


def read(client, token=TOKEN):
    return client.get("/metrics", headers={"authorization": f"Bearer {token}"})


def samples(client):
    answer = read(client)
    assert answer.status_code == 200
    lines = answer.content.decode().splitlines()
    told = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in told}


def test_without_a_token_there_are_no_metrics(client, settings):
    settings.METRICS_TOKEN = ""

    assert read(client, token="").status_code == 404
    assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize("token", ["", "another", TOKEN[:-1], f"{TOKEN}x", "tökén"])
def test_another_token_opens_nothing(client, token):
    answer = read(client, token)

    assert (answer.status_code, answer.content) == (401, b"")
    assert answer["WWW-Authenticate"] == "Bearer"
    assert client.get("/metrics").status_code == 401


def test_metrics_are_read_by_any_name_of_the_host(client):
    """Inside, a container is asked by its own name."""
    headers = {"host": "web:8000", "authorization": f"Bearer {TOKEN}"}
    answer = client.get("/metrics", headers=headers)

    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=")
    assert "no-store" in answer["Cache-Control"]


def test_requests_are_counted_by_kind_and_status(alice, client):
    name = 'voiceops_request_seconds_count{kind="%s",status="%s"}'
    wanted = [name % ("page", 200), name % ("unknown", 404), name % ("webhook", 403)]
    before = samples(client)

    alice.client.get("/calls?number=%2B4930123456")
    client.get("/nothing/here")
    client.post("/webhooks/twilio/voice/token")

    after = samples(client)
    assert [after[one] - before.get(one, 0) for one in wanted] == [1, 1, 1]


def test_apologies_are_counted(client, number, monkeypatch):  # noqa: F811
    name = "voiceops_webhook_apologies_total"
    before = samples(client)[name]
    monkeypatch.delattr(twiml, "connect")

    answer, _ = number.ring()

    assert answer.status_code == 200
    assert samples(client)[name] == before + 1


def test_gauges_say_how_the_installation_stands(alice, mallory, client):
    make_live_call(alice.workspace)
    ended = make_call(mallory.workspace)
    make_call(mallory.workspace, placement=Call.Placement.UNKNOWN)
    ago = now() - timedelta(seconds=90)
    AfterCall.unscoped.create(owner=ended.owner, call=ended, next_try_at=ago)

    told = samples(client)

    assert told["voiceops_open_calls"] == 1
    assert told["voiceops_unknown_attempts"] == 1
    assert told["voiceops_alerts_firing"] == 0
    assert told['voiceops_waiting{what="after_calls"}'] == 1
    assert 90 <= told['voiceops_oldest_waiting_seconds{what="after_calls"}'] < 100
    assert told['voiceops_oldest_waiting_seconds{what="texts_to_send"}'] == 0
    assert not any(told[name] for name in told if name.startswith(gauges.FAILED))


def test_heartbeat_is_infinitely_old_before_the_first(client):
    assert samples(client)["voiceops_worker_heartbeat_age_seconds"] == math.inf
    cache.delete(gauges.KEPT_AS)
    heartbeat()

    assert samples(client)["voiceops_worker_heartbeat_age_seconds"] < 5


def test_gauges_are_asked_once_for_many_scrapes(client, django_assert_max_num_queries):
    with django_assert_max_num_queries(16):
        read(client)

    with django_assert_max_num_queries(0):
        read(client)


def test_every_gauge_is_answered_by_an_index(db):
    with CaptureQueriesContext(connection) as asked:
        gauges._asked()

    selects = [query["sql"] for query in asked if query["sql"].startswith("SELECT")]
    plans = [plan_of(sql) for sql in selects]
    assert len(plans) == 15
    assert [plan for plan in plans if "INDEX" not in plan.upper()] == []
    assert [plan for plan in plans if "Seq Scan" in plan] == []


def plan_of(sql):
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        else:  # which would rather scan a table that is empty
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {sql}")
        return f"{cursor.fetchall()} {sql}"


def test_what_cannot_be_told_is_said_and_hides_nothing_else(client, monkeypatch):
    def broken():
        raise OSError("somewhere")
        yield

    of_calls = gauges.GAUGES["voiceops_open_calls"]
    monkeypatch.setitem(gauges.GAUGES, "voiceops_open_calls", (*of_calls[:2], broken))

    told = samples(client)

    assert told['voiceops_gauge_failed{gauge="voiceops_open_calls"}'] == 1
    assert "voiceops_open_calls" not in told
    assert told["voiceops_unknown_attempts"] == 0


def test_gauges_are_told_without_redis(client, no_redis):  # noqa: F811
    name = "voiceops_worker_heartbeat_age_seconds"
    told = samples(client)

    assert told[f'voiceops_gauge_failed{{gauge="{name}"}}'] == 1
    assert told["voiceops_open_calls"] == 0


def test_queue_is_measured_at_the_broker(client, patient_broker_url):
    with redis.Redis.from_url(patient_broker_url) as broker:
        before = broker.llen(pulse.QUEUE)
        broker.rpush(pulse.QUEUE, "a task")
        told = samples(client)
        broker.rpop(pulse.QUEUE)

    assert told["voiceops_queue_depth"] == before + 1


def test_labels_name_nobody(alice, client):
    """Whatever happened in this process: labels are words of ours."""
    alice.client.get(f"/calls?number=%2B4930123456&{alice.workspace.pk}")

    labels = re.findall(r'(\w+)="([^"]*)"', read(client).content.decode())

    ours = {name: value for name, value in labels if name not in {"le", "version"}}
    assert ours
    assert not [v for _, v in labels if re.search(r"\d{7}|@|[0-9a-f]{8}-", v)]


def test_worker_answers_at_a_port_of_its_own():
    server = scrape.serve(0)
    url = f"http://127.0.0.1:{server.server_port}"

    def status(path, token):
        headers = {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                assert b"voiceops_task_seconds" in answer.read()
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code

    try:
        asked = [("/metrics", TOKEN), ("/metrics", "another"), ("/", TOKEN)]
        assert [status(*one) for one in asked] == [200, 401, 404]
    finally:
        server.shutdown()
        server.server_close()


COUNT = """
import sys
from voiceops import metrics
for _ in range(int(sys.argv[1])):
    metrics.note_request("/calls", 200, 0.1)
print(metrics.exposition().decode())
"""


def test_processes_of_one_address_are_summed(tmp_path):
    """A worker of the web server that was replaced counts still."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts")}

    def count(times):
        ran = subprocess.run(
            [sys.executable, "-c", COUNT, str(times)],
            env=environment,
            cwd=PROJECT_DIR,
            capture_output=True,
            text=True,
            check=True,
        )
        return ran.stdout

    count(2)
    name = 'voiceops_request_seconds_count{kind="page",status="200"}'
    assert f"{name} 5.0" in count(3)
