"""The parts of `make run` that need no running stack."""

import asyncio
import io
import os
import signal
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet
from django.conf import settings

from tests.processes import wait_until
from voiceops.run.__main__ import DEMO_EMAIL
from voiceops.run.children import Child, Service
from voiceops.run.console import Console
from voiceops.run.errors import CannotStart
from voiceops.run.installation import Installation, read_installation
from voiceops.run.keys import MAKERS, ensure_secrets
from voiceops.run.plan import NAMES, make_plan


def parsed(path):
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


@pytest.fixture
def installation(tmp_path):
    return Installation(tmp_path, "127.0.0.1", 8000, {"VAR_DIR": str(tmp_path)})


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Only what is given: no name of this shell reaches the supervisor."""
    previous = os.umask(0o077)
    monkeypatch.setattr(os, "environ", {"VAR_DIR": str(tmp_path / "var")})
    monkeypatch.setattr("voiceops.run.installation.PROJECT_DIR", tmp_path)  # no .env
    yield os.environ
    os.umask(previous)


def test_secrets_are_made_once(tmp_path):
    path = tmp_path / "secrets.env"
    ensure_secrets(path)
    first = path.read_text()

    ensure_secrets(path)

    assert path.read_text() == first
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(parsed(path)) == list(MAKERS)
    Fernet(parsed(path)["FIELD_ENCRYPTION_KEYS"])


def test_secrets_that_are_missing_are_appended(tmp_path):
    path = tmp_path / "secrets.env"
    path.write_text("SECRET_KEY=mine")

    ensure_secrets(path)

    assert parsed(path)["SECRET_KEY"] == "mine"
    assert list(parsed(path)) == list(MAKERS)


def test_environment_wins_over_the_secrets_file(environment):
    environment["SECRET_KEY"] = "from the environment"

    found = read_installation()

    assert found.environment["SECRET_KEY"] == "from the environment"
    assert (
        found.environment["DEMO_PASSWORD"]
        == (parsed(found.var_dir / "secrets.env")["DEMO_PASSWORD"])
    )
    assert found.environment["PUBLIC_BASE_URL"] == "http://localhost:8000"


def test_secret_in_a_file_wins_over_the_secrets_file(environment):
    environment["SECRET_KEY_FILE"] = "/run/secrets/secret_key"
    environment["REDIS_URL_FILE"] = "/run/secrets/redis_url"

    found = read_installation()
    plan = make_plan(found, ("broker", "beat"))

    assert "SECRET_KEY" not in found.environment
    assert "FIELD_ENCRYPTION_KEYS" in found.environment
    assert "REDIS_URL" not in found.environment
    assert plan.first == []


def test_production_makes_no_secrets(environment):
    environment["ENVIRONMENT"] = "production"

    found = read_installation()

    assert list(found.var_dir.iterdir()) == []
    assert "SECRET_KEY" not in found.environment
    assert not found.wants_simulator


@pytest.mark.parametrize("port", ["none", "0", "65536", "-1", "8000.5"])
def test_port_that_is_none_is_refused(environment, port):
    environment["PORT"] = port

    with pytest.raises(CannotStart, match="PORT must be a number from 1 to 65535"):
        read_installation()


def test_plan_starts_everything_in_order(installation):
    plan = make_plan(installation, NAMES)

    assert [service.name for service in plan.first] == ["broker", "simulator"]
    assert plan.prepare.name == "prepare"
    assert [service.name for service in plan.rest] == ["web", "worker", "beat"]
    told = installation.environment
    assert told["REDIS_URL"] == f"unix://{installation.var_dir}/valkey.sock"
    assert told["TWILIO_API_BASE_URL"] == told["SIMULATOR_URL"]


def test_plan_leaves_out_what_the_user_has_elsewhere(installation):
    installation.environment |= {
        "REDIS_URL": "redis://elsewhere:6379/0",
        "SIMULATOR": "off",
        "TWILIO_API_BASE_URL": "https://api.twilio.com",
    }

    plan = make_plan(installation, NAMES)

    assert plan.first == []
    assert "SIMULATOR_URL" not in installation.environment
    assert installation.environment["REDIS_URL"] == "redis://elsewhere:6379/0"
    assert installation.environment["TWILIO_API_BASE_URL"] == "https://api.twilio.com"


def test_plan_of_one_process_finds_the_broker_of_another_terminal(installation):
    make_plan(installation, NAMES)
    address = installation.environment.pop("REDIS_URL")

    make_plan(installation, ("worker",))

    assert installation.environment["REDIS_URL"] == address


def test_plan_without_any_broker_is_refused(installation):
    with pytest.raises(CannotStart, match="REDIS_URL is not set"):
        make_plan(installation, ("worker",))


def test_child_lines_are_shown_with_its_name(tmp_path):
    long = "x" * 200_000
    code = f"import sys; print('one\\n\\ntwo'); print('x' * {len(long)}); sys.exit(3)"
    service = Service("web", [sys.executable, "-c", code], dict(os.environ))
    shown = io.StringIO()

    async def run():
        return await (await Child.start(service)).wait(Console(shown))

    assert asyncio.run(run()) == 3
    lines = shown.getvalue().splitlines()
    assert lines[:3] == ["web       | one", "web       | ", "web       | two"]
    assert "".join(line.removeprefix("web       | ") for line in lines[3:]) == long


def test_leash_kills_what_is_left_when_its_pipe_closes():
    ours = subprocess.Popen(["sleep", "60"], process_group=0)
    gone = subprocess.Popen(["sleep", "60"], process_group=0)
    leash = subprocess.Popen(
        [sys.executable, "-m", "voiceops.run.leash"], stdin=subprocess.PIPE, text=True
    )

    leash.communicate(f"+{ours.pid}\n+{gone.pid}\n-{gone.pid}\n", timeout=60)

    wait_until(lambda: ours.poll() is not None, 30, "the process is dead")
    assert ours.returncode == -signal.SIGKILL
    assert gone.poll() is None
    gone.kill()
    gone.wait()


def test_greeting_names_the_demo_person_of_the_settings():
    assert settings.DEMO_EMAIL == DEMO_EMAIL
