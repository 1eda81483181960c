"""May this number be called by this agent at this time? Every rule, one at a time."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils.translation import override

from agents.limits import DAYS
from telephony.dialling.rules import (
    Caller,
    Count,
    Facts,
    Suppression,
    Verdict,
    decide,
    decide_number,
)
from telephony.dialling.windows import Window

NOON = datetime(2026, 1, 5, 20, tzinfo=UTC)  # in Los Angeles, a Monday
LATER = datetime(2026, 1, 6, 8, tzinfo=UTC)
CALLER = Caller(
    name="Reminders",
    is_active=True,
    places_calls=True,
    has_text=True,
    number="+14155550142",
    account_is_connected=True,
)
ALLOWED = Facts(
    number="+14155550100",
    at=NOON,
    caller=CALLER,
    countries=frozenset({"US", "DE"}),
    suppression=None,
    today=Count(3, 500, LATER),
    this_month=Count(30, 5000, LATER + timedelta(days=20)),
    lines_in_use=2,
    lines=9,
    window=Window(time(8), time(21), frozenset(DAYS)),
    window_of="the workspace calls",
)


def test_what_passes_every_rule_may_be_called():
    decision = decide(ALLOWED)

    assert decision.is_allowed
    assert {finding.verdict for finding in decision.findings} == {Verdict.PASSED}
    assert (decision.rule, decision.reason, decision.later) == ("", "", None)


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("number", {"number": "+1415"}),
        ("number", {"number": "call me"}),
        ("number", {"number": "+1911"}),
        ("number", {"number": "4155550100"}),
        ("tariff", {"number": "+19005550100"}),
        ("tariff", {"number": "+49180512345"}),
        ("country", {"number": "+447400123456"}),
        # A country of its own, though its numbers begin with +1.
        ("country", {"number": "+18765550100"}),
        ("do_not_contact", {"suppression": Suppression(NOON, "asked")}),
        ("loop", {"number": "+14155550142"}),
        ("agent", {"caller": None}),
        ("agent_active", {"caller": replace(CALLER, is_active=False)}),
        ("agent_direction", {"caller": replace(CALLER, places_calls=False)}),
        ("agent_text", {"caller": replace(CALLER, has_text=False)}),
        ("agent_phone", {"caller": replace(CALLER, number="")}),
        ("carrier_account", {"caller": replace(CALLER, account_is_connected=False)}),
        ("window", {"window": Window(time(8), time(21), frozenset())}),
    ],
)
def test_what_no_waiting_mends_is_refused_with_its_reason(rule, changes):
    decision = decide(replace(ALLOWED, **changes))

    assert decision.is_refused
    assert decision.rule == rule
    assert decision.reason
    assert decision.later is None


@pytest.mark.parametrize(
    ("rule", "changes", "later"),
    [
        ("calls_a_day", {"today": Count(500, 500, LATER)}, LATER),
        ("calls_a_month", {"this_month": Count(9, 9, LATER)}, LATER),
        ("lines", {"lines_in_use": 9}, NOON),
        (
            "window",
            {"at": datetime(2026, 1, 6, 5, tzinfo=UTC)},
            datetime(2026, 1, 6, 16, tzinfo=UTC),
        ),
        (
            "window",
            {"window": Window(time(8), time(9), frozenset({"wed"}))},
            datetime(2026, 1, 7, 16, tzinfo=UTC),
        ),
    ],
)
def test_what_waiting_mends_is_deferred_until_then(rule, changes, later):
    decision = decide(replace(ALLOWED, **changes))

    assert (decision.is_allowed, decision.is_refused) == (False, False)
    assert (decision.rule, decision.later) == (rule, later)


def test_of_two_rules_that_defer_the_later_one_says_when():
    night = datetime(2026, 1, 6, 5, tzinfo=UTC)

    decision = decide(replace(ALLOWED, at=night, today=Count(500, 500, LATER)))

    assert decision.later == datetime(2026, 1, 6, 16, tzinfo=UTC)


def test_a_no_decides_before_a_later():
    night = datetime(2026, 1, 6, 5, tzinfo=UTC)

    decision = decide(replace(ALLOWED, at=night, suppression=Suppression(NOON)))

    assert decision.rule == "do_not_contact"
    assert decision.later is None


def test_a_number_of_many_zones_is_called_when_it_is_time_in_all():
    """A toll-free number rings somewhere between Guam and Newfoundland."""
    noon_in_california = decide(replace(ALLOWED, number="+18005550100"))

    assert noon_in_california.rule == "window"
    allowed_at = noon_in_california.later
    assert decide(replace(ALLOWED, number="+18005550100", at=allowed_at)).is_allowed
    too_early = allowed_at - timedelta(seconds=1)
    assert not decide(replace(ALLOWED, number="+18005550100", at=too_early)).is_allowed


def test_the_zone_given_for_a_call_goes_before_the_numbers():
    moved = replace(ALLOWED, zone=ZoneInfo("Asia/Kathmandu"))

    decision = decide(moved)

    assert decision.rule == "window"
    assert decision.later == datetime(2026, 1, 6, 2, 15, tzinfo=UTC)


def test_what_was_said_in_one_language_is_not_said_in_another():
    said = []
    for language in ("en", "de", "en"):
        with override(language):
            said.append(decide(ALLOWED).findings[-1].text)

    assert "It is Mon 5 Jan., 12:00 (America/Los_Angeles) there" in said[0]
    assert "It is Mo 5 Jan., 12:00 (America/Los_Angeles) there" in said[1]
    assert said[2] == said[0]


def test_a_zone_that_nobody_knows_is_not_guessed(monkeypatch):
    monkeypatch.setattr("telephony.dialling.numbers.zones_of", lambda number: ())

    decision = decide(ALLOWED)

    assert (decision.rule, decision.is_refused) == ("window", True)
    assert decide(replace(ALLOWED, zone=ZoneInfo("UTC"))).is_allowed


def test_a_decision_is_kept_as_the_chain_that_it_was():
    told = decide(replace(ALLOWED, suppression=Suppression(NOON, "asked"))).as_json()

    assert told["decided_by"] == "do_not_contact"
    assert told["at"] == NOON.isoformat()
    (decides,) = [f for f in told["findings"] if f["verdict"] == "failed"]
    assert decides["text"].endswith("asked")


def test_the_number_alone_is_judged_without_its_agent_and_time():
    facts = replace(ALLOWED, caller=None, at=datetime(2026, 1, 6, 5, tzinfo=UTC))

    assert decide_number(facts).is_allowed
    assert decide_number(replace(facts, number="+19005550100")).rule == "tariff"
