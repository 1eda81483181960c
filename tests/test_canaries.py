"""Nothing of a tenant's secrets, numbers and words in what an operator gets to see.

One tenant is filled with canaries and goes through everything: signs in, is called,
texts, uses a tool and a webhook that fail, calls out in vain, finds a broken page. A
colleague opens every link that is mailed and takes a second factor. A real worker on a
real broker does its part. Then all is searched that they left behind: the logs, the
error pages, every command that Redis was given, the reports of errors, the traces, the
metrics.
"""

import base64
import json
import logging
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from functools import partial
from urllib.parse import unquote_plus

import pytest
import redis
import uvicorn
from django.test import Client
from structlog.contextvars import bound_contextvars

from accounts import services
from accounts.models import Membership, User
from agents.models import Tool
from hooks.models import Attempt, Endpoint
from telephony.models import Call, Message, Turn
from telephony.tests.conftest import (  # noqa: F401
    live,
    live_application,
    relay_session,
)
from telephony.tests.outgoing import fail, make_placing_number, open_call
from telephony.tests.texting import MessageAgent, text_fields, text_path
from tests import breaking, colleague
from tests.processes import WITHIN_S, wait_until
from tests.sink import running_sink
from tests.stub_llm import stub_llm, stub_llm_server  # noqa: F401
from tests.stub_service import stub_service  # noqa: F401
from tests.worker import database_url
from voiceops.celery import app
from voiceops.logs import logging_config
from voiceops.run.children import PROJECT_DIR
from voiceops.run.guard import die_with_parent
from voiceops.run.installation import free_port

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "the-token-of-the-metrics"
PASSWORD = "canary-password-Kqx72"
HEADER = "canaryheaderWvz318"
MODEL_KEY = "canarymodelkeyJpt559"
CALLER, CALLEE = "+14155550731", "+16285550947"
SPOKEN, TEXTED = "marzipanspoken", "marzipantexted"
ANSWERED, REPLIED = "marzipananswered", "marzipanreplied"
SEARCHED = "marzipansearched"


@pytest.fixture
def sink():
    with running_sink() as server:
        yield server


@pytest.fixture
def commands(broker_url):
    """Every command that the broker is given, as its own monitor shows them."""
    seen: list[bytes] = []
    connection = redis.Redis.from_url(broker_url).connection_pool.get_connection()
    connection.connect()
    connection.send_command("MONITOR")
    socket = connection._sock
    socket.settimeout(None)

    def listen():
        with suppress(OSError):
            while piece := socket.recv(65536):
                seen.append(piece)

    threading.Thread(target=listen, daemon=True).start()
    yield lambda: b"".join(seen).decode(errors="replace")
    connection.disconnect()


@pytest.fixture
def here(broker_url, settings, stub_llm, stub_service):  # noqa: F811
    """This process as in production: on the broker, with a model, with metrics."""
    settings.REDIS_URL = broker_url
    there = {"BACKEND": "django.core.cache.backends.redis.RedisCache"}
    settings.CACHES = {
        "default": there | {"LOCATION": broker_url},
        "sessions": {
            "BACKEND": "voiceops.cache.SessionCache",
            "LOCATION": broker_url,
        },
    }
    settings.LLM_BASE_URL, settings.LLM_API_KEY = stub_llm.base_url, MODEL_KEY
    settings.METRICS_TOKEN = TOKEN
    settings.MFA_TOTP_TOLERANCE = 1  # a code may end while it is on its way
    before = app.conf.broker_url
    app.conf.broker_url = broker_url.replace("unix://", "redis+socket://", 1)
    app._after_fork()  # forgets the connections to where it was before
    yield
    app.conf.broker_url = before
    app._after_fork()


@pytest.fixture
def log(settings, tmp_path):
    """This process's JSON log, with a server that would say all that it says."""
    uvicorn.Config("voiceops.asgi:application", log_level="info")
    logging.config.dictConfig(logging_config("json"))
    path = tmp_path / "log"
    with path.open("w") as stream:
        (handler,) = (
            handler
            for handler in logging.getLogger().handlers
            if type(handler) is logging.StreamHandler
        )
        handler.setStream(stream)
        yield path
    logging.config.dictConfig(settings.LOGGING)


@contextmanager
def running_worker(
    log_path,
    port,
    mails,
    sink,
    carrier,
    stub_llm,  # noqa: F811
    stub_service,  # noqa: F811
    broker_url,
):
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": database_url(),
        "REDIS_URL": broker_url,
        "LOG_FORMAT": "json",
        "SENTRY_DSN": sink.url.replace("//", "//key@") + "/1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
        "METRICS_TOKEN": TOKEN,
        "METRICS_PORT": str(port),
        "TWILIO_API_BASE_URL": carrier.url,
        "LLM_BASE_URL": stub_llm.base_url,
        "LLM_API_KEY": MODEL_KEY,
        "TOOL_ALLOWED_HOSTS": stub_service.host,
        "EMAIL_URL": f"filemail:///{mails}",
    }
    with log_path.open("wb") as written:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "voiceops", "--quiet"),
                *("worker", "--pool", "threads", "--concurrency", "2", "-I"),
                *("tests.breaking", "--without-gossip", "--without-mingle"),
                *("--loglevel", "INFO"),
            ],
            cwd=PROJECT_DIR,
            env={**os.environ, **environment},
            stdout=written,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(),
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(WITHIN_S)


def scrape(url, token=TOKEN):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode()


def readable(bodies):
    return b"\n".join(bodies).decode(errors="replace")


def decoded(text):
    """`text`, and what is wrapped in it: Celery's messages are Base64 in JSON."""
    unescaped = text.replace("\\", "")
    parts = [text, unescaped, unquote_plus(text)]
    for piece in re.findall(r"[A-Za-z0-9+/]{16,}={0,2}", unescaped):
        with suppress(ValueError):
            parts.append(base64.b64decode(piece).decode("utf-8", "replace"))
    return "\n".join(parts)


def sign_in():
    person = User.objects.create_user("canary@example.com", PASSWORD, name="Canary")
    services.open_personal_workspace(person)
    Membership.objects.filter(user=person).update(role=Membership.Role.OWNER)
    browser = Client(raise_request_exception=False)
    for password in (f"{PASSWORD}-wrong", PASSWORD):
        form = {"login": person.email, "password": password}
        browser.post("/account/login/", form)
    assert browser.get(f"/calls?q={SEARCHED}&number={CALLER}").status_code == 200
    return person, browser


def put_up(carrier, stub_service):  # noqa: F811
    """A number at the carrier, with agents, a tool and a webhook."""
    number = make_placing_number(carrier)
    tool = Tool(
        owner=number.phone.owner,
        name="find_order",
        description="Finds one.",
        url=f"{stub_service.url}/status/500?q={SEARCHED}",
    )
    tool.secret_headers = {"X-Key": HEADER}
    tool.save()
    number.agent.tools = [str(tool.pk)]
    number.agent.save()
    MessageAgent.unscoped.create(
        owner=number.phone.owner,
        phone=number.phone,
        name="Texts",
        is_active=True,
        instructions="Be brief.",
        reply_delay_s=0,
    )
    Endpoint.unscoped.create(
        owner=number.phone.owner, url=f"{stub_service.url}/status/500"
    )
    return number


def talk(live, number):  # noqa: F811
    """A call by webhook and socket, in which a tool fails."""
    _, call = number.ring(From=CALLER)
    with relay_session(live, call) as caller:
        assert caller.ask(f"Please, {SPOKEN}") == ANSWERED
        caller.hang_up()
    assert Turn.unscoped.filter(call=call, speaker="tool").exists()
    over = {"CallStatus": "completed", "CallDuration": "5"}
    number.post(number.status_path, number.of_call(call, From=CALLER, **over))
    return call


def text(number):
    """A text comes in; the worker has the agent answer it."""
    number.post(text_path(number), text_fields(number, TEXTED, sender=CALLER))
    replies = Message.unscoped.filter(direction="outgoing", body=REPLIED)
    wait_until(replies.exists, WITHIN_S, "the worker has answered the text")
    tries = Attempt.unscoped.filter(status_code=500)
    wait_until(tries.exists, WITHIN_S, "the worker has told the webhook")


def call_in_vain(carrier, number):
    """The carrier loses its answer to the worker."""
    fail(carrier, number, kind="500", method="POST", count=5)
    call = open_call(number, to=CALLEE)
    wait_until(
        lambda: Call.unscoped.get(pk=call.pk).placement != Call.Placement.OPENED,
        WITHIN_S,
        "the worker has asked for the call",
    )


def broken_pages(browser, number, call, monkeypatch):
    """What people see of errors, with everything in the hands of what broke."""
    from analytics import views

    def break_down(*args, **kwargs):
        held = f"{number.account.auth_token} {PASSWORD} {CALLER} {SPOKEN}"
        raise ValueError(held)

    monkeypatch.setattr(views, "render", break_down)
    query = f"?q={SEARCHED}&number={CALLER}"
    pages = [
        browser.get(f"/{query}"),
        browser.get(f"/nothing/here{query}"),
        browser.get(f"/api/nothing{query}"),
        browser.get(f"/{query}", headers={"host": "elsewhere.example"}),
        Client(enforce_csrf_checks=True).post("/account/login/", {"login": CALLER}),
        Client().post(f"/webhooks/twilio/voice/{number.phone.webhook_token}"),
    ]
    assert [page.status_code for page in pages] == [500, 404, 404, 400, 403, 403]
    assert pages[0]["X-Request-ID"] in pages[0].content.decode()
    return [page.content.decode() + str(page.headers) for page in pages]


def test_no_canary_is_left_anywhere(
    live,  # noqa: F811
    carrier,
    stub_llm,  # noqa: F811
    stub_service,  # noqa: F811
    here,
    broker_url,
    commands,
    sink,
    log,
    tmp_path,
    monkeypatch,
):
    stub_llm.configure(
        mode="script",
        replies=(
            [{"name": "find_order", "arguments": {"order": SEARCHED}}],
            ANSWERED,
            REPLIED,
        ),
    )
    port, worker_log = free_port(), tmp_path / "worker.log"
    services_of_worker = (sink, carrier, stub_llm, stub_service, broker_url)
    with running_worker(worker_log, port, tmp_path / "mails", *services_of_worker):
        person, browser = sign_in()
        secrets = colleague.join_by_links(person, tmp_path / "mails", WITHIN_S)
        key = services.issue_login_token(person)
        Client().get("/api/calls", headers={"authorization": f"Bearer {key}"})
        number = put_up(carrier, stub_service)
        call = talk(live, number)
        text(number)
        headers = [asked["headers"] for asked in stub_service.requests]
        assert any(given.get("X-Key") == HEADER for given in headers)
        assert any("webhook-signature" in given for given in headers)
        webhook = Endpoint.unscoped.get()
        call_in_vain(carrier, number)
        with bound_contextvars(call_id=str(call.pk)):
            breaking.break_down.delay(str(call.pk))
        reports = partial(sink.bodies, "/envelope/")
        wait_until(
            lambda: '"break_down"' in readable(reports()),
            WITHIN_S,
            "the worker's error was reported",
        )
        pages = broken_pages(browser, number, call, monkeypatch)
        metrics = scrape(f"http://{live.address}/metrics")
        metrics_of_worker = scrape(f"http://127.0.0.1:{port}/metrics")

    left = {
        "log": log.read_text(),
        "log of the worker": worker_log.read_text(),
        "Redis": commands(),
        "error pages": "\n".join(pages),
        "error reports": readable(reports()),
        "traces": readable(sink.bodies("/v1/traces")),
        "metrics": metrics + metrics_of_worker,
    }
    canaries = {
        "auth token": number.account.auth_token,
        "token of the number": number.phone.webhook_token,
        "token of the call's socket": call.relay_token,
        "API key": key,
        "key of the model": MODEL_KEY,
        "password": PASSWORD,
        "header of the tool": HEADER,
        "secret of the webhook": webhook.secret.removeprefix("whsec_"),
        "session": browser.cookies["sessionid"].value,
        **secrets,
        "caller": CALLER.removeprefix("+"),
        "callee": CALLEE.removeprefix("+"),
        "our number": number.phone.number.removeprefix("+"),
        **{word: word for word in (SPOKEN, TEXTED, ANSWERED, REPLIED, SEARCHED)},
    }
    assert_lively(left, call)
    found = [
        (place, name)
        for place, told in left.items()
        for name, canary in canaries.items()
        if canary in decoded(told)
    ]
    assert found == []


def assert_lively(left, call):
    """All of it was looked at: what has to be there is there."""
    ours = [json.loads(line) for line in left["log"].splitlines()]
    assert {"request"} <= {line["event"] for line in ours}
    about_call = [line for line in ours if line.get("call_id") == str(call.pk)]
    told = [line["event"].replace(f"call {call.pk}: ", "") for line in about_call]
    assert {"request", "a session begins", "a session is over"} <= set(told)
    assert all(line["request_id"] for line in about_call)
    broke = [line for line in ours if "ValueError" in line.get("exception", "")]
    assert broke and "test_canaries.py" in broke[0]["exception"]
    (theirs,) = (
        json.loads(line)
        for line in left["log of the worker"].splitlines()
        if "ValueError" in line
    )
    assert theirs["call_id"] == str(call.pk)
    assert theirs["task"] == breaking.break_down.name
    assert "telephony.tasks.answer_texts" in left["Redis"]
    assert f'"call_id": "{call.pk}"' in left["error reports"].replace('":"', '": "')
    assert '"break_down"' in left["error reports"]
    assert f"run/{breaking.break_down.name}" in left["traces"]
    assert "voiceops_request_seconds_count" in left["metrics"]
    assert 'voiceops_task_seconds_count{state="failure"' in left["metrics"]
