"""Production as docker-compose.yml describes it, behind the real front."""

import json
import os
import re
import signal
import socket
import ssl
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import httpx
import pytest
from twilio.request_validator import RequestValidator
from websockets.sync.client import connect

from telephony.tests.conftest import CarrierSocket
from tests.deployment import HOST, Deployment, running_deployment
from tests.processes import wait_until
from tests.sink import running_sink

pytestmark = pytest.mark.flow

SOON_S = 120
AFTER_CALL = "telephony.tasks.follow_up_calls"
MOST_BYTES = 12_000_000
STRANGE = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "strange.example",
}
# Somebody who is signed in, and a number with an agent in their workspace.
MAKE_WORKSPACE = """
import json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "voiceops.settings"
import django
django.setup()
from types import SimpleNamespace
from telephony.tests.conftest import make_number
from tests.people import join
number = make_number()
alice = join(SimpleNamespace(workspace=number.phone.owner), "alice", "owner")
print(json.dumps({
    "cookies": {name: morsel.value for name, morsel in alice.client.cookies.items()},
    "voice_path": number.voice_path,
    "status_path": number.status_path,
    "auth_token": number.account.auth_token,
    "fields": number.fields(),
}))
"""


@pytest.fixture(scope="module")
def sink():
    """The collector of its traces."""
    with running_sink() as server:
        yield server


@pytest.fixture(scope="module")
def deployment(tmp_path_factory, sink):
    tracing = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    made = Deployment(tmp_path_factory.mktemp("deployment"), given=tracing)
    with running_deployment(made) as running:
        yield running


@pytest.fixture(scope="module")
def alice(deployment):
    made = deployment.run("web", sys.executable, "-c", MAKE_WORKSPACE)
    assert made.returncode == 0, made.stderr
    return SimpleNamespace(**json.loads(made.stdout))


@pytest.fixture(scope="module")
def front(deployment):
    """A client that finds HOST at the front of this machine."""
    address = f"https://127.0.0.1:{deployment.ports['https']}"
    certificate = {"verify": False, "trust_env": False}
    with httpx.Client(base_url=address, timeout=SOON_S, **certificate) as client:
        client.headers["Host"] = HOST
        client.event_hooks["request"].append(_name_the_host)
        yield client


def _name_the_host(request):
    request.extensions["sni_hostname"] = HOST


def test_pages_come_whole_and_compressed_over_tls(front):
    page = front.get("/account/login/")
    (stylesheet,) = re.findall(r'href="(/static/css/app\.\w+\.css)"', page.text)
    style = front.get(stylesheet)

    assert (page.status_code, page.headers["content-encoding"]) == (200, "gzip")
    assert "max-age=31536000" in page.headers["strict-transport-security"]
    assert style.status_code == 200
    assert "immutable" in style.headers["cache-control"]


def test_plain_http_is_sent_on_to_https(deployment, front):
    plain = f"http://127.0.0.1:{deployment.ports['http']}"

    answer = front.get(f"{plain}/calls?page=2")

    assert answer.status_code == 308
    assert re.fullmatch(
        rf"https://{HOST}(:\d+)?/calls\?page=2", answer.headers["location"]
    )


def test_another_name_is_refused(deployment, front):
    plain = f"http://127.0.0.1:{deployment.ports['http']}"

    answers = [
        front.get(address, headers={"Host": "strange.example"})
        for address in ("/account/login/", f"{plain}/account/login/")
    ]

    assert [answer.status_code for answer in answers] == [421, 421]


def test_what_strangers_say_about_themselves_is_not_believed(front, alice):
    cookie = "; ".join(f"{name}={value}" for name, value in alice.cookies.items())

    page = front.get("/account/sessions/", headers={"Cookie": cookie, **STRANGE})

    assert page.status_code == 200  # over http it would be sent on
    assert "127.0.0.1" in page.text
    assert "6.6.6.6" not in page.text


def test_only_what_a_number_asks_for_is_public_of_the_probes(deployment, front):
    inside = f"http://127.0.0.1:{deployment.ports['web']}/readyz"
    host = {"Host": HOST}

    def is_ready():
        answer = httpx.get(inside, headers=host, trust_env=False, timeout=SOON_S)
        return answer.status_code == 200

    assert front.get("/livez").text == "ok"
    assert front.get("/readyz").status_code == 404
    assert front.get("/metrics").status_code == 404
    wait_until(is_ready, SOON_S, "the worker has been heard of")


def test_bodies_have_a_limit(front, alice):
    sizes = (MOST_BYTES, MOST_BYTES // 6, MOST_BYTES // 20)

    answers = [front.post(alice.voice_path, content=bytes(size)) for size in sizes]

    assert [answer.status_code for answer in answers] == [413, 413, 403]


def test_call_is_talked_and_watched_through_the_front(deployment, front, alice):
    cookie = "; ".join(f"{name}={value}" for name, value in alice.cookies.items())
    with front.stream("GET", "/live/stream", headers={"Cookie": cookie}) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 2000"  # at once, while the stream goes on

        answer = front.post(
            alice.voice_path,
            data=alice.fields,
            headers=signed(alice, f"https://{HOST}{alice.voice_path}", alice.fields),
        )
        assert 'welcomeGreeting="Hello, this is Brightside."' in answer.text
        (url,) = re.findall(r'url="(wss://[^"]+)"', answer.text)
        with call_socket(deployment, url, alice) as caller:
            caller.set_up()
            assert "open from 8 to 17" in caller.ask("When are you open?")
            caller.hang_up()
        over = alice.fields | {"CallStatus": "completed", "CallDuration": "5"}
        address = f"https://{HOST}{alice.status_path}"
        told = front.post(
            alice.status_path, data=over, headers=signed(alice, address, over)
        )

        assert told.status_code == 204
        assert "event: changed" in lines


def signed(alice, url, fields):
    signature = RequestValidator(alice.auth_token).compute_signature(url, fields)
    return {"X-Twilio-Signature": signature}


@contextmanager
def call_socket(deployment, url, alice):
    """The carrier's socket of a call, through the front."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    call = {"CallSid": "sid", "AccountSid": "account_sid"}
    with connect(
        url,
        sock=socket.create_connection(("127.0.0.1", deployment.ports["https"])),
        ssl=context,
        server_hostname=HOST,
        additional_headers=signed(alice, url, {}),
    ) as opened:
        known = {name: alice.fields[field] for field, name in call.items()}
        yield CarrierSocket(opened, SimpleNamespace(**known))


def test_backup_is_made_while_everything_runs(deployment):
    made = deployment.run("backup")

    assert made.returncode == 0, made.stderr
    assert os.listdir(made.stdout.strip()) == ["manifest.json", "voiceops.dump"]


def test_a_call_is_followed_from_process_to_process(deployment, sink):
    """The webhook that ended it has a task started; by then all have told of it."""
    webhook = "/webhooks/twilio/status/<str:token>"
    traced = {"web": f"POST {webhook}", "worker": f"run/{AFTER_CALL}"}

    def lines(name, event):
        written = deployment.log(name).splitlines()
        # A server's first lines are text.
        told = [json.loads(line) for line in written if line.startswith("{")]
        return [line for line in told if line["event"].endswith(event)]

    over = "a session is over"
    wait_until(
        lambda: lines("worker", "task"), SOON_S, "the worker has looked after it"
    )
    wait_until(lambda: lines("live", over), SOON_S, "live has let go of it")
    (ended,) = [line for line in lines("web", "request") if line["route"] == webhook]
    (task,) = lines("worker", "task")
    (session,) = lines("live", over)
    assert task["task"] == AFTER_CALL
    assert task["request_id"] == ended["request_id"] != session["request_id"]
    assert task["call_id"] == ended["call_id"] == session["call_id"]

    def traces(name):
        return {span.trace_id for span in sink.spans() if span.name == traced[name]}

    # The clock's own tasks are traced as well.
    both = "a trace goes through both"
    wait_until(lambda: traces("web") & traces("worker"), SOON_S, both)


def test_everything_ends_in_time_and_in_peace(deployment, alice):
    statuses = deployment.stop()

    assert set(statuses.values()) <= {0, -signal.SIGTERM}  # uvicorn's own last word
    for name in ("web", "live", "worker", "beat", "front"):
        assert "Traceback" not in deployment.log(name)
        assert "/webhooks/twilio/relay/" not in deployment.log(name)
        assert alice.voice_path not in deployment.log(name)
