"""Test scripts: written, made of a call, run; for the pages and the API alike.

How a run is carried out stands in `rehearsing.py`.
"""

import math
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.formats import date_format
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _

from accounts import audit
from accounts.audit import Action
from accounts.models import User
from agents.dialogue import TRANSFER_CALL
from agents.models import VoiceAgent
from agents.tools.built_in import DESCRIPTIONS
from telephony import tasks
from telephony.models import Call, Rehearsal, TestScript, Turn
from telephony.rehearsing.callers import NEED_NO_TURNS
from telephony.rehearsing.scripts import (
    MAX_ANSWER,
    MAX_ANSWERS,
    MAX_TURNS,
    MAX_WORDS,
    EndedBy,
    Kind,
)

MAX_SCRIPTS = 100  # of an agent
KEYS_PRESSED = "Keys pressed: "  # how the transcript begins what was typed
REPLY_STEP_MS = 500
MAX_SUGGESTED_MS = 10_000


class Refused(Exception):
    """A rule forbids it: `str()` says why, `field` which input it is about."""

    def __init__(self, words: str, field: str | None = None):
        super().__init__(words)
        self.field = field


# -- Scripts ---------------------------------------------------------------------------


def save_script(script: TestScript) -> TestScript:
    """Save a new test or a changed one. Raises Refused."""
    if not script.turns and script.caller not in NEED_NO_TURNS:
        raise Refused(_("Say what the caller does."), "turns")
    with transaction.atomic():
        # Two that are made at once wait for each other.
        agents = VoiceAgent.unscoped.select_for_update(no_key=True)
        agent = agents.filter(pk=script.agent_id, deleted_at=None).first()
        if agent is None:
            raise Refused(_("This agent was deleted."), "agent")
        others = TestScript.objects.for_owner(script.owner_id).filter(agent=agent)
        others = others.exclude(pk=script.pk)
        if others.filter(name=script.name).exists():
            raise Refused(_("This agent has a test of this name."), "name")
        if others.count() >= MAX_SCRIPTS:
            words = _("An agent has at most %(count)d tests.") % {"count": MAX_SCRIPTS}
            raise Refused(words)
        with audit.changing(script):
            script.save()
    return script


def delete_script(script: TestScript) -> None:
    """Put the test away; its runs stay."""
    with transaction.atomic():
        stored = TestScript.unscoped.select_for_update().get(pk=script.pk)
        if not stored.is_deleted:
            audit.record(Action.DELETED, stored)
            stored.put_away()


# -- Made of a call --------------------------------------------------------------------


def script_of(call: Call) -> TestScript:
    """Make a test of what happened in a call; what is expected is a suggestion.

    The tools answer in it as they did in the call. Raises Refused.
    """
    if call.agent is None or call.agent.is_deleted:
        raise Refused(_("The agent of this call was deleted."))
    if call.words_removed_at is not None:
        raise Refused(_("What was said in this call is not kept any more."))
    told = list(Turn.unscoped.filter(call=call).order_by("number"))
    if not any(turn.speaker == Turn.Speaker.CALLER for turn in told):
        raise Refused(_("The caller said nothing in this call."))
    script = TestScript(
        owner=call.owner,
        agent=call.agent,
        name=_free_name(call),
        turns=_turns_of(told),
        expectations=_suggested(call, told),
        tool_answers=_answers_of(told),
        made_from=call,
    )
    return save_script(script)


def _free_name(call: Call) -> str:
    began = localtime(call.started_at)
    base = _("Call of %(when)s") % {"when": date_format(began, "DATETIME_FORMAT")}
    scripts = TestScript.objects.for_owner(call.owner_id).filter(agent=call.agent)
    taken = set(scripts.values_list("name", flat=True))
    names = (base if n == 1 else f"{base} ({n})" for n in range(1, MAX_SCRIPTS + 2))
    return next(name for name in names if name not in taken)


def _turns_of(told: list[Turn]) -> list[dict[str, Any]]:
    """What the caller did; who interrupted the agent does so at the same place."""
    turns, cut_after = [], None
    for turn in told:
        if turn.speaker == Turn.Speaker.AGENT:
            cut_after = len(turn.text) if turn.interrupted else None
        elif turn.speaker == Turn.Speaker.CALLER:
            turns.append(_turn_of(turn.text, cut_after))
            cut_after = None
    return turns[:MAX_TURNS]


def _turn_of(text: str, cut_after: int | None) -> dict[str, Any]:
    if text.startswith(KEYS_PRESSED):
        return {"press": text.removeprefix(KEYS_PRESSED)[:50]}
    if cut_after:
        return {"interrupt": text[:MAX_WORDS], "after_chars": cut_after}
    return {"say": text[:MAX_WORDS]}


def _suggested(call: Call, told: list[Turn]) -> list[dict[str, Any]]:
    """The tools that worked, about the time of the replies, and the end."""
    used = [
        turn.tool["name"]
        for turn in told
        if turn.tool and (turn.tool["status"] == "ok" or _is_transfer(turn))
    ]
    expected = [
        {"kind": Kind.TOOL_CALLED.value, "tool": name} for name in dict.fromkeys(used)
    ]
    times = [turn.reply_ms for turn in told if turn.reply_ms]
    if times:
        # Twice the slowest, for another day's model.
        steps = math.ceil(2 * max(times) / REPLY_STEP_MS)
        ms = min(max(steps * REPLY_STEP_MS, 2000), MAX_SUGGESTED_MS)
        expected.append({"kind": Kind.REPLIES_WITHIN.value, "ms": ms})
    if call.end_reason in EndedBy.values:
        expected.append({"kind": Kind.ENDED_BY.value, "reason": call.end_reason})
    return expected


def _is_transfer(turn: Turn) -> bool:
    return turn.tool["name"] == TRANSFER_CALL


def _answers_of(told: list[Turn]) -> dict[str, str]:
    """What the workspace's own tools answered: the last answer of each."""
    answers = {
        turn.tool["name"]: turn.text[:MAX_ANSWER]
        for turn in told
        if turn.tool and turn.tool["status"] == "ok"
    }
    own = {name: text for name, text in answers.items() if name not in DESCRIPTIONS}
    return dict(list(own.items())[:MAX_ANSWERS])


# -- Runs ------------------------------------------------------------------------------


def run(script: TestScript, *, by: User | None) -> Rehearsal:
    """Have a test run soon; the run that is under way, if there is one.

    Raises Refused.
    """
    if script.is_deleted or script.agent.is_deleted:
        raise Refused(_("This agent was deleted."))
    row = Rehearsal(
        owner=script.owner,
        script=script,
        agent=script.agent,
        started_by=by,
        next_try_at=now(),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            _ring_the_bell()
    except IntegrityError:  # a constraint lets one be open
        open_rows = Rehearsal.unscoped.filter(status__in=Rehearsal.OPEN)
        under_way = open_rows.filter(script=script).first()
        return under_way or run(script, by=by)
    return row


def run_all(agent: VoiceAgent, *, by: User | None) -> list[Rehearsal]:
    """Have all tests of an agent run, in the order of their names. Raises Refused."""
    scripts = TestScript.objects.for_owner(agent.owner_id).filter(agent=agent)
    found = list(scripts.select_related("owner", "agent").order_by("name"))
    if not found:
        raise Refused(_("This agent has no tests yet."))
    return [run(script, by=by) for script in found]


def _ring_the_bell() -> None:
    """Begin soon after the commit; without a broker, beat does it."""
    start = partial(tasks.rehearse.apply_async, retry=False)
    transaction.on_commit(start, robust=True)


# -- In the call -----------------------------------------------------------------------


def adopt(call: Call, rehearsal_id: str) -> None:
    """The call is this rehearsal's. Repeating is safe."""
    try:
        pk = UUID(rehearsal_id)
    except ValueError:
        return
    running = Rehearsal.unscoped.filter(
        pk=pk, owner=call.owner_id, agent=call.agent_id, status=Rehearsal.Status.RUNNING
    )
    running.filter(call=None).update(call=call)


def tool_answers(call: Call) -> dict[str, str]:
    """What tools answer in a test call instead of being used, by their names."""
    played = Rehearsal.unscoped.filter(call=call).values_list("played", flat=True)
    return (played.first() or {}).get("tool_answers", {})
