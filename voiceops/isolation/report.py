"""The check's result for people, for programs and for the documentation."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from voiceops.isolation.routes import routes
from voiceops.isolation.sealed import sealed
from voiceops.isolation.tenants import two_tenants
from voiceops.isolation.walk import VERBS, Report, walk

COLUMNS = ("Route", "Kind", "Owner", *VERBS, "Holds")


@dataclass(frozen=True)
class Line:
    """A route as it is shown; the statuses of all ways of asking, put together."""

    route: str
    kind: str
    owner: str
    statuses: dict[str, str]
    leaks: list[str]

    @property
    def cells(self) -> list[str]:
        holds = "no" if self.leaks else "yes"
        return [self.route, self.kind, self.owner, *self.statuses.values(), holds]


@dataclass(frozen=True)
class Result:
    lines: list[Line]
    requests: int
    is_complete: bool

    @property
    def leaks(self) -> list[str]:
        return [leak for line in self.lines for leak in line.leaks]

    @property
    def verdict(self) -> str:
        count = f"{len(self.lines)} routes, {self.requests} requests"
        if not self.leaks:
            return f"{count}: no leak."
        rest = "" if self.is_complete else "; stopped at the first"
        return f"{count}: {len(self.leaks)} LEAKS{rest}."


def check(
    *,
    all_leaks: bool = False,
    only: str = "",
    progress: Callable[[Line], None] = lambda line: None,
) -> Result:
    """Walk every route between two throw-away workspaces; nothing of them is left.

    Ends at the first leaking route, unless `all_leaks`. `only` is a part of the wanted
    addresses. Wants a process of its own: see `sealed`.
    """
    walked = [route for route in routes() if only in f"/{route.template}"]
    lines, requests = [], 0
    with sealed(), two_tenants() as (owner, stranger):
        for report in walk(owner, stranger, walked):
            lines.append(line_of(report))
            requests += report.requests
            progress(lines[-1])
            if report.leaks and not all_leaks:
                break
    return Result(lines, requests, is_complete=len(lines) == len(walked))


def line_of(report: Report) -> Line:
    return Line(
        route="/" + report.route.template,
        kind=str(report.route.kind),
        owner=_joined(report.owner_statuses),
        statuses={
            verb: _joined(set().union(*report.statuses.get(verb, {}).values()))
            for verb in VERBS
        },
        leaks=report.leaks,
    )


def _joined(statuses: Iterable[int]) -> str:
    return " ".join(map(str, sorted(statuses)))


def as_text(line: Line) -> str:
    """A line of the table on a terminal, and its leaks below."""
    statuses = "  ".join(
        f"{verb} {told.replace(' ', '/')}" for verb, told in line.statuses.items()
    )
    verdict = "LEAK" if line.leaks else "ok"
    return "\n".join(
        [f"{verdict:<5}{line.route:<58} {statuses}"]
        + [f"     {leak}" for leak in line.leaks]
    )


def as_json(result: Result) -> str:
    told = asdict(result) | {"holds": not result.leaks, "verdict": result.verdict}
    return json.dumps(told, indent=2)


def from_json(text: str) -> Result:
    """The result that `as_json` wrote; ValueError, KeyError or TypeError for others."""
    told = json.loads(text)
    lines = [Line(**line) for line in told["lines"]]
    return Result(lines, told["requests"], told["is_complete"])


def as_markdown(result: Result) -> str:
    """The table for the documentation, without what operators alone can reach."""
    rows = [
        " | ".join(f"`{cell}`" if cell == line.route else cell for cell in line.cells)
        for line in result.lines
        if line.kind != "operator"
    ]
    rule = " | ".join("---" for _ in COLUMNS)
    table = [" | ".join(COLUMNS), rule, *rows]
    return "".join(f"| {row} |\n" for row in table)
