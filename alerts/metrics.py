"""What can be watched, and when it is bad: values in, values out."""

from dataclasses import dataclass, field
from decimal import Decimal

from django.db import models
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analytics.histogram import Histogram, percentile

PLACES = Decimal("0.000001")


class Metric(models.TextChoices):
    ANSWER_RATE = "answer_rate", gettext_lazy("Answer rate")
    FAILURE_RATE = "failure_rate", gettext_lazy("Failure rate")
    REPLY_P95 = "reply_p95", gettext_lazy("Reply time")
    SPEND = "spend", gettext_lazy("Spend")
    NO_CALLS = "no_calls", gettext_lazy("No calls")


class Unit(models.TextChoices):
    PERCENT = "percent", "%"
    MS = "ms", "ms"
    MONEY = "money", gettext_lazy("of the currency")
    NONE = "", "–"


@dataclass(frozen=True)
class Kind:
    """What there is to know about a metric; `least` and `most` are of thresholds."""

    icon: str
    means: str
    unit: Unit
    is_bad_below: bool = False
    counts_calls: bool = False  # too few of them say nothing
    least: Decimal = Decimal(0)
    most: Decimal = Decimal(0)

    @property
    def has_threshold(self) -> bool:
        return self.unit != Unit.NONE


KINDS: dict[str, Kind] = {
    Metric.ANSWER_RATE: Kind(
        "phone-incoming",
        gettext_lazy("Too few of the calls are answered."),
        Unit.PERCENT,
        is_bad_below=True,
        counts_calls=True,
        least=Decimal("0.1"),
        most=Decimal(100),
    ),
    Metric.FAILURE_RATE: Kind(
        "circle-x",
        gettext_lazy("Too many of the calls fail."),
        Unit.PERCENT,
        counts_calls=True,
        most=Decimal("99.9"),
    ),
    Metric.REPLY_P95: Kind(
        "timer",
        gettext_lazy("Callers wait too long for one reply in twenty."),
        Unit.MS,
        counts_calls=True,
        least=Decimal(1),
        most=Decimal(600_000),
    ),
    Metric.SPEND: Kind(
        "wallet",
        gettext_lazy("Calls and texts cost more than you expect."),
        Unit.MONEY,
        least=PLACES,
        most=Decimal(1_000_000),
    ),
    Metric.NO_CALLS: Kind(
        "phone-off",
        gettext_lazy("Nobody calls although you are open: is the line dead?"),
        Unit.NONE,
    ),
}


@dataclass(frozen=True)
class Counts:
    """What was counted in a window."""

    calls: int = 0
    answered: int = 0
    failed: int = 0
    replies: Histogram = field(default_factory=dict)
    spend: Decimal = Decimal(0)  # in the currency that is asked for


@dataclass(frozen=True)
class Reading:
    """What a figure was; `is_bad` is None where nobody can tell."""

    calls: int
    is_bad: bool | None
    value: Decimal | None = None


def read(
    metric: str, counts: Counts, *, threshold: Decimal, minimum_calls: int
) -> Reading:
    """The figure of the counts, and whether it is beyond the threshold.

    A value on the threshold is not beyond it.
    """
    value = _value(metric, counts)
    if value is None:
        return Reading(counts.calls, None)
    kind = KINDS[metric]
    told = value.quantize(PLACES)
    if kind.counts_calls and counts.calls < minimum_calls:
        return Reading(counts.calls, None, told)
    is_bad = value < threshold if kind.is_bad_below else value > threshold
    return Reading(counts.calls, is_bad, told)


def _value(metric: str, counts: Counts) -> Decimal | None:
    if metric == Metric.SPEND:
        return counts.spend
    if metric == Metric.REPLY_P95:
        slow = percentile(counts.replies, 95)
        return None if slow is None else Decimal(slow)
    if not counts.calls:
        return None
    part = counts.answered if metric == Metric.ANSWER_RATE else counts.failed
    return Decimal(100 * part) / counts.calls


def worse(metric: str, one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """The worse of two values."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other) if KINDS[metric].is_bad_below else max(one, other)


def unit_of(metric: str, currency: str) -> str:
    """As programs are told: `percent`, `ms`, a currency, or nothing."""
    unit = KINDS[metric].unit
    return currency if unit == Unit.MONEY else unit.value


def plain(value: Decimal | None) -> str | None:
    """A number as text, without zeros that say nothing."""
    return None if value is None else f"{value.normalize():f}"


def in_words(metric: str, value: Decimal | None, currency: str = "") -> str:
    """A value with its unit: 72.5 %, 1,900 ms, 12.30 USD; a dash where there is none.

    Of money no less than cents.
    """
    if value is None:
        return "–"
    unit = KINDS[metric].unit
    if unit == Unit.PERCENT:
        return _("%(number)s %%") % {"number": _number(value, 1)}
    if unit == Unit.MS:
        return _("%(number)s ms") % {"number": _number(value, 0)}
    if unit == Unit.MONEY:
        cents = value == value.quantize(Decimal("0.01")) or value >= 1
        amount = number_format(value, 2 if cents else 6, force_grouping=True)
        return f"{amount} {currency}"
    return "–"


def _number(value: Decimal, places: int) -> str:
    """Rounded, and without zeros behind the point."""
    rounded = round(value, places)
    whole = rounded == rounded.to_integral_value()
    return number_format(rounded, 0 if whole else places, force_grouping=True)
