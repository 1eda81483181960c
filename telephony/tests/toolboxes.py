"""Tools for the tests of calls: real ones, that only work inside the process."""

import asyncio
import json
from dataclasses import dataclass, field

from telephony import session


@dataclass(frozen=True)
class Outcome:
    status: str
    text: str
    elapsed_ms: int = 0


@dataclass
class Toolbox:
    """Looks up opening hours, waits for ever, or breaks, as it is asked."""

    used: list[tuple[str, dict]] = field(default_factory=list)
    let_go: list[str] = field(default_factory=list)
    slow_s: float = 0.4

    MEANWHILE = {"opening_hours": "Let me look that up."}
    NAMES = ("opening_hours", "slow", "never", "broken", "end_call", "transfer_call")

    @property
    def schemas(self):
        return tuple(
            {"type": "function", "function": {"name": name, "parameters": {}}}
            for name in self.NAMES
        )

    def meanwhile(self, name):
        return self.MEANWHILE.get(name, "")

    async def run(self, name, arguments):
        self.used.append((name, json.loads(arguments)))
        match name:
            case "broken":
                raise RuntimeError("out of order")
            case "slow":
                await asyncio.sleep(self.slow_s)
            case "never":
                try:
                    await asyncio.Event().wait()
                finally:
                    self.let_go.append(name)
        return Outcome("ok", f"9 to 17 on {json.loads(arguments).get('day')}\0")


def give_tools(monkeypatch):
    """Every agent has these tools in this test."""
    toolbox = Toolbox()
    monkeypatch.setattr(session, "toolbox_of", lambda call: toolbox)
    return toolbox
