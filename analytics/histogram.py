"""Times as a histogram that can be added to others, and its percentiles.

The bounds are fixed: a millisecond apart up to 25 ms, then 4 % apart. What is read from
it is within 2 % (and 1 ms) of a time that was measured, however many histograms were
added.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

GROWTH_PERCENT = 4
LONGEST_MS = 3_600_000  # whatever took longer is in the last bucket


def _bounds() -> list[int]:
    bounds = [0]
    while bounds[-1] < LONGEST_MS:
        bounds.append(bounds[-1] + 1 + bounds[-1] * GROWTH_PERCENT // 100)
    return bounds


BOUNDS = _bounds()
LAST = len(BOUNDS) - 2

Histogram = Mapping[str, int]
"""How many times are in each bucket; buckets are named by number, as JSON wants it."""


@lru_cache(maxsize=16_384)  # most replies take as long as others did
def bucket_of(ms: int) -> str:
    return str(min(bisect_right(BOUNDS, ms) - 1, LAST))


def added_up(names: Iterable[str]) -> dict[str, int]:
    """How often each of them comes: a Counter, without its cost where they are few."""
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found


# -- Many of them added at once --------------------------------------------------------

LANE = 4  # bytes: for four thousand million replies of a bucket, in all that is added


def pack(histogram: Histogram) -> bytes:
    """As one number with a lane for each bucket: adding two adds all their buckets."""
    lanes = (count << 8 * LANE * int(name) for name, count in histogram.items())
    length = LANE * (max(map(int, histogram), default=-1) + 1)
    return sum(lanes).to_bytes(length, "little")


def unpack_sum(packed: Sequence[bytes]) -> dict[str, int]:
    """What so many packed ones are together."""
    number = sum(int.from_bytes(one, "little") for one in packed)
    length = max(map(len, packed), default=0)
    lanes = struct.unpack(f"<{length // LANE}I", number.to_bytes(length, "little"))
    return {str(place): count for place, count in enumerate(lanes) if count}


def without(histogram: Histogram, part: Histogram) -> dict[str, int]:
    """Less than nothing is none: the part may have been counted again meanwhile."""
    left = {name: histogram[name] - part.get(name, 0) for name in histogram}
    return {name: count for name, count in left.items() if count > 0}


# -- What is read out of it ------------------------------------------------------------


def typical_of(bucket: str) -> int:
    """The middle of the bucket, in milliseconds."""
    place = int(bucket)
    return (BOUNDS[place] + BOUNDS[place + 1] - 1) // 2


def percentile(histogram: Histogram, percent: int) -> int | None:
    """The time that so many percent were not above; None if there is none.

    By the nearest rank: a time that was measured, as its bucket tells it.
    """
    left = -(-sum(histogram.values()) * percent // 100)
    for bucket in sorted(histogram, key=int):
        left -= histogram[bucket]
        if left <= 0:
            return typical_of(bucket)
    return None
