"""Backups of the database, whole or not at all, that say themselves what is in them.

A backup is a directory: the database as its own tools copy it, and a manifest with the
release, the migrations, the rows of every table and a checksum. Secrets are not in it:
what is encrypted in the database stays encrypted.
"""

import sqlite3

import psycopg

from voiceops.backups.making import make
from voiceops.backups.manifest import BadBackup
from voiceops.backups.restoring import Restored, restore

# What a person is told in one line.
ERRORS = (BadBackup, OSError, sqlite3.Error, psycopg.Error)

__all__ = ["ERRORS", "BadBackup", "Restored", "make", "restore"]
