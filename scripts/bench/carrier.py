"""A carrier that takes every call after 150 ms and keeps a book: when it was asked."""

import asyncio
import json
import secrets
import sys
import time

from aiohttp import web

ANSWER_AFTER_S = 0.15


class Book:
    def __init__(self):
        self.asked: list[tuple[float, str]] = []  # when, and for which number

    async def call(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.asked.append((time.time(), form["To"]))
        await asyncio.sleep(ANSWER_AFTER_S)
        call = {"sid": "CA" + secrets.token_hex(16), "status": "queued"}
        return web.json_response(call, status=201)

    async def show(self, request: web.Request) -> web.Response:
        """All of it, or what it has of one number."""
        number = request.query.get("number")
        asked = [each for each in self.asked if number in (None, each[1])]
        return web.Response(text=json.dumps(asked))

    async def count(self, request: web.Request) -> web.Response:
        """For who waits: cheap, as it is the machine that is measured which answers."""
        return web.Response(text=str(len(self.asked)))

    async def forget(self, request: web.Request) -> web.Response:
        self.asked.clear()
        return web.Response(status=204)


def main() -> None:
    book = Book()
    application = web.Application()
    application.add_routes(
        [
            web.post("/2010-04-01/Accounts/{sid}/Calls.json", book.call),
            web.get("/book", book.show),
            web.get("/count", book.count),
            web.delete("/book", book.forget),
        ]
    )
    web.run_app(
        application,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=None,
        print=None,
    )


if __name__ == "__main__":
    main()
