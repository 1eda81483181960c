"""The operators' isolation check: whole, harmless on a live installation, and quiet."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
import time_machine
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.core.mail import send_mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accounts.models import User, Workspace
from agents.tools import http
from agents.views import prompts
from telephony import twilio
from telephony.models import CarrierAccount
from tests.people import make_operator, make_tenant
from tests.processes import NEUTRAL, WITHIN_S, wait_until
from tests.walls import furnish
from voiceops.isolation import background, report, tasks, tenants
from voiceops.isolation.routes import routes
from voiceops.isolation.sealed import sealed
from voiceops.isolation.tenants import two_tenants
from voiceops.isolation.walk import walk

PROJECT_DIR = Path(__file__).resolve().parent.parent
DOCUMENT = PROJECT_DIR / "docs" / "isolation.md"
BEGIN, END = "<!-- begin: made by check_isolation --markdown -->\n", "<!-- end -->\n"
HOW_TO_DOCUMENT = "put what `check_isolation --markdown` prints into docs/isolation.md"
# One page: enough where it matters that the check runs, not what it finds.
ONE_PAGE = {"only": "/dashboard/live"}


def all_rows():
    """Every column of every row of every table."""
    return {
        model._meta.label: sorted(map(repr, model._base_manager.values()))
        for model in apps.get_models()
    }


@pytest.mark.walk
@pytest.mark.timeout(3000)
@pytest.mark.django_db(transaction=True)
def test_no_route_tells_or_changes_what_is_anothers_and_the_check_leaves_nothing(
    tmp_path,
):
    """By the operators' own command, with the settings of an installation.

    On rows that are really committed, beside those of somebody who lives here.
    """
    inhabitant = make_tenant("inhabitant")
    furnish(inhabitant)
    before = all_rows()
    mails = tmp_path / "mails"
    mails.mkdir()

    ended = subprocess.run(
        [sys.executable, "manage.py", "check_isolation", "--all", "--json"],
        cwd=PROJECT_DIR,
        env={
            **settings_of_this_database(tmp_path),
            **NEUTRAL,
            "EMAIL_URL": f"filemail://{mails}",
        },
        capture_output=True,
        text=True,
    )

    result = report.from_json(ended.stdout)
    assert (result.leaks, ended.stderr) == ([], "")
    assert ended.returncode == 0
    assert result.is_complete
    assert all_rows() == before
    assert list(mails.iterdir()) == []
    documented = DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0]
    assert documented == report.as_markdown(result), HOW_TO_DOCUMENT


@pytest.mark.django_db
def test_what_a_slow_check_is_told_last_is_what_a_quick_one_is():
    (resend,) = [r for r in routes() if r.template.endswith("_id>/resend")]

    with two_tenants() as (owner, stranger):
        with time_machine.travel(timezone.now() + tenants.LONGEST_RUN / 2):
            (late,) = walk(owner, stranger, [resend])
        (early,) = walk(owner, stranger, [resend])

    assert late.owner_statuses == early.owner_statuses == {409}
    assert late.leaks == early.leaks == []


# -- The command -----------------------------------------------------------------------


def careless(request, pk):
    return prompts.Prompt.unscoped.get(pk=pk)


@pytest.mark.django_db
def test_the_command_shows_a_line_a_route_and_a_verdict():
    told = StringIO()

    call_command("check_isolation", stdout=told, **ONE_PAGE)

    line, verdict = told.getvalue().splitlines()
    assert line.startswith("ok   /dashboard/live ")
    assert "GET 200/302" in line
    assert verdict.startswith("1 routes, ")
    assert verdict.endswith(" requests: no leak.")


@pytest.mark.django_db
def test_the_command_fails_and_names_the_leaking_route(monkeypatch):
    monkeypatch.setattr(prompts, "_get_prompt", careless)

    with pytest.raises(CommandError) as raised:
        call_command("check_isolation", stdout=StringIO(), only="/prompts/<uuid:pk>")

    assert "GET prompts/<uuid:pk>: 200" in str(raised.value)
    assert User.objects.count() == 0


@pytest.mark.django_db
def test_the_command_tells_programs_everything():
    told = StringIO()

    call_command("check_isolation", "--json", stdout=told, **ONE_PAGE)

    result = report.from_json(told.getvalue())
    (line,) = json.loads(told.getvalue())["lines"]
    assert (result.leaks, result.is_complete) == ([], True)
    assert line["route"] == "/dashboard/live"
    assert line["statuses"]["GET"] == "200 302"
    assert json.loads(told.getvalue())["holds"] is True


@pytest.mark.django_db
def test_an_answer_that_took_longer_than_another_is_no_leak(monkeypatch):
    squares = (float(n * n) for n in itertools.count())
    clock = SimpleNamespace(monotonic=squares.__next__)
    monkeypatch.setattr(http, "time", clock)  # no trial takes as long as another

    result = report.check(all_leaks=True, only="/api/tools/<uuid:tool_id>/test")

    assert (result.leaks, result.is_complete) == ([], True)
    assert next(squares) > 1


# -- What it makes goes again ----------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("raised", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_check_leaves_nothing(raised, monkeypatch):
    make_tenant("inhabitant")
    before = all_rows()

    def interrupt(*args):
        raise raised

    monkeypatch.setattr(report, "walk", interrupt)
    with pytest.raises(raised):
        report.check()

    assert all_rows() == before


def killed_process_id():
    """The id of a process that is no more."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def leave_tenants_behind(name):
    """What a killed run leaves: its people, rows and all."""
    made = []
    for who in ("owner", "stranger"):
        tenants._make_tenant(who, made)
    for user in made:
        user.name = f"owner {name}"
        user.save()


@pytest.mark.django_db
def test_what_a_killed_run_left_is_removed_by_the_next():
    make_tenant("inhabitant")
    before = all_rows()
    leave_tenants_behind(f"{killed_process_id()} {tenants._host()}")

    with two_tenants():
        assert User.objects.count() == 1 + 2

    assert all_rows() == before


@pytest.mark.django_db
@pytest.mark.parametrize("host", [tenants._host(), "another-host"])
def test_what_a_running_check_made_is_left_to_it(host):
    leave_tenants_behind(f"{os.getpid()} {host}")

    removed = tenants.remove_leftovers()

    assert removed == 0


@pytest.mark.django_db
def test_what_is_older_than_any_run_is_removed_wherever_it_was_made():
    leave_tenants_behind("1 another-host")
    User.objects.update(date_joined=timezone.now() - tenants.LONGEST_RUN * 2)

    removed = tenants.remove_leftovers()

    assert removed == 2
    assert Workspace.objects.count() == 0


def settings_of_this_database(tmp_path):
    """The environment with which another process opens the tests' database."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{database['NAME']}"
    else:
        url = (
            f"postgres://{database['USER']}@/{database['NAME']}"
            f"?host={database['HOST'] or database['OPTIONS']['host']}"
        )
    return {**os.environ, "DATABASE_URL": url, "VAR_DIR": str(tmp_path)}


@pytest.mark.django_db(transaction=True)
def test_a_check_that_is_told_to_end_removes_what_it_made(tmp_path):
    """SIGTERM to the real command, in the middle of the walk."""
    environment = settings_of_this_database(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "check_isolation"],
        cwd=PROJECT_DIR,
        env={**environment, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        first_line = process.stdout.readline()
        made = User.objects.count()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()

    assert first_line.startswith("ok   /admin/isolation/")
    assert made == 2
    assert process.returncode != 0
    assert User.objects.count() == 0


# -- Sealed ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_sealed_check_reaches_no_carrier(settings):
    """The door is open: only the seal keeps the request in."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        settings.TWILIO_API_BASE_URL = f"http://{host}:{port}"
        with (
            two_tenants() as (owner, _),
            sealed(),
            pytest.raises(twilio.Unreachable),
        ):
            twilio.fetch_account(owner.row(CarrierAccount))
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.django_db
def test_a_sealed_check_looks_no_host_up():
    with sealed(), pytest.raises(socket.gaierror):
        socket.create_connection(("carrier.example", 443))


@pytest.mark.django_db
def test_a_sealed_check_sends_no_mail_and_no_task(monkeypatch):
    sent = []
    monkeypatch.setattr(
        "celery.app.base.Celery.send_task", lambda *args, **kw: sent.append(args)
    )

    with sealed():
        send_mail("Subject", "Text", None, ["somebody@example.com"])
        tasks.check_isolation.delay()

    assert mail.outbox == []
    assert sent == []


@pytest.mark.django_db
def test_a_sealed_check_leaves_cache_and_sessions_alone(settings):
    cache.set("a-counter", 7)

    with sealed():
        cache.clear()
        make_tenant("visitor").client.get("/dashboard/live")

    assert cache.get("a-counter") == 7
    assert Session.objects.count() == 0
    assert settings.SESSION_ENGINE == "voiceops.sessions"


@pytest.mark.django_db
def test_throw_away_calls_never_look_silent():
    """Else the background job would ask the carrier about them."""
    from telephony.services import silent_calls

    with two_tenants():
        looked_at = silent_calls.settle(timezone.now() + tenants.LONGEST_RUN * 100)

    assert looked_at == 0


# -- The operators' page ---------------------------------------------------------------


@pytest.fixture
def operator(db):
    cache.clear()
    return make_operator().client


@pytest.fixture
def queued(monkeypatch):
    """The checks that were handed to a worker."""
    handed: list[bool] = []
    monkeypatch.setattr(tasks.check_isolation, "delay", lambda: handed.append(True))
    return handed


def test_the_page_is_for_superusers_alone(client, db, queued):
    member = make_operator("staff", is_superuser=False)
    nobody = client.post(reverse("isolation"))

    answer = member.client.post(reverse("isolation"))

    assert (nobody.status_code, answer.status_code) == (302, 403)
    assert queued == []


def test_the_page_hands_one_check_at_a_time_to_a_worker(operator, queued):
    first = operator.post(reverse("isolation"))
    again = operator.post(reverse("isolation"))
    page = operator.get(reverse("isolation")).content.decode()

    assert (first.status_code, again.status_code) == (302, 302)
    assert queued == [True]
    assert "A worker is checking" in page
    assert 'http-equiv="refresh"' in page


@pytest.mark.django_db(transaction=True)
def test_the_page_shows_the_table_of_a_real_check(operator, tmp_path, monkeypatch):
    environment = settings_of_this_database(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        background, "COMMAND", (*background.COMMAND, "--only", "/dashboard/live")
    )

    tasks.check_isolation()
    answer = operator.get(reverse("isolation"))

    page = answer.content.decode()
    assert "requests: no leak." in page
    assert '<th scope="row">/dashboard/live</th>' in page
    assert 'http-equiv="refresh"' not in page
    assert "unsafe-inline" not in answer["Content-Security-Policy"]


def test_a_check_is_known_to_run_for_as_long_as_it_does(tmp_path, monkeypatch):
    may_end = tmp_path / "may-end"
    wait = f"import os, time\nwhile not os.path.exists('{may_end}'): time.sleep(0.1)"
    monkeypatch.setattr(background, "COMMAND", ("shell", "-c", wait))
    monkeypatch.setattr(background, "SEEN_EVERY_S", 0.1)
    check = threading.Thread(target=background.run)

    check.start()
    wait_until(background.is_running, WITHIN_S, "it is known to run")
    may_end.touch()
    check.join()

    assert not background.is_running()


def test_a_check_that_never_ends_is_stopped(monkeypatch):
    monkeypatch.setattr(background, "COMMAND", ("shell", "-c", "while True: pass"))
    monkeypatch.setattr(background, "SEEN_EVERY_S", 0.1)
    monkeypatch.setattr(background, "LIMIT_S", 0.5)

    background.run()

    assert "still at work" in background.latest().problem


def test_a_check_ends_where_nobody_can_be_told_of_it(monkeypatch):
    begun = []

    def popen(*given, **more):
        begun.append(subprocess.Popen(*given, **more))
        return begun[0]

    def is_away(*given, **more):
        raise ConnectionError

    # The module's alone: other threads go on as they do.
    noting = SimpleNamespace(**{**vars(subprocess), "Popen": popen})
    away = SimpleNamespace(set=is_away, delete=is_away)
    monkeypatch.setattr(background, "subprocess", noting)
    monkeypatch.setattr(background, "cache", away)
    monkeypatch.setattr(background, "COMMAND", ("shell", "-c", "while True: pass"))
    monkeypatch.setattr(background, "SEEN_EVERY_S", 0.1)

    with pytest.raises(ConnectionError):
        background.run()

    (process,) = begun
    assert process.returncode == -signal.SIGTERM


def test_the_page_says_why_there_is_no_result(operator, monkeypatch):
    monkeypatch.setattr(background, "COMMAND", ("no_such_command",))

    tasks.check_isolation()
    page = operator.get(reverse("isolation")).content.decode()

    assert "The check did not come to an end." in page
    assert "no_such_command" in page


def test_the_admin_links_to_the_page(operator):
    page = operator.get("/admin/").content.decode()

    assert f'<a href="{reverse("isolation")}">Isolation</a>' in page
