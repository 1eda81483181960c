"""The carrier from outside: numbers are rung through the simulator's control API."""

from dataclasses import dataclass
from typing import Protocol

import httpx

from tests.processes import wait_until

CALLER = "+16285550142"
ENDED_WITHIN_S = 120
# Servers close a connection that was idle for five seconds: never send into that.
LIMITS = httpx.Limits(keepalive_expiry=1)
OVER = {"completed", "failed", "busy", "no-answer", "canceled"}


@dataclass
class Account:
    """An account at the carrier, as its owner knows it."""

    sid: str
    auth_token: str
    numbers: list[str]


@dataclass
class Caller:
    """Somebody on the line."""

    client: httpx.Client
    sid: str
    token: str

    def say(self, text: str) -> None:
        """When it is their turn."""
        self._act(type="say", text=text)

    def hang_up(self) -> None:
        self._act(type="hang_up")

    def _act(self, **action) -> None:
        path = f"/simulator/calls/{self.token}/actions"
        self.client.post(path, json=action).raise_for_status()


class HasCarrier(Protocol):
    """What runs, with a pocket carrier beside it."""

    @property
    def simulator(self) -> tuple[str, str]: ...


class Carrier:
    def __init__(self, stack: HasCarrier):
        url, key = stack.simulator
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,  # it may have hundreds of calls in hand
            trust_env=False,
            limits=LIMITS,
        )

    def open_account(self) -> Account:
        return Account(**self._ask("POST", "/control/accounts", json={"count": 2}))

    def ring(self, number: str, script: list[dict]) -> str:
        """Let somebody call `number` and behave as scripted; the call's SID."""
        call = {"to": number, "from": CALLER, "script": script, "ring_s": 0}
        return self._ask("POST", "/control/calls", json=call)["sid"]

    def ring_by_hand(self, number: str) -> "Caller":
        """Let somebody call `number` whose words the test decides as it goes."""
        call = {"to": number, "from": CALLER, "typed": True, "ring_s": 0}
        told = self._ask("POST", "/control/calls", json=call)
        return Caller(self._client, **told)

    def text(self, number: str, body: str, sender: str = CALLER) -> dict:
        """Let somebody text `number`; the text, once its webhook has answered."""
        text = {"to": number, "from": sender, "body": body}
        return self._ask("POST", "/control/messages", json=text)

    def texts_to(self, account: Account, number: str) -> list[dict]:
        """The texts that the account has asked for, newest first."""
        return self._ask(
            "GET",
            f"/2010-04-01/Accounts/{account.sid}/Messages.json",
            params={"To": number},
            auth=(account.sid, account.auth_token),
        )["messages"]

    def state(self, sid: str) -> dict:
        """The call with its events, as the carrier knows it."""
        return self._ask("GET", f"/control/calls/{sid}")

    def wait_for_end(self, sid: str, within_s: float = ENDED_WITHIN_S) -> dict:
        wait_until(
            lambda: self.state(sid)["status"] in OVER, within_s, "the call is over"
        )
        return self.state(sid)

    def heard(self, sid: str) -> str:
        """Everything that was played to the caller, in one text."""
        events = self.state(sid)["events"]
        return "".join(e["text"] for e in events if e["type"] == "agent_text")

    def number(self, account: Account, number: str) -> dict:
        """The number as Twilio's API shows it, its webhooks among the rest."""
        answer = self._client.get(
            f"/2010-04-01/Accounts/{account.sid}/IncomingPhoneNumbers.json",
            params={"PhoneNumber": number},
            auth=(account.sid, account.auth_token),
        )
        return answer.raise_for_status().json()["incoming_phone_numbers"][0]

    def point(self, account: Account, number: dict) -> None:
        """Give a number the webhooks of an earlier `number(...)`."""
        self._client.post(
            f"/2010-04-01/Accounts/{account.sid}"
            f"/IncomingPhoneNumbers/{number['sid']}.json",
            data={
                "VoiceUrl": number["voice_url"],
                "StatusCallback": number["status_callback"],
            },
            auth=(account.sid, account.auth_token),
        ).raise_for_status()

    def fail(self, account: Account, **fault) -> None:
        """What goes wrong with the account's requests; see `simulator.faults`."""
        path = f"/control/accounts/{account.sid}/faults"
        self._client.post(path, json=fault).raise_for_status()

    def calls_to(self, account: Account, number: str) -> list[dict]:
        """The calls that the account has asked for, as Twilio's API shows them."""
        answer = self._client.get(
            f"/2010-04-01/Accounts/{account.sid}/Calls.json",
            params={"To": number},
            auth=(account.sid, account.auth_token),
        )
        return answer.raise_for_status().json()["calls"]

    def book(self, account: Account) -> list[dict]:
        """Every call of the account, the oldest first; `place` is its place."""
        path, query = (
            f"/2010-04-01/Accounts/{account.sid}/Calls.json",
            {"PageSize": 1000},
        )
        calls: list[dict] = []
        while path:
            answer = self._client.get(
                path, params=query, auth=(account.sid, account.auth_token)
            )
            page = answer.raise_for_status().json()
            calls += page["calls"]
            path, query = page["next_page_uri"], None
        return [call | {"place": n} for n, call in enumerate(reversed(calls))]

    def _ask(self, method: str, path: str, **options) -> dict:
        return self._client.request(method, path, **options).raise_for_status().json()
