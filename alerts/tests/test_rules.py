"""When it begins and when it is over, look by look."""

from datetime import timedelta
from decimal import Decimal

import pytest

from alerts.metrics import Counts, Reading, in_words, read
from alerts.rules import CALM, Phase, calm_of, moved
from analytics.tests.histories import utc

NOON = utc("2026-03-04T12:00")
LOOKS = {"-": False, "!": True, "?": None}


def fires(looks, calm=CALM, every=5):
    """For each look, five minutes apart, whether it fires afterwards."""
    phase, told = Phase(), ""
    for number, look in enumerate(looks):
        at = NOON + timedelta(minutes=every * number)
        phase = moved(phase, LOOKS[look], at=at, calm=calm)
        told += "!" if phase.is_firing else "-"
    return told


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ("---", "---"),
        ("-!-", "-!!"),  # one good look ends nothing
        ("-!---", "-!!!-"),  # ten minutes do
        ("!-!-!-!", "!!!!!!!"),  # to and fro is one
        ("!--!---", "!!!!!!-"),
        ("???", "---"),
        ("!????", "!!!!!"),  # too few calls end nothing
        ("!-??-", "!!!!-"),  # nor do they interrupt
        ("?!?", "-!!"),
    ],
)
def test_it_begins_at_once_and_is_over_after_a_while(looks, told):
    assert fires(looks) == told


def test_one_good_look_a_minute_is_not_enough_either():
    assert fires("!" + "-" * 11, every=1) == "!" * 11 + "-"


def test_one_call_ends_a_silence():
    assert fires("!-!-", calm=calm_of("no_calls")) == "!-!-"


RULES = {"threshold": Decimal(20), "minimum_calls": 4}


@pytest.mark.parametrize(
    ("metric", "counts", "reading"),
    [
        ("failure_rate", Counts(5, failed=1), Reading(5, False, Decimal(20))),
        ("failure_rate", Counts(4, failed=1), Reading(4, True, Decimal(25))),
        ("failure_rate", Counts(3, failed=3), Reading(3, None, Decimal(100))),
        ("failure_rate", Counts(), Reading(0, None)),
        ("answer_rate", Counts(10, answered=2), Reading(10, False, Decimal(20))),
        ("answer_rate", Counts(10, answered=1), Reading(10, True, Decimal(10))),
        ("reply_p95", Counts(4), Reading(4, None)),
        ("reply_p95", Counts(4, replies={"20": 9}), Reading(4, False, Decimal(20))),
        ("reply_p95", Counts(4, replies={"21": 9}), Reading(4, True, Decimal(21))),
        ("spend", Counts(0, spend=Decimal(20)), Reading(0, False, Decimal(20))),
        (
            "spend",
            Counts(1, spend=Decimal("20.01")),
            Reading(1, True, Decimal("20.01")),
        ),
    ],
)
def test_a_value_on_the_threshold_is_not_beyond_it(metric, counts, reading):
    assert read(metric, counts, **RULES) == reading


@pytest.mark.parametrize(
    ("metric", "value", "words"),
    [
        ("answer_rate", "62.500000", "62.5 %"),
        ("failure_rate", "33.333333", "33.3 %"),
        ("failure_rate", "20.000000", "20 %"),
        ("reply_p95", "2350", "2,350 ms"),
        ("spend", "1234.5", "1,234.50 USD"),
        ("spend", "0.001200", "0.001200 USD"),
        ("spend", None, "–"),
    ],
)
def test_values_have_their_unit(metric, value, words):
    value = value and Decimal(value)

    assert in_words(metric, value, "USD") == words
