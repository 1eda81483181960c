"""The weekly e-mail: when it comes, what it says, and how to be rid of it."""

import re
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from django.core import mail, signing
from django.test import Client

from accounts.models import Membership
from alerts import digest
from alerts.models import Digest, Episode
from alerts.tests.calls import make_alert
from analytics import rollup
from analytics.tests.histories import utc
from telephony.models import CallCost
from telephony.tests.calls import make_call
from tests.people import join

pytestmark = pytest.mark.django_db

MONDAY = utc("2026-03-09T08:00")
WEEK = timedelta(weeks=1)


def one_call(owner, at="2026-03-04T12:00", **fields):
    call = make_call(owner, utc(at), **fields)
    rollup.fold()
    return call


def in_zone(tenant, *, person="UTC", workspace="UTC"):
    tenant.user.timezone, tenant.workspace.timezone = person, workspace
    tenant.user.save()
    tenant.workspace.save()


def test_it_says_how_the_week_was_against_the_one_before(alice, settings):
    settings.PUBLIC_BASE_URL = "https://calls.example.com"
    for status in ("completed", "completed", "failed"):
        answered = {} if status == "completed" else {"answered_at": None}
        call = one_call(
            alice.workspace, status=status, end_reason="model_failed", **answered
        )
    CallCost.unscoped.create(
        owner=alice.workspace, call=call, part="carrier", amount=2, currency="USD"
    )
    one_call(alice.workspace, "2026-02-25T12:00")
    one_call(alice.workspace, "2026-02-25T12:00")
    one_call(alice.workspace, "2026-03-09T07:00")  # this week's
    alert = make_alert(alice.workspace)
    Episode.unscoped.create(
        owner=alice.workspace,
        alert=alert,
        started_at=utc("2026-03-04T12:07"),
        ended_at=utc("2026-03-04T13:07"),
        window_minutes=60,
        calls=4,
        value=Decimal(33),
    )

    assert digest.send_due(MONDAY) == 1

    (message,) = mail.outbox
    assert message.subject == "Alice's workspace: the week of 2 Mar – 8 Mar 2026"
    for line in (
        "Calls: 3 (+50.0 %)",
        "Answered: 66.7 % (−33.3 points)",
        "Spend: 2.00 USD",
        "Texts: 0",
        "  3 × The language model did not answer",
        "  Wed 12:07 Calls fail (1\xa0hour)",
        "https://calls.example.com/?from=2026-03-02&to=2026-03-08&timezone=UTC",
    ):
        assert line in message.body.splitlines()


def test_it_comes_once_a_week(alice):
    one_call(alice.workspace)

    sent = [digest.send_due(MONDAY + timedelta(hours=n)) for n in (-1, 0, 1, 12)]

    assert sent == [0, 1, 0, 0]
    assert digest.send_due(MONDAY + WEEK) == 1  # the week before had a call
    assert digest.send_due(MONDAY + 2 * WEEK) == 0  # none in either


@pytest.mark.parametrize(
    ("person", "workspace", "at"),
    [
        ("Asia/Tokyo", "UTC", "2026-03-08T23:00"),
        ("UTC", "America/Los_Angeles", "2026-03-09T15:00"),
        ("Asia/Kathmandu", "America/Los_Angeles", "2026-03-09T02:15"),
    ],
)
def test_it_comes_at_eight_on_ones_own_clock(person, workspace, at, alice):
    in_zone(alice, person=person, workspace=workspace)
    one_call(alice.workspace)

    assert digest.send_due(utc(at) - timedelta(minutes=1)) == 0
    assert digest.send_due(utc(at)) == 1
    assert person in mail.outbox[0].body or workspace in mail.outbox[0].body


def test_everybody_gets_that_of_their_workspace_but_who_does_not_want_it(
    alice, mallory
):
    one_call(alice.workspace)
    join(alice, "bob", "viewer")
    carol = join(alice, "carol", "member")
    dan = join(alice, "dan", "member")
    Membership.objects.filter(user=carol.user).update(gets_digest=False)
    dan.user.is_active = False
    dan.user.save()

    digest.send_due(MONDAY)

    told = {address for message in mail.outbox for address in message.to}
    assert told == {"alice@example.com", "bob@example.com"}


def test_a_worker_that_died_sends_none_rather_than_two(alice):
    one_call(alice.workspace)
    member = Membership.objects.get(user=alice.user)
    digest._take(member, MONDAY.date())

    assert digest.send_due(MONDAY) == 0


def test_a_mail_server_that_is_away_is_asked_again(alice, monkeypatch):
    def away(self, messages):
        raise ConnectionRefusedError

    backend = "django.core.mail.backends.locmem.EmailBackend.send_messages"
    one_call(alice.workspace)
    with monkeypatch.context() as patch:
        patch.setattr(backend, away)
        assert digest.send_due(MONDAY) == 0

    assert digest.send_due(MONDAY + timedelta(hours=1)) == 1
    assert Digest.unscoped.get().sent_at


# -- The way out -----------------------------------------------------------------------


@pytest.fixture
def path(alice):
    """Where the link of alice's mail leads."""
    one_call(alice.workspace)
    digest.send_due(MONDAY)
    (message,) = mail.outbox
    headers = message.extra_headers
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    (link,) = re.findall("^<(.*)>$", headers["List-Unsubscribe"])
    assert link in message.body
    return urlsplit(link).path


def gets_digest(tenant):
    return Membership.objects.get(user=tenant.user).gets_digest


def test_a_mail_program_ends_it_with_one_post(alice, mallory, path):
    """RFC 8058: no log-in, no cookie, no CSRF token."""
    nobody = Client(enforce_csrf_checks=True)

    looked = nobody.get(path)
    assert (looked.status_code, gets_digest(alice)) == (200, True)
    posted = nobody.post(path, {"List-Unsubscribe": "One-Click"})

    assert (posted.status_code, gets_digest(alice)) == (200, False)
    assert gets_digest(mallory)
    assert digest.send_due(MONDAY + WEEK) == 0
    assert "You get no weekly e-mail" in nobody.get(path).content.decode()


def test_a_link_that_was_made_up_opens_nothing(alice):
    member = Membership.objects.get(user=alice.user)
    other = signing.dumps(member.pk.hex, salt="something else")

    for token in (other, "nonsense", member.pk.hex):
        assert Client().post(f"/digest/{token}").status_code == 404
    assert gets_digest(alice)


def test_the_link_of_somebody_who_has_left_says_so(alice, path):
    Membership.objects.filter(user=alice.user).delete()

    assert "not in that workspace" in Client().post(path).content.decode()


def test_the_profile_has_a_switch_for_each_workspace(alice, mallory):
    member = Membership.objects.get(user=alice.user)
    theirs = Membership.objects.get(user=mallory.user)
    about = {"name": "Alice", "timezone": "UTC"}

    def save(**given):
        return alice.client.post("/settings/profile", {**about, **given}).status_code

    assert save() == 302
    assert not gets_digest(alice)
    assert save(digests=[str(member.pk)]) == 302
    assert gets_digest(alice)
    assert save(digests=[str(theirs.pk)]) == 422
    page = alice.client.get("/settings/profile").content.decode()
    assert "Weekly e-mail about" in page and "Mallory" not in page
