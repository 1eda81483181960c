"""The threads of a process write in turns, instead of all asking SQLite for its lock.

SQLite lets whoever asks at the right moment write: one that has waited long asks ten
times a second, one that has just come a hundred times. With a dozen writers a webhook
waited for more than the 15 seconds that the carrier has for it. Other processes still
compete as SQLite has it: one thread of each.
"""

import sqlite3
import threading

from django.db.backends.sqlite3 import base

_turn = threading.Lock()


class DatabaseWrapper(base.DatabaseWrapper):
    """Has the turn from the beginning of a transaction to its end."""

    _has_turn = False

    def _start_transaction_under_autocommit(self):
        self._take_turn()
        try:
            super()._start_transaction_under_autocommit()
        except BaseException:
            self._end_turn()
            raise

    def _commit(self):
        super()._commit()
        self._end_turn()

    def _rollback(self):
        try:
            super()._rollback()
        finally:
            self._end_turn()

    def _close(self):
        try:
            super()._close()
        finally:
            self._end_turn()

    def _take_turn(self):
        """Raises OperationalError after as long as SQLite would wait."""
        within_s = self.settings_dict["OPTIONS"]["timeout"]
        self._has_turn = _turn.acquire(timeout=within_s)
        if not self._has_turn:
            with self.wrap_database_errors:
                raise sqlite3.OperationalError("database is locked")

    def _end_turn(self):
        if self._has_turn:
            self._has_turn = False
            _turn.release()
