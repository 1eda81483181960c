"""When an alert begins to fire and when it is over: no clock, no database.

It begins at the first look that finds the figure beyond the threshold. It is over when
looks have found it well for a while, without one in between that did not: a figure that
goes to and fro across the threshold is one episode. A look that cannot tell, because
there were too few calls, changes nothing: it neither begins nor ends, nor does it
interrupt the while.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from alerts.metrics import Metric

CALM = timedelta(minutes=10)


class Phase(NamedTuple):
    is_firing: bool = False
    well_since: datetime | None = None


def calm_of(metric: str) -> timedelta:
    """For how long it must be well; a single call ends a silence at once."""
    return timedelta(0) if metric == Metric.NO_CALLS else CALM


def moved(phase: Phase, is_bad: bool | None, *, at: datetime, calm: timedelta) -> Phase:
    """The phase after a look at that moment."""
    if is_bad is None:
        return phase
    if is_bad:
        return Phase(is_firing=True)
    if not phase.is_firing:
        return Phase()
    since = phase.well_since or at
    return Phase(True, since) if at - since < calm else Phase()
