"""What every process holds: memory and its slope, descriptors, connections."""

import time
from dataclasses import dataclass, field

import psutil
import psycopg
import redis

from tests.flow.production import Production

WARM_AFTER = 2 / 3  # of the looks: what is loaded and pooled once is there by then


@dataclass
class History:
    """The memory of one process over time, in MiB."""

    seconds: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)

    def add(self, at: float, mib: float) -> None:
        self.seconds.append(at)
        self.mib.append(mib)

    @property
    def slope(self) -> float:
        """MiB an hour since it was warm: least squares."""
        first = int(len(self.mib) * WARM_AFTER)
        return slope(self.seconds[first:], self.mib[first:]) * 3600

    @property
    def growth(self) -> float:
        """MiB by that slope, over the time since it was warm."""
        first = int(len(self.mib) * WARM_AFTER)
        return self.slope * (self.seconds[-1] - self.seconds[first]) / 3600


def slope(xs: list[float], ys: list[float]) -> float:
    """Of the straight line that fits best; 0 where there are no two points."""
    if len(xs) < 2:
        return 0.0
    middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
    products = ((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True))
    return sum(products) / sum((x - middle_x) ** 2 for x in xs)


class Watch:
    def __init__(self, production: Production):
        self._deployment = production.deployment
        self._began = time.monotonic()
        self._histories: dict[str, History] = {}
        self._files: dict[str, int] = {}
        self._redis = redis.Redis.from_url(
            (self._deployment.directory / "secrets" / "redis_url").read_text()
        )
        self._database = psycopg.connect(
            host=self._deployment.postgres.directory, user="postgres", autocommit=True
        )

    def look(self) -> None:
        at = time.monotonic() - self._began
        for name in [*self._deployment.running, "redis"]:
            processes = self._deployment.everything_in(name)
            mib = sum(each.memory_full_info().pss for each in processes) / 2**20
            self._histories.setdefault(name, History()).add(at, mib)
            self._files[name] = sum(each.num_fds() for each in processes)

    def __str__(self) -> str:
        lines = [
            f"  {name:10}{history.mib[-1]:7.0f} MiB {history.slope:+7.1f} MiB/h"
            f"  {self._files[name]:4} descriptors"
            for name, history in self._histories.items()
        ]
        (connections,) = self._database.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = 'voiceops'"
        ).fetchone()
        clients = self._redis.info("clients")["connected_clients"]
        used = psutil.cpu_percent()
        lines.append(
            f"  connections: PostgreSQL {connections}, Redis {clients};"
            f" processor {used:.0f} %"
        )
        return "\n".join(lines)

    def broken(self, most_growth: float) -> list[str]:
        return [
            f"{name} grew by {history.growth:.1f} MiB"
            for name, history in self._histories.items()
            if history.growth > most_growth
        ]
