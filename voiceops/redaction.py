"""What may be said of an error outside of the database: where it was, seldom why.

An exception's message quotes whatever it stumbled over: a row of the database, what a
caller said, an address with a key in it. So only the messages of exceptions that speak
of the program or of a connection are repeated, the first line of them, and what looks
like a number or a secret is taken out of that too.
"""

import re
import traceback
from types import TracebackType

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

# By name, for a report of errors knows no more. PostgreSQL quotes values from the
# second line on.
SPEAK_OF_THE_PROGRAM = {
    *("AttributeError", "ImportError", "ModuleNotFoundError", "NameError"),
    *("RecursionError", "TypeError", "UnboundLocalError"),
    *("ImproperlyConfigured", "TemplateDoesNotExist"),
    *("UnscopedQuery", "SynchronousOnlyOperation"),
    *("IntegrityError", "InterfaceError", "OperationalError", "ProgrammingError"),
    *("ConnectionError", "ConnectionRefusedError", "ConnectionResetError"),
    *("BrokenPipeError", "TimeoutError", "PoolTimeout"),
}
SECRET = "[…]"
LOOKS_SECRET = re.compile(
    r"""
    \+?\d(?:[ ()./-]{0,2}\d){6,}            # a telephone number, however it is written
    | (?<=://)[^/@\s]+(?=@)                 # user and password of an address
    | (?<=\?)[^\s'"]+                       # a query
    | (?<=bearer\ )\S+                      # a token
    | [A-Za-z0-9_-]{24,}=*                  # what is too long for a word
    """,
    re.VERBOSE | re.IGNORECASE,
)


def said_by(kind: str, message: str) -> str:
    """What may be repeated of the message of an exception with this name."""
    if kind not in SPEAK_OF_THE_PROGRAM:
        return ""
    return without_secrets(next(iter(message.splitlines()), ""))


def without_secrets(text: str) -> str:
    """`text` without what looks like a telephone number, a key or a query."""
    return LOOKS_SECRET.sub(SECRET, text)


def summary(error: BaseException) -> str:
    """The exception's name, and its message if that may be repeated."""
    kind = type(error).__name__
    said = said_by(kind, str(error))
    return f"{kind}: {said}" if said else kind


def format_traceback(exc_info: ExcInfo) -> str:
    """Where it happened, and what it came of; no values of variables, no quotations."""
    return "\n".join(_lines(exc_info[1], set()))


def _lines(error: BaseException, seen: set[int]) -> list[str]:
    seen.add(id(error))
    lines = []
    cause = error.__cause__
    before = cause or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        came = "which led to:" if cause else "and, while that was answered:"
        lines += [*_lines(before, seen), came]
    lines.append("Traceback (most recent call last):")
    lines += "".join(traceback.format_tb(error.__traceback__)).splitlines()
    lines.append(summary(error))
    for part in getattr(error, "exceptions", ()):  # of a group
        if id(part) not in seen:
            lines += _lines(part, seen)
    return lines
