"""The container of the profile `demo`: its command and environment, from nothing."""

import re
import stat

import httpx
import pytest

from tests.deployment import Deployment
from tests.processes import FROM_SECRETS_FILE, wait_until

pytestmark = pytest.mark.flow

VOLUME = "/var/lib/voiceops"
GREETING = "VoiceOps is running at"
STARTED_WITHIN_S, SHOWN_WITHIN_S, ENDED_WITHIN_S = 400, 60, 60


class Demo(Deployment):
    """On a port and with a volume of its own."""

    def __post_init__(self):
        super().__post_init__()
        self.take_port("demo")
        self.volume = self.directory / "volume"

    def environment(self, name):
        here = {"8000": str(self.ports["demo"]), VOLUME: str(self.volume)}
        written = self.services[name].get("environment", {})
        said = {
            key: re.sub("|".join(here), lambda found: here[found[0]], value)
            for key, value in written.items()
        }
        return super().environment(name) | said | {"VAR_DIR": str(self.volume)}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """As `docker-compose --profile demo up`."""
    deployment = Demo(tmp_path_factory.mktemp("demo"))
    deployment.collect_static()
    try:
        process = deployment.start("demo")
        wait_until(
            lambda: GREETING in deployment.log("demo") or process.poll() is not None,
            STARTED_WITHIN_S,
            "the demo says where it is",
        )
        deployment.wait_until_healthy("demo")
        yield deployment
    finally:
        deployment.sweep()


def test_its_first_start_makes_private_secrets(demo):
    names = ("", "secrets.env", "voiceops.sqlite3")
    modes = [stat.S_IMODE((demo.volume / name).stat().st_mode) for name in names]
    secrets = (demo.volume / "secrets.env").read_text().splitlines()

    assert modes == [0o700, 0o600, 0o600]
    assert {line.partition("=")[0] for line in secrets} == set(FROM_SECRETS_FILE)


def test_whoever_reads_its_log_logs_in_and_finds_it_furnished(demo):
    port, log = demo.ports["demo"], demo.log("demo")
    email, password = re.search(r"log in +(\S+)\n.*? (\S+)\n", log).groups()
    with httpx.Client(
        base_url=f"http://localhost:{port}",
        follow_redirects=True,
        trust_env=False,
        timeout=SHOWN_WITHIN_S,
    ) as browser:
        page = browser.get("/account/login/")
        (stylesheet,) = re.findall(r'href="(/static/css/app\.\w+\.css)"', page.text)
        form = {"login": email, "password": password}
        token = {"X-CSRFToken": browser.cookies["csrftoken"]}
        home = browser.post("/account/login/", data=form, headers=token)
        calls = browser.get("/api/calls")

        assert browser.get(stylesheet).status_code == 200
        assert home.status_code == 200 and str(home.url).endswith(f":{port}/")
        assert len(calls.json()["results"]) > 5


def test_it_ends_in_peace(demo):
    process = demo.processes["demo"]
    process.terminate()

    assert process.wait(ENDED_WITHIN_S) == 0
    assert "Traceback" not in demo.log("demo")
