"""What a process does through PgBouncer, for `tests/test_pgbouncer.py`."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import chain
from threading import Barrier

from django.db import connection, connections
from django.test import Client
from django.test.utils import setup_test_environment
from django.utils.timezone import now

from accounts.models import Membership, User
from analytics import rollup
from telephony.models import ScheduledCall
from telephony.services import due_calls
from telephony.tests.conftest import make_number
from tests.people import PASSWORD, Tenant

CLAIMERS, AT_A_TIME, DUE = 8, 3, 40
EMAIL = "new@example.com"


def work() -> None:
    """Print what came of it as JSON."""
    setup_test_environment()
    number = make_number()
    told = {
        "signed_up": _sign_up(),
        "called": _be_called(number),
        "counted": rollup.fold(),
        "claimers": _claim_side_by_side(number),
        "claimed": ScheduledCall.unscoped.filter(status="dialing").count(),
        "read": len(list(ScheduledCall.unscoped.iterator(chunk_size=AT_A_TIME))),
        "prepared": _prepared(),
        "statement_timeout": _value("SHOW statement_timeout"),
    }
    print(json.dumps(told))


def _sign_up() -> list[int]:
    """Of pages and of the API, how they answered."""
    browser = Client()
    browser.post("/account/signup/", {"email": EMAIL, "password1": PASSWORD})
    user = User.objects.get(email=EMAIL)
    workspace = Membership.objects.get(user=user).workspace
    contact = {"number": "+14155550123", "name": "Somebody"}
    answers = [
        browser.get("/"),
        browser.get("/calls"),
        Tenant(user, workspace, browser).api("POST", "/api/contacts", contact),
    ]
    return [answer.status_code for answer in answers]


def _be_called(number) -> list[int]:
    """Of the webhooks of a call, how they were answered."""
    answer, call = number.ring()
    over = number.of_call(call, CallStatus="completed", CallDuration="5")
    told = number.post(number.status_path, over)
    return [answer.status_code, told.status_code]


def _claim_side_by_side(number) -> int:
    """How many of the threads got some of what is due, nobody another's."""
    at = now() - timedelta(seconds=1)
    times = {"scheduled_for": at, "due_at": at, "next_attempt_at": at}
    of_agent = {"owner": number.phone.owner, "agent": number.agent}
    for _ in range(DUE):
        ScheduledCall.unscoped.create(to_number="+14155550123", **of_agent, **times)
    together = Barrier(CLAIMERS)

    def claim() -> dict[uuid.UUID, int]:
        taken, token, account = {}, uuid.uuid4(), number.account.pk
        _value("SELECT 1")  # opens the thread's connection
        together.wait()
        while count := due_calls.claim(account, AT_A_TIME, token, now()):
            taken[token], token = count, uuid.uuid4()
        connections.close_all()
        return taken

    with ThreadPoolExecutor(CLAIMERS) as threads:
        claims = [threads.submit(claim) for _ in range(CLAIMERS)]
    for token, count in chain(*(claim.result().items() for claim in claims)):
        assert ScheduledCall.unscoped.filter(lease_token=token).count() == count
    return sum(bool(claim.result()) for claim in claims)


def _prepared() -> int:
    """Statements that a connection keeps, which the next one would not know."""
    for _ in range(10):  # the driver would prepare at the sixth
        _value("SELECT count(*) FROM accounts_user WHERE email = %s", [EMAIL])
    return _value("SELECT count(*) FROM pg_prepared_statements")


def _value(statement: str, values=()):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0]
