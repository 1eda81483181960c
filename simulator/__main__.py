"""`python -m simulator`: serve until SIGTERM or Ctrl-C."""

import asyncio
import logging
import sys

from simulator.app import make_app
from simulator.server import Server
from simulator.settings import BadSettings, from_environment


async def serve() -> None:
    settings = from_environment()
    await Server(make_app(settings), settings).serve()


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log addresses
    try:
        asyncio.run(serve())
    except BadSettings as exc:
        print(exc, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
