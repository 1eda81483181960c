"""The page of costs: what it says, and the lists that it leads to."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils.timezone import now

from accounts.models import Membership
from analytics import rollup
from analytics.models import Series
from analytics.rebuilding import differences
from analytics.tests.histories import Home, utc
from analytics.tests.test_pictures import listed
from telephony.models import Call, CallCost, Conversation, Message, TextCost
from telephony.tests.calls import make_call
from tests.people import join

pytestmark = pytest.mark.django_db

NOON = utc("2026-03-07T12:00")
DAYS = {"from": "2026-03-06", "to": "2026-03-08", "timezone": "UTC"}


def priced_call(home, at=NOON, currency="USD", **parts):
    call = make_call(
        home.owner,
        at,
        agent=home.agents[0],
        phone=home.phones[0],
        answered_at=at,
        duration_s=120,
    )
    for part, amount in parts.items():
        CallCost.unscoped.create(
            owner=home.owner, call=call, part=part, amount=amount, currency=currency
        )
    return call


def priced_text(home, cost, *, tokens=None, at=NOON):
    """An answer of an agent; with what its model took."""
    conversation, _is_new = Conversation.unscoped.get_or_create(
        owner=home.owner, phone=home.phones[1], address="+14155550199"
    )
    common = {
        "owner": home.owner,
        "conversation": conversation,
        "carrier_account": home.phones[1].carrier_account,
        "created_at": at,
        "from_number": "+1",
        "to_number": "+1",
        "currency": "USD",
    }
    asked = Message.unscoped.create(
        **common, direction="incoming", status="received", sent_by="other_party"
    )
    if tokens:
        TextCost.unscoped.create(
            owner=home.owner, asked=asked, amount=tokens, currency="USD"
        )
    return Message.unscoped.create(
        **common,
        direction="outgoing",
        status="delivered",
        sent_by="agent",
        agent=home.writers[0],
        answers=asked,
        cost=cost,
    )


def ask(tenant, **query):
    page = tenant.client.get("/costs", DAYS | query)
    assert page.status_code == 200
    return page.context


@pytest.fixture
def home(alice):
    return Home(alice.workspace)


def test_page_tells_spend_by_part_agent_and_number(alice, home):
    priced_call(home, carrier="0.50", model="0.25")
    priced_call(home, NOON - timedelta(days=1), carrier="1", analysis="0.05")
    priced_text(home, Decimal("0.02"), tokens=Decimal("0.005"))
    rollup.fold()

    page = ask(alice)

    now = page["now"]
    assert (now.amount, now.currency) == (Decimal("1.82"), "USD")
    assert (now.of_calls, now.of_texts) == (Decimal("1.80"), Decimal("0.02"))
    assert (now.average_call, now.average_minute) == (Decimal("0.9"), Decimal("0.45"))
    assert {kind.key: kind.amount for kind in page["chart"].kinds} == {
        "carrier": Decimal("1.5"),
        "model": Decimal("0.25"),
        "analysis": Decimal("0.05"),
        "texts_carrier": Decimal("0.015"),
        "texts_model": Decimal("0.005"),
    }
    days = [(bar.amount, bar.calls) for bar in page["chart"].bars]
    assert days == [(Decimal("1.05"), 1), (Decimal("0.77"), 1), (0, 0)]
    for bar in page["chart"].bars:
        assert listed(alice.workspace, bar.url) == bar.calls
    by_agent = [(str(one.row), one.spent.amount) for one in page["agents"].rows]
    assert by_agent == [("Ada", Decimal("1.80")), ("Text", Decimal("0.02"))]
    assert listed(alice.workspace, page["agents"].rows[0].url) == 2
    phones = [(one.row, one.spent.amount) for one in page["phones"].rows]
    assert phones == [
        (home.phones[0], Decimal("1.80")),
        (home.phones[1], Decimal("0.02")),
    ]
    assert [bar.words for bar in ask(alice, to=DAYS["from"])["chart"].bars][12:14] == [
        "12:00",
        "13:00",
    ]


def test_currencies_have_a_page_each_and_no_sum(alice, home):
    priced_call(home, carrier="0.50")
    priced_call(home, currency="EUR", carrier="0.75")
    rollup.fold()

    usual, dollars = ask(alice), ask(alice, currency="USD")

    assert (usual["now"].amount, usual["now"].currency) == (Decimal("0.75"), "EUR")
    assert (dollars["now"].amount, dollars["now"].currency) == (Decimal("0.5"), "USD")
    assert [one[0] for one in usual["currencies"]] == ["EUR", "USD"]
    assert [bar.amount for bar in dollars["chart"].bars] == [0, Decimal("0.5"), 0]


def test_a_price_that_comes_late_or_is_corrected_is_followed(alice, home):
    call = priced_call(home, model="0.25")
    text = priced_text(home, Decimal("0.02"))
    rollup.fold()
    row = CallCost.unscoped.create(owner=home.owner, call=call, part="carrier")
    rollup.fold()
    assert ask(alice)["now"].amount == Decimal("0.27")

    CallCost.unscoped.filter(pk=row.pk).update(amount="0.5", currency="USD")
    TextCost.unscoped.create(
        owner=home.owner, asked=text.answers, amount="0.015", currency="USD"
    )
    rollup.fold()

    now = ask(alice)["now"]
    assert now.amount == Decimal("0.77")
    assert now.of("texts_model") == Decimal("0.015")
    for series in Series:
        assert not list(differences(series, alice.workspace.pk))


def test_page_compares_with_the_days_before(alice, home):
    priced_call(home, carrier="3")
    priced_call(home, NOON - timedelta(days=3), carrier="2")
    rollup.fold()

    page = ask(alice)

    assert page["before"].amount == Decimal(2)
    assert page["changes"]["amount"].text == "+50.0 %"
    assert ask(alice, compare="none")["before"] is None


def test_page_is_the_workspaces_own_and_a_viewers_too(alice, mallory, home):
    priced_call(home, carrier="3")
    rollup.fold()
    viewer = join(alice, "vera", Membership.Role.VIEWER)

    assert ask(viewer)["now"].amount == 3
    stranger = mallory.client.get("/costs", DAYS)
    assert stranger.context["now"].amount == 0
    assert "No costs in these days" in stranger.content.decode()


def test_a_filter_that_cannot_be_read_says_so(alice):
    page = alice.client.get("/costs?currency=%3Cb%3E")

    assert page.status_code == 422
    assert "A filter cannot be read" in page.content.decode()


def test_files_say_what_the_page_says(alice, home):
    priced_call(home, carrier="0.5")
    rollup.fold()

    page = ask(alice)

    for name, address in page["files"]:
        columns, *rows = alice.client.get(address).content.decode().split()
        amount = columns.split(",").index('"amount"')
        told = [Decimal(row.split(",")[amount].strip('"')) for row in rows]
        assert sum(told) == Decimal("0.5"), name


def test_page_takes_few_statements_however_many_days(
    alice, home, django_assert_max_num_queries
):
    priced_call(home, carrier="0.5")
    priced_text(home, Decimal("0.02"))
    rollup.fold()

    for days in (DAYS, DAYS | {"from": "2025-03-06"}):
        with django_assert_max_num_queries(32):
            alice.client.get("/costs", days)


def test_agent_page_tells_costs_by_version(alice, home):
    call = priced_call(home, now() - timedelta(hours=1), carrier="0.5")
    Call.unscoped.filter(pk=call.pk).update(prompt_version=2)
    rollup.fold()

    page = alice.client.get(f"/voice-agents/{home.agents[0].pk}/figures")

    (version,) = page.context["versions"]
    assert (version["name"], version["calls"], version["answered"]) == ("2", 1, 1)
    assert version["average"] == [("USD", Decimal("0.5"))]
