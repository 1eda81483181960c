"""The time zones of the IANA database, read from its files once."""

import zoneinfo
from functools import cache
from itertools import groupby

REGIONS = (
    *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic"),
    *("Australia", "Europe", "Indian", "Pacific"),
)


@cache
def zone_names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


@cache
def time_zone_choices() -> tuple:
    """UTC and the IANA zones that are named after a place, by region."""
    groups = (
        (region, tuple((name, name.replace("_", " ")) for name in members))
        for region, members in groupby(sorted(zone_names()), key=_region)
        if region in REGIONS
    )
    return ("UTC", "UTC"), *groups


def _region(name: str) -> str:
    return name.partition("/")[0]
