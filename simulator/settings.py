"""What the environment decides.

- `SIMULATOR_HOST` (127.0.0.1), `SIMULATOR_PORT` (0 = any free port, printed at start)
- `SIMULATOR_DATABASE`: path of the SQLite file (simulator.sqlite3)
- `SIMULATOR_KEY`: bearer key of the control API; required
- `SIMULATOR_SPEED`: factor on every wait; 1 = a person's pace, 0 = no waiting at all
- `SIMULATOR_ACCOUNT_SID`, `SIMULATOR_AUTH_TOKEN`: an account to make on first start
- `SSL_CERT_FILE`: the certificates of an authority of one's own, believed alone
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass


class BadSettings(Exception):
    """The environment lacks something or says something impossible."""


@dataclass(frozen=True)
class Settings:
    key: str
    host: str = "127.0.0.1"
    port: int = 0
    database: str = "simulator.sqlite3"
    speed: float = 1.0
    account_sid: str = ""
    auth_token: str = ""


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; raises BadSettings with a sentence for the terminal."""
    key = environment.get("SIMULATOR_KEY", "")
    if not key:
        raise BadSettings("SIMULATOR_KEY is not set: the control API needs a key.")
    account_sid = environment.get("SIMULATOR_ACCOUNT_SID", "")
    auth_token = environment.get("SIMULATOR_AUTH_TOKEN", "")
    if account_sid and not re.fullmatch("AC[0-9a-f]{32}", account_sid):
        raise BadSettings("SIMULATOR_ACCOUNT_SID must be AC and 32 hex digits.")
    if account_sid and not auth_token:
        raise BadSettings("SIMULATOR_ACCOUNT_SID needs a SIMULATOR_AUTH_TOKEN.")
    try:
        port = int(environment.get("SIMULATOR_PORT") or 0)
        speed = float(environment.get("SIMULATOR_SPEED") or 1)
    except ValueError as exc:
        raise BadSettings(f"SIMULATOR_PORT and SIMULATOR_SPEED: {exc}.") from exc
    if not 0 <= port <= 65535 or not 0 <= speed <= 100:
        raise BadSettings("SIMULATOR_PORT or SIMULATOR_SPEED is out of range.")
    return Settings(
        key=key,
        host=environment.get("SIMULATOR_HOST") or Settings.host,
        port=port,
        database=environment.get("SIMULATOR_DATABASE") or Settings.database,
        speed=speed,
        account_sid=account_sid,
        auth_token=auth_token,
    )
