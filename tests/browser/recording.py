"""Pictures of what the tests do, only when `RECORD` is set.

They go to a temporary directory, which is printed at the end.
"""

import os
import tempfile
from functools import cache
from pathlib import Path

from playwright.sync_api import Page

IS_ON = bool(os.environ.get("RECORD"))


@cache
def directory() -> Path:
    """Where the records of this run are; made on first use."""
    return Path(tempfile.mkdtemp(prefix="voiceops-records-"))


def picture(page: Page, name: str) -> None:
    """A picture of the whole page, when records are wanted."""
    if IS_ON:
        page.screenshot(path=directory() / f"{name}.png", full_page=True)


@cache
def tell_where(reporter) -> None:
    """Print the directory at the end of a run, once."""
    if IS_ON:
        reporter.line(f"Pictures: {directory()}")
