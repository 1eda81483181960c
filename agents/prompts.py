"""Prompts: text with `{{ placeholders }}`, filled in without evaluating anything."""

import re
from collections.abc import Mapping

MAX_PROMPT_CHARACTERS = 50_000

# What every call fills in by itself.
FILLED_IN_BY_CALLS = frozenset({"agent_name", "caller_number", "today"})

PLACEHOLDER = re.compile(r"\{\{[ \t]*([A-Za-z0-9_.]+)[ \t]*\}\}")


def placeholders(text: str) -> tuple[str, ...]:
    """The names in `text`, each once, in the order of their first appearance."""
    return tuple(dict.fromkeys(PLACEHOLDER.findall(text)))


def render(text: str, variables: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """`text` with its placeholders filled in, and the names that are still missing.

    A missing one stays visible as `{{ name }}`. Values go in as they are and are not
    looked at again: a caller's name that reads `{{ secret }}` stays just that.
    """

    def value(match: re.Match[str]) -> str:
        return variables.get(match[1], f"{{{{ {match[1]} }}}}")

    missing = tuple(name for name in placeholders(text) if name not in variables)
    return PLACEHOLDER.sub(value, text), missing
