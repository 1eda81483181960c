"""What was deleted: shown for thirty days, brought back, purged by the operator.

Every `SoftDeleteModel` takes part by itself. Where more is to be said of one than its
fields tell, its app says so in its `deletion.py`; see `kinds.Kind`.
"""

from accounts.deleted.kinds import Kind, kind_named, kind_of, kinds, register
from accounts.deleted.listing import Deleted, find, newest_first, restorable_since
from accounts.deleted.restoring import (
    BadName,
    CouldNotAsk,
    Gone,
    NameTaken,
    NeedsAnother,
    Refused,
    RestoredIncompletely,
    bring_back,
    restore,
)

__all__ = [
    "BadName",
    "CouldNotAsk",
    "Deleted",
    "Gone",
    "Kind",
    "NameTaken",
    "NeedsAnother",
    "Refused",
    "RestoredIncompletely",
    "bring_back",
    "find",
    "kind_named",
    "kind_of",
    "kinds",
    "newest_first",
    "register",
    "restorable_since",
    "restore",
]
