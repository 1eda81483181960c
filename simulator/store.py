"""What the carrier remembers: accounts, numbers, calls with their events, messages with
their media.

One SQLite file in write-ahead mode. Rows go in and out as plain dicts; times are
seconds since 1970. Writes are a few microseconds each, so they happen in the event
loop itself.
"""

import json
import sqlite3
import time
from collections.abc import Iterable

from simulator.sids import make_number, make_sid, make_token

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    sid TEXT PRIMARY KEY, auth_token TEXT NOT NULL, friendly_name TEXT NOT NULL,
    console_token TEXT NOT NULL UNIQUE, created_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS numbers (
    sid TEXT PRIMARY KEY, account_sid TEXT NOT NULL, phone_number TEXT NOT NULL UNIQUE,
    friendly_name TEXT NOT NULL,
    voice_url TEXT NOT NULL DEFAULT '', voice_method TEXT NOT NULL DEFAULT 'POST',
    voice_fallback_url TEXT NOT NULL DEFAULT '',
    voice_fallback_method TEXT NOT NULL DEFAULT 'POST',
    status_callback TEXT NOT NULL DEFAULT '',
    status_callback_method TEXT NOT NULL DEFAULT 'POST',
    sms_url TEXT NOT NULL DEFAULT '', sms_method TEXT NOT NULL DEFAULT 'POST',
    sms_fallback_url TEXT NOT NULL DEFAULT '',
    sms_fallback_method TEXT NOT NULL DEFAULT 'POST',
    created_at REAL NOT NULL, updated_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    sid TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, account_sid TEXT NOT NULL,
    phone_number_sid TEXT, parent_call_sid TEXT,
    from_number TEXT NOT NULL, to_number TEXT NOT NULL, direction TEXT NOT NULL,
    status TEXT NOT NULL, end_reason TEXT, created_at REAL NOT NULL,
    updated_at REAL NOT NULL, started_at REAL, ended_at REAL, duration_s INTEGER);
CREATE INDEX IF NOT EXISTS calls_of_account ON calls (account_sid, to_number);
CREATE INDEX IF NOT EXISTS calls_open ON calls (created_at) WHERE ended_at IS NULL;
CREATE TABLE IF NOT EXISTS events (
    call_sid TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    type TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (call_sid, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    sid TEXT PRIMARY KEY, account_sid TEXT NOT NULL, from_number TEXT NOT NULL,
    to_number TEXT NOT NULL, body TEXT NOT NULL, direction TEXT NOT NULL,
    status TEXT NOT NULL, num_media INTEGER NOT NULL, error_code INTEGER,
    created_at REAL NOT NULL, updated_at REAL NOT NULL, sent_at REAL);
CREATE INDEX IF NOT EXISTS messages_of_account ON messages (account_sid, to_number);
CREATE INDEX IF NOT EXISTS messages_of_pair ON messages (from_number, to_number);
CREATE TABLE IF NOT EXISTS media (
    sid TEXT PRIMARY KEY, account_sid TEXT NOT NULL, message_sid TEXT NOT NULL,
    content_type TEXT NOT NULL, data BLOB, url TEXT NOT NULL, created_at REAL NOT NULL,
    updated_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS media_of_message ON media (message_sid);
CREATE TABLE IF NOT EXISTS opt_outs (
    our_number TEXT NOT NULL, their_number TEXT NOT NULL,
    PRIMARY KEY (our_number, their_number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recordings (
    sid TEXT PRIMARY KEY, account_sid TEXT NOT NULL, call_sid TEXT NOT NULL,
    status TEXT NOT NULL, duration_s INTEGER, created_at REAL NOT NULL,
    updated_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS callees (number TEXT PRIMARY KEY, plan TEXT NOT NULL);
"""
# Those that the files of earlier versions lack.
NEW_COLUMNS = {("messages", "callback"): "TEXT NOT NULL DEFAULT ''"}
TABLES = {"accounts", "numbers", "calls", "messages", "media", "recordings"}


def _condition(name: str) -> str:
    return f"{name} ?" if " " in name else f"{name} = ?"


class NumberTaken(Exception):
    """The number belongs to an account already."""


class Store:
    def __init__(self, path: str):
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA busy_timeout = 5000")
        self._db.executescript(SCHEMA)
        for (table, column), kind in NEW_COLUMNS.items():
            names = [
                row["name"] for row in self._db.execute(f"PRAGMA table_info({table})")
            ]
            if column not in names:
                self._db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")

    def close(self) -> None:
        self._db.close()

    def insert(self, table: str, **columns) -> dict:
        assert table in TABLES
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"
        self._db.execute(sql, tuple(columns.values()))
        return self.get(table, sid=columns["sid"])

    def update(self, table: str, sid: str, **columns) -> dict:
        assert table in TABLES
        columns["updated_at"] = time.time()
        changes = ", ".join(f"{name} = ?" for name in columns)
        sql = f"UPDATE {table} SET {changes} WHERE sid = ?"
        self._db.execute(sql, (*columns.values(), sid))
        return self.get(table, sid=sid)

    def get(self, table: str, **where) -> dict | None:
        return next(iter(self.rows(table, where, limit=1)), None)

    def rows(
        self, table: str, where: dict, *, limit: int = 1000, offset: int = 0
    ) -> list[dict]:
        """Rows, newest first, whose columns equal `where` (its names are ours); a name
        with an operator after it, such as `sent_at <`, compares by it.
        """
        assert table in TABLES
        wheres = " AND ".join(map(_condition, where)) or "1"
        rows = self._db.execute(
            f"SELECT * FROM {table} WHERE {wheres}"
            " ORDER BY rowid DESC LIMIT ? OFFSET ?",
            (*where.values(), limit, offset),
        )
        return [dict(row) for row in rows]

    # accounts and their numbers

    def open_account(
        self,
        *,
        friendly_name: str,
        numbers: Iterable[str] = (),
        count: int = 0,
        sid: str = "",
        auth_token: str = "",
    ) -> dict:
        """A new account with these numbers and `count` invented ones.

        Raises NumberTaken, and then nothing was made.
        """
        self._db.execute("BEGIN IMMEDIATE")
        try:
            account = self.insert(
                "accounts",
                sid=sid or make_sid("AC"),
                auth_token=auth_token or make_sid(""),
                friendly_name=friendly_name,
                console_token=make_token(),
                created_at=time.time(),
            )
            for number in [*numbers, *self._free_numbers(count)]:
                self._give_number(account["sid"], number)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return account

    def change_auth_token(self, account_sid: str, auth_token: str) -> None:
        self._db.execute(
            "UPDATE accounts SET auth_token = ? WHERE sid = ?",
            (auth_token, account_sid),
        )

    def delete_recording(self, sid: str) -> None:
        self._db.execute("DELETE FROM recordings WHERE sid = ?", (sid,))

    def delete_message(self, sid: str) -> None:
        self._db.execute("DELETE FROM messages WHERE sid = ?", (sid,))

    def delete_medium(self, sid: str) -> None:
        self._db.execute("DELETE FROM media WHERE sid = ?", (sid,))

    def numbers_of(self, account_sid: str) -> list[dict]:
        return self.rows("numbers", {"account_sid": account_sid})[::-1]

    def _free_numbers(self, count: int) -> list[str]:
        found: list[str] = []
        while len(found) < count:
            number = make_number()
            if number not in found and not self.get("numbers", phone_number=number):
                found.append(number)
        return found

    def _give_number(self, account_sid: str, number: str) -> None:
        now = time.time()
        try:
            self.insert(
                "numbers",
                sid=make_sid("PN"),
                account_sid=account_sid,
                phone_number=number,
                friendly_name=number,
                created_at=now,
                updated_at=now,
            )
        except sqlite3.IntegrityError as exc:
            raise NumberTaken(number) from exc

    # what happened in a call

    def add_event(self, call_sid: str, event: dict) -> None:
        data = {
            name: value
            for name, value in event.items()
            if name not in ("seq", "at_ms", "type")
        }
        self._db.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
            (call_sid, event["seq"], event["at_ms"], event["type"], json.dumps(data)),
        )

    def events(self, call_sid: str, *, after: int = 0) -> list[dict]:
        rows = self._db.execute(
            "SELECT seq, at_ms, type, data FROM events"
            " WHERE call_sid = ? AND seq > ? ORDER BY seq",
            (call_sid, after),
        )
        return [
            {"seq": seq, "at_ms": at_ms, "type": kind, **json.loads(data)}
            for seq, at_ms, kind, data in rows
        ]

    def fail_open_calls(self) -> int:
        """Close what a crash left open; answers how many calls that were."""
        now = time.time()
        rows = self._db.execute("SELECT * FROM calls WHERE ended_at IS NULL").fetchall()
        for row in rows:
            self.update("calls", row["sid"], status="failed", ended_at=now)
            self.update("calls", row["sid"], duration_s=0, end_reason="restart")
            last = max((e["seq"] for e in self.events(row["sid"])), default=0)
            at_ms = int((now - row["created_at"]) * 1000)
            self.add_event(
                row["sid"],
                {
                    "seq": last + 1,
                    "at_ms": at_ms,
                    "type": "ended",
                    "status": "failed",
                    "duration_s": 0,
                    "reason": "restart",
                },
            )
        return len(rows)

    def thread(self, ours: str, theirs: str, *, limit: int = 100) -> list[dict]:
        """The latest texts between two addresses, oldest first."""
        rows = self._db.execute(
            "SELECT *, rowid FROM messages WHERE from_number = ? AND to_number = ?"
            " UNION ALL"
            " SELECT *, rowid FROM messages WHERE from_number = ? AND to_number = ?"
            " ORDER BY rowid DESC LIMIT ?",
            (ours, theirs, theirs, ours, limit),
        )
        return [dict(row) for row in rows][::-1]

    def media_of(self, message_sid: str) -> list[dict]:
        return self.rows("media", {"message_sid": message_sid})[::-1]

    # who will not be texted, and how a called person behaves

    def opt_out(self, our_number: str, their_number: str) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO opt_outs VALUES (?, ?)", (our_number, their_number)
        )

    def opt_in(self, our_number: str, their_number: str) -> None:
        self._db.execute(
            "DELETE FROM opt_outs WHERE our_number = ? AND their_number = ?",
            (our_number, their_number),
        )

    def has_opted_out(self, our_number: str, their_number: str) -> bool:
        found = self._db.execute(
            "SELECT 1 FROM opt_outs WHERE our_number = ? AND their_number = ?",
            (our_number, their_number),
        )
        return found.fetchone() is not None

    def set_callee(self, number: str, plan: dict) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO callees VALUES (?, ?)", (number, json.dumps(plan))
        )

    def phone_of(self, token: str) -> str | None:
        """The number of a person's telephone, by the secret of its page."""
        row = self._db.execute(
            "SELECT number FROM callees WHERE json_extract(plan, '$.token') = ?",
            (token,),
        ).fetchone()
        return row["number"] if row else None

    def callee(self, number: str) -> dict | None:
        row = self._db.execute(
            "SELECT plan FROM callees WHERE number = ?", (number,)
        ).fetchone()
        return json.loads(row["plan"]) if row else None
