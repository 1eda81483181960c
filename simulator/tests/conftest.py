import httpx
import pytest
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from simulator.app import make_app
from simulator.server import Server
from simulator.settings import Settings
from simulator.tests.application import (
    DEADLINE_S,
    Applications,
    ServerThread,
    wait_until,
)

KEY = "control-key"


class Carrier:
    """A simulator on a real socket, with its control API at hand."""

    def __init__(self, database, speed=0.0):
        self.database = str(database)
        settings = Settings(key=KEY, database=str(database), speed=speed)
        self._app = make_app_in_thread(settings)
        self.url = f"http://127.0.0.1:{self._app.port}"
        self.http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=DEADLINE_S,
            trust_env=False,
        )

    def stop(self):
        self.http.close()
        self._app.stop()

    def control(self, path, expected=201, **body):
        response = self.http.post(f"/control/{path}", json=body)
        assert response.status_code == expected, response.text
        return response.json() if response.content else None

    def call(self, to, script=None, **more):
        if script is not None:
            more["script"] = script
        return self.control("calls", **{"to": to, "from": "+12025550199"} | more)

    def state(self, sid):
        return self.http.get(f"/control/calls/{sid}").json()

    def ended(self, sid):
        """The call with its events, once it is over."""
        return wait_until(
            lambda: (
                (state := self.state(sid))["events"]
                and state["events"][-1]["type"] in ("ended", "error")
                and any(e["type"] == "ended" for e in state["events"])
                and state
            ),
            f"the end of {sid}",
        )


def make_app_in_thread(settings):
    return ServerThread(LazyServer(settings))


class LazyServer(Server):
    """Makes its application inside the thread that will use the database."""

    def __init__(self, settings):
        self._settings = settings
        super().__init__(None, settings)

    async def serve(self, sockets=None):
        self._app = self.config.app = make_app(self._settings)
        await super().serve(sockets)


@pytest.fixture(scope="session")
def applications():
    applications = Applications()
    yield applications
    applications.stop()


@pytest.fixture
def app(applications):
    return applications.open()


@pytest.fixture(scope="session")
def carrier(tmp_path_factory):
    """One carrier for all tests; each test has an account of its own on it."""
    carrier = Carrier(tmp_path_factory.mktemp("carrier") / "carrier.sqlite3")
    yield carrier
    carrier.stop()


@pytest.fixture
def account(carrier, app):
    """A new account; its number's webhooks point at the application."""
    account = carrier.control("accounts", count=1)
    app.secret = account["auth_token"]
    client = sdk(carrier, account)
    number = client.incoming_phone_numbers.list()[0]
    number.update(
        voice_url=app.url + "/voice",
        voice_fallback_url=app.url + "/fallback",
        status_callback=app.url + "/status",
        sms_url=app.url + "/sms",
    )
    return account | {"number": number.phone_number, "client": client}


def sdk(carrier, account):
    http_client = TwilioHttpClient(timeout=DEADLINE_S, max_retries=0)
    client = Client(account["sid"], account["auth_token"], http_client=http_client)
    client.api.base_url = carrier.url
    return client
