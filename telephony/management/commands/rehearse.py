import json
import time
from collections.abc import Iterator
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils.timezone import now

from accounts.models import Workspace
from agents.models import VoiceAgent
from telephony.models import Rehearsal, TestScript
from telephony.rehearsing.words import expectation_in_words
from telephony.services import rehearsals, rehearsing

LOOK_EVERY_S = 0.5
PASSED, FAILED = 0, 1


class Command(BaseCommand):
    help = (
        "Run the tests of a voice agent and tell how they went; exits with 1 unless "
        "all have passed. Works beside a running worker and without one."
    )

    def add_arguments(self, parser):
        parser.add_argument("agent", help="its name or its id")
        parser.add_argument(
            "--script", action="append", metavar="NAME", help="only this; repeatable"
        )
        parser.add_argument(
            "--workspace", help="its name or its id, where several have such an agent"
        )
        parser.add_argument("--json", action="store_true", help="the results as JSON")

    def handle(self, *, agent, script, workspace, **options):
        scripts = self._scripts(self._agent(agent, workspace), script)
        try:
            started = [rehearsals.run(one, by=None) for one in scripts]
        except rehearsals.Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        runs = self._finished(started)
        in_words = _as_json(runs) if options["json"] else _as_text(runs)
        self.stdout.write(in_words)
        has_passed = all(run.status == Rehearsal.Status.PASSED for run in runs)
        raise SystemExit(PASSED if has_passed else FAILED)

    def _agent(self, name: str, workspace: str | None) -> VoiceAgent:
        agents = VoiceAgent.unscoped.filter(deleted_at=None).select_related("owner")
        agents = agents.filter(_named(name))
        if workspace:
            agents = agents.filter(
                owner__in=Workspace.objects.filter(_named(workspace))
            )
        found = list(agents[:2])
        if not found:
            raise CommandError(f"There is no voice agent {name!r}.")
        if len(found) > 1:
            raise CommandError(
                f"Several are called {name!r}: say --workspace, or give its id."
            )
        return found[0]

    def _scripts(self, agent: VoiceAgent, names: list[str] | None) -> list[TestScript]:
        scripts = TestScript.objects.for_owner(agent.owner).filter(agent=agent)
        scripts = scripts.select_related("agent", "owner").order_by("name")
        if names:
            scripts = scripts.filter(name__in=names)
        found = list(scripts)
        if missing := set(names or ()) - {script.name for script in found}:
            raise CommandError(f"{agent} has no test {sorted(missing)[0]!r}.")
        if not found:
            raise CommandError(f"{agent} has no tests yet.")
        return found

    def _finished(self, started: list[Rehearsal]) -> list[Rehearsal]:
        """The runs when all are over; what a worker does is done here, unless one is
        quicker."""
        rows = Rehearsal.unscoped.filter(pk__in=[run.pk for run in started])
        rows = rows.select_related("script", "call").order_by("script__name")
        while under_way := list(rows.filter(status__in=Rehearsal.OPEN)):
            if not any([rehearsing.take(row, at=now()) for row in under_way]):
                time.sleep(LOOK_EVERY_S)
        return list(rows)


def _named(name: str) -> Q:
    """A row of this name, or of this id."""
    try:
        return Q(pk=UUID(name))
    except ValueError:
        return Q(name=name)


def _as_text(runs: list[Rehearsal]) -> str:
    return "\n".join(line for run in runs for line in _lines_of(run))


def _lines_of(run: Rehearsal) -> Iterator[str]:
    yield f"{run.status:<12} {run.script.name}"
    if run.error:
        yield f"  {run.error}"
    for result in run.results:
        if not result["passed"]:
            yield f"  - {expectation_in_words(result)}"
            yield f"    seen: {result['seen']}"


def _as_json(runs: list[Rehearsal]) -> str:
    told = [
        {
            "id": str(run.pk),
            "script": run.script.name,
            "status": run.status,
            "error": run.error,
            "results": run.results,
            "version": run.version,
            "prompt_version": run.prompt_version,
            "call_id": str(run.call_id) if run.call_id else None,
        }
        for run in runs
    ]
    return json.dumps(told, indent=2, ensure_ascii=False)
