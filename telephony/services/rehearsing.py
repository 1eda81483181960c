"""How rehearsals are carried out. The row is the truth; beat only rings the bell.

Where the simulator runs, it calls the agent on its test line, and the call is looked at
every second or so until it is over: any worker does that. Elsewhere the conversation is
held here, turn by turn, without a carrier. Whoever does that and is killed leaves a run
that is found when its claim is over, and is told as interrupted.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext as _

from agents.models import VoiceAgent
from telephony.models import Call, Rehearsal
from telephony.rehearsing import callers, judge, versions
from telephony.services import after_call, calls, rehearsed_talks, testing
from voiceops import claims
from voiceops.pump import Pump
from voiceops.threads import in_thread

Status, Way, Reason = Rehearsal.Status, Rehearsal.Way, Call.EndReason

LOOK_AGAIN = timedelta(seconds=1)
COMES_IN_WITHIN = timedelta(seconds=30)
LONGEST = timedelta(minutes=10)
LEASE_S = rehearsed_talks.LONGEST_S + 60
MOST_RUNNING = 10  # of a workspace
AT_ONCE, AT_ONCE_OF_AN_OWNER = 8, 4
PAUSE_BEFORE_HANGING_UP_S = 2
# However it was expected to be, a call does not end like this.
BROKEN = frozenset(
    {
        *(Reason.MODEL_FAILED, Reason.CONNECTION_FAILED, Reason.CONNECTION_LOST),
        *(Reason.OUR_ERROR, Reason.NEVER_REPORTED, Reason.CARRIER_ENDED),
    }
)

logger = logging.getLogger(__name__)


def _claim(room: int) -> list[Rehearsal]:
    return claims.claim(
        Rehearsal.unscoped.select_related("script"),
        at=now(),
        room=room,
        lease_s=LEASE_S,
        group="owner_id",
        most_of_a_group=AT_ONCE_OF_AN_OWNER,
    )


async def _look_after(row: Rehearsal) -> None:
    await in_thread(look_after, row)


pump = Pump(claim=_claim, work=_look_after, at_once=AT_ONCE)


def take(row: Rehearsal, *, at: datetime) -> bool:
    """Do what is due about this rehearsal; False if nothing is, or others do it."""
    until = at + timedelta(seconds=LEASE_S)
    free = Q(claimed_until=None) | Q(claimed_until__lte=at)
    due = Rehearsal.unscoped.filter(free, pk=row.pk, next_try_at__lte=at)
    if not due.update(claimed_until=until):
        return False
    row.claimed_until = until
    look_after(row)
    return True


def look_after(row: Rehearsal) -> None:
    """Do what is due about a claimed rehearsal."""
    try:
        if row.status == Status.WAITING:
            _begin(row)
        elif row.way == Way.TEXT:
            _interrupt(row, _("The process that held the conversation was stopped."))
        else:
            _follow(row)
    except Exception:  # the run is told as broken, and the others go on
        logger.exception("rehearsal %s: broke", row.pk)
        _interrupt(row, _("Something broke here."))


def _begin(row: Rehearsal) -> None:
    running = Rehearsal.unscoped.filter(owner=row.owner_id, status=Status.RUNNING)
    if running.count() >= MOST_RUNNING:
        _look_again(row)
        return
    agents = VoiceAgent.unscoped.select_related("owner", "prompt", "prompt_version")
    agent = agents.get(pk=row.agent_id)
    if agent.is_deleted:
        _interrupt(row, _("The agent was deleted."))
        return
    if not _note_beginning(row, agent):
        return
    turns = callers.play(row.played["caller"], row.played["turns"], agent.language)
    if row.way == Way.TEXT:
        _judge(row, rehearsed_talks.hold(row, agent, turns))
        return
    try:
        testing.open_rehearsal(agent, row.pk, steps_of(turns))
    except testing.CallNotStarted as error:
        _interrupt(row, str(error))
    else:
        _look_again(row)


def _note_beginning(row: Rehearsal, agent: VoiceAgent) -> bool:
    """Write down what is about to be tried; False if somebody else does it."""
    script, kept = row.script, calls.kept_of_agent(agent)
    parts = versions.parts_of(agent, model=kept["model_label"])
    begun = {
        "status": Status.RUNNING,
        "way": Way.LINE if testing.has_simulator() else Way.TEXT,
        "played": {
            "caller": script.caller,
            "turns": script.turns,
            "expectations": script.expectations,
            "tool_answers": script.tool_answers,
        },
        "version": versions.version_of(parts),
        "parts": parts,
        "prompt_version": kept["prompt_version"],
        "model_label": kept["model_label"],
        "started_at": now(),
        "updated_at": now(),
    }
    mine = Rehearsal.unscoped.filter(
        pk=row.pk, claimed_until=row.claimed_until, status=Status.WAITING
    )
    for name, value in begun.items():
        setattr(row, name, value)
    return bool(mine.update(**begun))


def steps_of(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The simulator's steps: after the last turn the caller hears the answer, and hangs
    up if the agent does not. Who does nothing at all stays on the line."""
    if not turns or turns[-1].keys() & {"hang_up", "break_off"}:
        return turns
    if "silence_s" in turns[-1]:
        return [*turns, {"hang_up": True}]
    return [
        *turns,
        {"wait_for": "agent_done"},
        {"silence_s": PAUSE_BEFORE_HANGING_UP_S},
        {"hang_up": True},
    ]


def _follow(row: Rehearsal) -> None:
    """Look how far the call is."""
    at, call = now(), row.call
    if call is None and at - row.started_at > COMES_IN_WITHIN:
        _interrupt(row, _("The simulator’s call never came in."))
    elif call and call.has_ended and after_call.is_settled(call, at=at):
        _judge(row, call)
    elif at - row.started_at > LONGEST:
        minutes = LONGEST.seconds // 60
        words = _("It took longer than %(minutes)d minutes.") % {"minutes": minutes}
        _interrupt(row, words)
    else:
        _look_again(row)


def _look_again(row: Rehearsal) -> None:
    claims.finish(row, next_try_at=now() + LOOK_AGAIN)


def _judge(row: Rehearsal, call: Call) -> None:
    conversation = judge.Conversation(
        calls.stored_turns(call), call.end_reason, str(call.get_end_reason_display())
    )
    expectations = row.played["expectations"]
    results = judge.judge(expectations, conversation)
    is_broken = call.end_reason in BROKEN and not any(
        expected.get("reason") == call.end_reason for expected in expectations
    )
    has_passed = not is_broken and all(result["passed"] for result in results)
    _end(
        row,
        Status.PASSED if has_passed else Status.FAILED,
        results=results,
        error=conversation.end_words if is_broken else "",
    )


def _interrupt(row: Rehearsal, why: str) -> None:
    _end(row, Status.INTERRUPTED, error=why[:300])


def _end(row: Rehearsal, status: str, **changes) -> None:
    at = now()
    changes |= {"status": status, "ended_at": at, "next_try_at": None, "updated_at": at}
    claims.finish(row, **changes)
