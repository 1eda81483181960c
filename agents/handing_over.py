"""To which numbers an agent may hand calls over.

Which numbers a workspace may call is known to telephony, which builds on this app: it
adds its rule when it is loaded.
"""

from collections.abc import Callable

from accounts.models import Workspace

Rule = Callable[[Workspace, str], str]

_rules: list[Rule] = []


def rule(check: Rule) -> Rule:
    """Have `check` asked: it returns the number in E.164 or raises ValidationError."""
    _rules.append(check)
    return check


def checked(owner: Workspace, number: str) -> str:
    """The number as it is stored; ValidationError if the workspace may not call it."""
    for check in _rules if number else []:
        number = check(owner, number)
    return number
