"""Due calls in a storm: everybody is rung, nobody twice. `make chaos`: the big one."""

import secrets
from dataclasses import replace

import pytest

from tests.chaos.run import Size, run

pytestmark = pytest.mark.flow

SIZE = Size(
    rows=60,
    accounts=3,
    workers=1,
    calls_per_second=50,
    patience=0.1,
    pause_s=(1.0, 4.0),
    deaths=4,
    within_s=300,
    storm_s=12,
)


@pytest.mark.parametrize(
    "size, on_postgres",
    [(SIZE, False), (replace(SIZE, workers=4), True)],
    ids=["sqlite-one-worker", "postgres-four-workers"],
)
def test_due_calls_ring_once_whatever_dies(size, on_postgres, tmp_path):
    seed = secrets.randbelow(10**6)

    outcome = run(size, seed, tmp_path / "var", on_postgres=on_postgres)

    assert outcome.broken == [], str(outcome)
    assert outcome.rows == size.rows
