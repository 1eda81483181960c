"""How an agent's tests have gone, test by test and version by version."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from telephony.models import Rehearsal, TestScript
from telephony.rehearsing import versions

LATEST = 1000  # runs of an agent that are looked at


@dataclass
class Standing:
    """A test with its latest run, and the one that was judged before that."""

    script: TestScript
    latest: Rehearsal | None = None
    before: Rehearsal | None = None

    @property
    def change(self) -> str:
        """`broke` or `mended` where the verdict is another one than before."""
        return change_between(self.before, self.latest)


def change_between(before: Rehearsal | None, latest: Rehearsal | None) -> str:
    if before is None or latest is None or latest.status not in Rehearsal.JUDGED:
        return ""
    if before.status == latest.status:
        return ""
    return "mended" if latest.status == Rehearsal.Status.PASSED else "broke"


@dataclass
class Version:
    """A version of the agent, and the latest verdict of each test in it."""

    name: str
    prompt_version: int | None
    parts: dict[str, str]
    first_at: datetime
    latest_at: datetime
    verdicts: dict[object, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)

    @property
    def passed(self) -> int:
        return list(self.verdicts.values()).count(Rehearsal.Status.PASSED)

    @property
    def failed(self) -> int:
        return len(self.verdicts) - self.passed


def latest_runs(agent) -> list[Rehearsal]:
    """The agent's latest runs, newest first."""
    rows = Rehearsal.objects.for_owner(agent.owner_id).filter(agent=agent)
    return list(rows.defer("results", "played").order_by("-pk")[:LATEST])


def standings(agent, runs: Iterable[Rehearsal]) -> list[Standing]:
    """The agent's tests by name."""
    scripts = TestScript.objects.for_owner(agent.owner_id).filter(agent=agent)
    found = {script.pk: Standing(script) for script in scripts.order_by("name")}
    for run in runs:
        standing = found.get(run.script_id)
        if standing is None:
            continue
        if standing.latest is None:
            standing.latest = run
        elif standing.before is None and run.status in Rehearsal.JUDGED:
            standing.before = run
    return list(found.values())


def versions_of(runs: Iterable[Rehearsal]) -> list[Version]:
    """The versions that were judged, the one that ran last first, with what changed
    since the one that ran before it."""
    found: dict[str, Version] = {}
    for run in runs:
        if run.status not in Rehearsal.JUDGED:
            continue
        version = found.get(run.version)
        if version is None:
            version = found[run.version] = Version(
                run.version,
                run.prompt_version,
                run.parts,
                run.started_at,
                run.started_at,
            )
        version.first_at = run.started_at
        version.verdicts.setdefault(run.script_id, run.status)
    ordered = list(found.values())
    for version, older in zip(ordered, ordered[1:], strict=False):
        version.changed = versions.changed_parts(older.parts, version.parts)
    return ordered


def before(run: Rehearsal) -> Rehearsal | None:
    """The run of the same test that was judged before this one."""
    rows = Rehearsal.objects.for_owner(run.owner_id).filter(script=run.script_id)
    judged = rows.filter(status__in=Rehearsal.JUDGED, pk__lt=run.pk)
    return judged.order_by("-pk").first()
