"""A business set up through the API, for tests about what happens afterwards."""

import uuid
from http import HTTPStatus
from typing import Protocol

import httpx

from tests.flow.carrier import LIMITS, Account, Carrier
from tests.password import PASSWORD
from tests.processes import wait_until

SETTLED_WITHIN_S = 90
GREETING = "Hello, this is Harbour Dental. How can I help?"
OVER = {"completed", "failed", "busy", "no-answer", "canceled"}
# However slow the machine is: nobody is asked whether they are there, and nothing is
# said while the model thinks.
PATIENT = {"silence_reminders": 0, "filler_after_ms": 0}


class HasUrl(Protocol):
    @property
    def url(self) -> str: ...


class Member:
    """Somebody of a workspace, by the API."""

    def __init__(self, url: str, **options):
        self._client = httpx.Client(
            base_url=url, timeout=30, trust_env=False, limits=LIMITS, **options
        )

    @property
    def credentials(self) -> dict[str, str]:
        return {"Authorization": self._client.headers["Authorization"]}

    def log_in(self, email: str) -> None:
        self._enter("login", {"email": email, "password": PASSWORD})

    def _enter(self, door: str, person: dict) -> None:
        token = self.ask("POST", f"/api/auth/{door}", person)["token"]
        self._client.headers["Authorization"] = f"Bearer {token}"

    def texts(self, number: str) -> list[dict]:
        """What was written with `number`, oldest first."""
        path = f"/api/messages?number={number.removeprefix('+')}"
        return self.ask("GET", path)["results"][::-1]

    def call(self, sid: str) -> dict:
        """The call as this application knows it, with turns and events."""
        return self.ask("GET", f"/api/calls/{sid}")

    def settled(self, sid: str, within_s: float = SETTLED_WITHIN_S) -> dict:
        """The call once it has ended here too."""
        wait_until(
            lambda: self.call(sid)["status"] in OVER, within_s, "the call is settled"
        )
        return self.call(sid)

    def words(self, sid: str) -> list[tuple[str, str]]:
        """Who said what so far, in order; nothing before the call has come in."""
        answer = self._client.get(f"/api/calls/{sid}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return []
        turns = self._content(answer)["turns"]
        return [(turn["speaker"], turn["text"]) for turn in turns]

    def transcript(self, sid: str, turns: int) -> list[tuple[str, str]]:
        """The same once so many turns are written: the last may come after the end."""
        wait_until(
            lambda: len(self.words(sid)) >= turns,
            SETTLED_WITHIN_S,
            f"{turns} turns are written",
        )
        return self.words(sid)

    def ask(self, method: str, path: str, body=None) -> dict:
        return self._content(self._client.request(method, path, json=body))

    def refusal(self, method: str, path: str, body=None) -> int:
        """The status of a request that is refused."""
        answer = self._client.request(method, path, json=body)
        assert answer.is_client_error, f"{method} {path}: {answer.status_code}"
        return answer.status_code

    def _content(self, answer: httpx.Response) -> dict:
        method, path = answer.request.method, answer.request.url.path
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}


class Business(Member):
    """One workspace with a connected carrier account and a registered number."""

    def __init__(
        self, stack: HasUrl, carrier: Carrier, account: Account | None = None, **options
    ):
        super().__init__(stack.url, **options)
        self.email = f"{uuid.uuid4().hex}@example.com"
        self._enter(
            "register", {"email": self.email, "password": PASSWORD, "name": "Ada"}
        )
        self.account: Account = account or carrier.open_account()
        self.number = self.account.numbers[0]
        credentials = {
            "label": "Main",
            "account_sid": self.account.sid,
            "auth_token": self.account.auth_token,
        }
        self.ask("POST", "/api/carrier-accounts", credentials)
        self.phone_id = self.ask("POST", "/api/phones", {"number": self.number})["id"]

    def put_agent(self, **fields) -> str:
        """A voice agent, active on the number; its id."""
        agent = {
            "name": "Front desk",
            "phone_id": self.phone_id,
            "greeting": GREETING,
            "instructions": "You are the receptionist of Harbour Dental.",
            **PATIENT,
            **fields,
        }
        agent_id = self.ask("POST", "/api/agents", agent)["id"]
        self.ask("POST", f"/api/agents/{agent_id}/activate")
        return agent_id

    def put_message_agent(self, **fields) -> str:
        """A message agent, active on the number, that answers at once; its id."""
        agent = {
            "name": "Desk",
            "phone_id": self.phone_id,
            "instructions": "You are the desk of Harbour Dental.",
            "reply_delay_s": 0,
            "is_active": True,
            **fields,
        }
        return self.ask("POST", "/api/message-agents", agent)["id"]
