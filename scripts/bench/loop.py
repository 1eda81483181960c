"""The bare loop: rows are read once, and each call is one request between two updates.

    python -m scripts.bench.loop DATABASE_URL CARRIER_URL COUNT

No rules, no pacing, no leases, one process; what it forgets when it dies is forgotten.
"""

import asyncio
import sys
import time

import aiohttp
import psycopg_pool

AT_ONCE = 200
CONNECTIONS = 10
FIELDS = {
    "From": "+14155550100",
    "Url": "https://voice.example.com/answered/0123456789",
    "FallbackUrl": "https://voice.example.com/fallback/0123456789",
    "StatusCallback": "https://voice.example.com/status/0123456789",
    "Timeout": "30",
    "TimeLimit": "660",
}


async def main(database_url: str, carrier_url: str, count: int) -> None:
    url = f"{carrier_url}/2010-04-01/Accounts/AC0/Calls.json"
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with (
        psycopg_pool.AsyncConnectionPool(
            database_url, min_size=CONNECTIONS, max_size=CONNECTIONS
        ) as pool,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        async with pool.connection() as connection:
            await connection.execute("DROP TABLE IF EXISTS bare")
            await connection.execute(
                "CREATE TABLE bare (id serial PRIMARY KEY, number text, status text,"
                " sid text)"
            )
            await connection.execute(
                "INSERT INTO bare (number, status) SELECT '+1212555' || i, 'pending'"
                " FROM generate_series(1000, 999 + %s) AS i",
                [count],
            )
            rows = await connection.execute("SELECT id, number FROM bare")
            due = await rows.fetchall()
        started = time.perf_counter()

        async def work():
            while due:
                row_id, number = due.pop()
                async with pool.connection() as connection:
                    await connection.execute(
                        "UPDATE bare SET status = 'asked' WHERE id = %s", [row_id]
                    )
                auth = aiohttp.BasicAuth("AC0", "token")
                data = FIELDS | {"To": number}
                async with session.post(url, data=data, auth=auth) as answer:
                    sid = (await answer.json())["sid"]
                async with pool.connection() as connection:
                    await connection.execute(
                        "UPDATE bare SET status = 'placed', sid = %s WHERE id = %s",
                        [sid, row_id],
                    )

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        print(count / (time.perf_counter() - started))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
