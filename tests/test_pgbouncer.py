"""PostgreSQL behind a real PgBouncer, which shares two connections between all."""

import json
import os
import subprocess
import sys

import psycopg
import pytest
from django.db import connection

from tests.pgbouncer import USER, running_pgbouncer, statement_for_role
from tests.pooled import DUE
from tests.processes import PROJECT_DIR
from tests.worker import PROGRAM

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="it is for PostgreSQL"),
]
CONNECTIONS = 2


@pytest.fixture
def role():
    """One of the documented kind; a superuser, for it owns nothing of the test's."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {USER} LOGIN SUPERUSER")
        cursor.execute(statement_for_role())
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"DROP ROLE {USER}")


@pytest.fixture
def pgbouncer(role):
    given = connection.settings_dict
    host = given["HOST"] or given["OPTIONS"]["host"]
    few = {"default_pool_size": str(CONNECTIONS)}
    with running_pgbouncer(host, given["NAME"], **few) as url:
        yield url


def test_everything_works_that_shares_connections(pgbouncer):
    """In a process of its own, whose settings come from the environment."""
    worked = subprocess.run(
        [sys.executable, "-c", f"{PROGRAM}; i('tests.pooled').work()"],
        cwd=PROJECT_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": pgbouncer,
            "DATABASE_PGBOUNCER": "on",
            "DATABASE_HEALTH_CHECKS": "on",
        },
        capture_output=True,
        text=True,
    )

    assert worked.returncode == 0, worked.stderr
    told = json.loads(worked.stdout)
    assert told["signed_up"] == [200, 200, 201] and told["called"] == [200, 204]
    assert told["counted"] > 0
    assert told["claimed"] == told["read"] == DUE and told["claimers"] > CONNECTIONS
    assert told["prepared"] == 0 and told["statement_timeout"] == "10s"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM pg_stat_activity WHERE usename='{USER}'")
        assert 1 <= cursor.fetchone()[0] <= CONNECTIONS


def test_without_its_setting_it_refuses_us(pgbouncer):
    """Which is why there is DATABASE_PGBOUNCER."""
    with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
        psycopg.connect(pgbouncer, options="-c statement_timeout=10s")
