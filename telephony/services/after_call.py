"""What follows the end of a call: its facts settle, it is analyzed, it is priced.

Every step is a row's (`AfterCall`), worked on by whichever worker has claimed it; the
task that is started with the row is only a hint, for beat rings the bell too. A worker
that is killed loses nothing: its claim runs out and the step is taken again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Max
from django.utils.timezone import now
from django.utils.translation import gettext as _

from agents import analysis, llm
from agents.outcomes import Outcome
from telephony import announcements, session, tasks
from telephony.models import AfterCall, Call, CallCost, CallEvent, Turn
from telephony.services import costs
from voiceops import claims, metrics, trails
from voiceops.pump import Pump
from voiceops.threads import in_thread

Step, Analysis = AfterCall.Step, AfterCall.Analysis

# The last words and the carrier's reports come in pieces and in any order: all is
# told when nothing was written for a while, or when nobody waits any longer.
QUIET_S = 5
LATEST_S = 60
LOOK_AGAIN_S = 2
RETRY_AFTER_S = (15, 60, 300)  # when the model could not be asked
# A price appears at the carrier some time after the call; it is asked for a day.
PRICE_AFTER_S = (10, 60, 300, 900, 3_600, 10_800, 21_600, 43_200)
LEASE_S = 180  # more than two answers of a model take
AT_ONCE = 32
AT_ONCE_OF_AN_OWNER = 8


def begin(call: Call) -> None:
    """Note, with the end of the call, what is to be done. Repeating is safe."""
    row = AfterCall(owner_id=call.owner_id, call=call, next_try_at=now())
    AfterCall.unscoped.bulk_create([row], ignore_conflicts=True)
    tasks.ring(tasks.follow_up_calls, in_s=QUIET_S + 1)


def analyze_again(call: Call) -> bool:
    """Have an ended call analyzed anew; False while it is being analyzed, and where its
    words are not kept any more."""
    if Call.unscoped.filter(pk=call.pk, words_removed_at__isnull=False).exists():
        return False
    row = AfterCall(
        owner_id=call.owner_id, call=call, edition=0, analysis=Analysis.NOT_WANTED
    )
    with transaction.atomic():
        AfterCall.unscoped.bulk_create([row], ignore_conflicts=True)
        analyzed = AfterCall.unscoped.filter(call=call, claimed_until=None)
        won = analyzed.exclude(analysis=Analysis.WAITING).update(
            step=Step.ANALYZING,
            analysis=Analysis.WAITING,
            attempts=0,
            error="",
            edition=F("edition") + 1,
            next_try_at=now(),
            updated_at=now(),
        )
        if won:
            tasks.ring(tasks.follow_up_calls, in_s=0)
    return bool(won)


# -- The work --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Question:
    """What a model is to be asked about a call."""

    provider: llm.Provider
    spoken: list[analysis.Spoken]
    wish: analysis.Wish


def _claim(room: int) -> list[AfterCall]:
    return claims.claim(
        AfterCall.unscoped.all(),
        at=now(),
        room=room,
        lease_s=LEASE_S,
        group="owner_id",
        most_of_a_group=AT_ONCE_OF_AN_OWNER,
    )


async def _follow_up(row: AfterCall) -> None:
    trails.about_call(row.call_id)  # each piece of work is a task of its own
    question = await in_thread(_prepare, row)
    if question is None:
        return
    meter = llm.Meter()
    try:
        findings = await analysis.analyze(
            question.provider, question.spoken, question.wish, meter
        )
    except analysis.AnalysisFailed as failed:
        await in_thread(_record_usage, row, question.provider, meter)
        await in_thread(_note_failure, row, failed)
    else:
        await in_thread(_record_usage, row, question.provider, meter)
        await in_thread(_note_findings, row, findings)


pump = Pump(claim=_claim, work=_follow_up, at_once=AT_ONCE, run=llm.run)


def _record_usage(row: AfterCall, provider: llm.Provider, meter: llm.Meter) -> None:
    part = CallCost.Part.ANALYSIS
    costs.record_usage(row.call, meter, label=provider.label, part=part)


def _prepare(row: AfterCall) -> _Question | None:
    """Do what needs no model; the question if one is to be asked."""
    calls = Call.unscoped.select_related(
        "agent__prompt", "agent__prompt_version", "carrier_account"
    )
    call = row.call = calls.get(pk=row.call_id)
    if row.step == Step.PRICING:
        return _work_out_cost(row, call)
    if row.step == Step.SETTLING:
        if not is_settled(call, at=now()):
            soon = now() + timedelta(seconds=LOOK_AGAIN_S)
            claims.finish(row, next_try_at=soon)
            return None
        _note_settled(row, call)
    return _question_about(row, call)


def _note_settled(row: AfterCall, call: Call) -> None:
    row.step = Step.ANALYZING
    with transaction.atomic():
        AfterCall.unscoped.filter(pk=row.pk).update(step=row.step, updated_at=now())
        announcements.ended(call)
    if not call.is_test:
        metrics.note_call_ended(call.direction, call.end_reason)


def is_settled(call: Call, *, at: datetime) -> bool:
    """Whether all is told about the end of the call that is going to be told."""
    if at - call.ended_at >= timedelta(seconds=LATEST_S):
        return True
    if call.status == Call.Status.COMPLETED and call.duration_s is None:
        return False
    of_call = {"call": call}
    turns = Turn.unscoped.filter(**of_call).aggregate(last=Max("updated_at"))
    events = CallEvent.unscoped.filter(**of_call).aggregate(last=Max("created_at"))
    told = (call.ended_at, call.updated_at, turns["last"], events["last"])
    return at - max(filter(None, told)) >= timedelta(seconds=QUIET_S)


def _question_about(row: AfterCall, call: Call) -> _Question | None:
    turns = Turn.unscoped.filter(call=call).order_by("number")
    # What the team told the agent nobody on the line has heard.
    turns = turns.exclude(speaker=Turn.Speaker.INSTRUCTION)
    spoken = list(turns.values_list("speaker", "text"))
    if not any(who == Turn.Speaker.CALLER for who, _text in spoken):
        _conclude(row, analysis=Analysis.NO_CONVERSATION, outcome=_unheard(call))
        return None
    wish = _wish_of(call)
    if not wish:
        _conclude(row, analysis=Analysis.NOT_WANTED, outcome="")
        return None
    if not _begin_try(row):
        return None
    return _Question(session.provider_of(call.agent), spoken, wish)


def _begin_try(row: AfterCall) -> bool:
    """Count the try before it is made: what breaks its worker is not asked for ever."""
    if row.attempts > len(RETRY_AFTER_S):
        why = _("Every try of it was cut off here.")
        _conclude(row, analysis=Analysis.FAILED, error=why)
        return False
    row.attempts += 1
    mine = AfterCall.unscoped.filter(pk=row.pk, claimed_until=row.claimed_until)
    return bool(mine.update(attempts=row.attempts))


def _wish_of(call: Call) -> analysis.Wish | None:
    agent = call.agent
    if agent is None:
        return None
    return analysis.Wish(agent.summary_enabled, agent.extraction_schema, agent.language)


def _unheard(call: Call) -> Outcome:
    """What a call came to in which the other party said nothing."""
    if call.direction == Call.Direction.INCOMING:
        return Outcome.NO_CONVERSATION
    is_machine = call.answered_by.startswith("machine")
    return Outcome.VOICEMAIL if is_machine else Outcome.NOT_REACHED


def _note_findings(row: AfterCall, findings: analysis.Findings) -> None:
    _conclude(
        row,
        analysis=Analysis.DONE,
        outcome=findings.outcome,
        summary=findings.summary,
        extracted=findings.extracted,
        error=findings.note,
    )


def _note_failure(row: AfterCall, failed: analysis.AnalysisFailed) -> None:
    """Try again later, or leave it to a person."""
    if failed.is_final or row.attempts > len(RETRY_AFTER_S):
        _conclude(row, analysis=Analysis.FAILED, error=str(failed)[:500])
        return
    wait = timedelta(seconds=RETRY_AFTER_S[row.attempts - 1])
    claims.finish(
        row,
        step=Step.ANALYZING,
        error=str(failed)[:500],
        next_try_at=now() + wait,
        updated_at=now(),
    )


def _conclude(row: AfterCall, **result) -> None:
    """The analysis is final."""
    row.analyzed_at = now()
    with transaction.atomic():
        if claims.finish(
            row,
            step=Step.PRICING,
            attempts=0,
            next_try_at=row.analyzed_at,
            analyzed_at=row.analyzed_at,
            updated_at=row.analyzed_at,
            **{"error": "", **result},
        ):
            announcements.analyzed(row)


# -- The cost --------------------------------------------------------------------------


def _work_out_cost(row: AfterCall, call: Call) -> None:
    """Price what is known, and ask the carrier again later for what is not."""
    if costs.work_out(call) or row.attempts >= len(PRICE_AFTER_S):
        claims.finish(row, step=Step.DONE, next_try_at=None, updated_at=now())
        return
    wait = timedelta(seconds=PRICE_AFTER_S[row.attempts])
    claims.finish(
        row, attempts=row.attempts + 1, next_try_at=now() + wait, updated_at=now()
    )
