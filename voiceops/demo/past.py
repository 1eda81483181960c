"""Single calls that are over, with all that can be known of one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import models

from agents.models import VoiceAgent
from agents.outcomes import Outcome
from analytics.history import A_MINUTE, CURRENCY, MODEL_A_SECOND
from telephony.models import AfterCall, Call, CallCost, CallEvent, CallFact, Turn
from telephony.samples import MODEL_LABEL, RING_S, SID_PREFIX, id_of
from voiceops.demo.practices import HELLO_LONDON, HELLO_SYDNEY, LONDON, SYDNEY
from voiceops.demo.stage import Stage, store

Status, Reason = Call.Status, Call.EndReason
SECONDS_A_LINE = 6
TOOL_MS = 420

Line = str | dict[str, Any]  # what was said, or a tool that was used


def call(
    agent: VoiceAgent,
    number: str,
    at: datetime,
    *,
    name: str,
    lines: Sequence[Line] = (),
    status: str = Status.COMPLETED,
    reason: str = Reason.CALLER_HUNG_UP,
    outcome: str = "",
    summary: str = "",
    extracted: dict[str, Any] | None = None,
    facts: dict[str, str] | None = None,
    **fields,
) -> list[models.Model]:
    """A call and what belongs to it, not saved yet; the agent speaks first.

    One that nobody answered has no lines.
    """
    answered_at = at + timedelta(seconds=RING_S) if lines else None
    duration_s = SECONDS_A_LINE * len(lines)
    is_incoming = fields.get("direction") != Call.Direction.OUTGOING
    ours, theirs = ("to_number", "from_number")[:: 1 if is_incoming else -1]
    made = Call(
        **{
            "id": id_of(at),
            "owner": agent.owner,
            "created_at": at,
            "agent": agent,
            "phone": agent.phone,
            "carrier_account": agent.phone.carrier_account,
            "sid": f"{SID_PREFIX}{name}",
            "direction": Call.Direction.INCOMING,
            "status": status,
            ours: agent.phone.number,
            theirs: number,
            "transport": agent.transport,
            "prompt_version": 1 if agent.prompt_id else None,
            "model_label": MODEL_LABEL,
            "is_demo": True,
            "started_at": at,
            "answered_at": answered_at,
            "duration_s": duration_s,
            "ended_at": at + timedelta(seconds=RING_S + duration_s),
            "end_reason": reason,
        }
        | fields
    )
    made.last_event_at = made.ended_at
    parts = [*_turns(made, lines), *_costs(made), *_events(made)]
    for fact, value in (facts or {}).items():
        parts.append(CallFact(owner=made.owner, call=made, name=fact, value=value))
    after = AfterCall(
        owner=made.owner,
        call=made,
        created_at=made.ended_at,
        step=AfterCall.Step.DONE,
        analysis=AfterCall.Analysis.DONE if lines else "no_conversation",
        outcome=outcome,
        summary=summary,
        extracted=extracted,
    )
    return [made, *parts, after]


def _turns(call: Call, lines: Sequence[Line]) -> list[Turn]:
    turns, speaker = [], Turn.Speaker.AGENT
    for place, line in enumerate(lines):
        at_ms = 1000 * SECONDS_A_LINE * place
        at = call.answered_at + timedelta(milliseconds=at_ms)
        common = {
            "id": id_of(at),
            "owner": call.owner,
            "call": call,
            "number": place + 1,
            "at": at,
            "at_ms": at_ms,
            "created_at": at,
        }
        if isinstance(line, dict):
            used = {"elapsed_ms": TOOL_MS, "status": "ok"} | line
            text = used.pop("answer")
            turns.append(
                Turn(speaker=Turn.Speaker.TOOL, text=text, tool=used, **common)
            )
            continue
        is_reply = speaker == Turn.Speaker.AGENT and place > 0
        reply_ms = 540 + 37 * (place % 5) if is_reply else None
        turns.append(Turn(speaker=speaker, text=line, reply_ms=reply_ms, **common))
        speakers = (Turn.Speaker.AGENT, Turn.Speaker.CALLER)
        speaker = speakers[speaker == Turn.Speaker.AGENT]
    return turns


def _costs(call: Call) -> list[CallCost]:
    """What they come to is the call's own."""
    if call.answered_at is None:
        return []
    amounts = {
        CallCost.Part.CARRIER: A_MINUTE[call.direction] * -(-call.duration_s // 60),
        CallCost.Part.MODEL: MODEL_A_SECOND * call.duration_s,
    }
    call.cost, call.currency = sum(amounts.values(), Decimal(0)), CURRENCY
    return [
        CallCost(
            owner=call.owner, call=call, part=part, amount=amount, currency=CURRENCY
        )
        for part, amount in amounts.items()
    ]


def _events(call: Call) -> list[CallEvent]:
    if call.sid is None:  # the carrier never knew it
        return []
    told = {"ringing": call.started_at, call.status: call.ended_at}
    return [
        CallEvent(
            owner=call.owner, call=call, status=status, at=at, sequence=n, created_at=at
        )
        for n, (status, at) in enumerate(told.items())
    ]


def make(stage: Stage) -> None:
    """A few of today and yesterday, with tools, summaries and what was asked for."""
    sydney, london = stage.agents["Sydney reception"], stage.agents["London reception"]
    store(
        [
            *call(
                sydney,
                "+61270100118",
                stage.latest(SYDNEY, "09:12"),
                name="sydney-1",
                lines=(
                    HELLO_SYDNEY,
                    "Hi, it's Tom Baker. When is my appointment?",
                    {
                        "name": "find_appointment",
                        "arguments": '{"patient": "Tom Baker"}',
                        "answer": "Tuesday at 10:15, Dr Lin",
                    },
                    "It is on Tuesday at a quarter past ten, with Doctor Lin.",
                    "Could I move it to Thursday?",
                    "I take a note: Thursday instead. The team will call you back.",
                    "Great, thanks. Bye!",
                ),
                outcome=Outcome.FOLLOW_UP_NEEDED,
                summary="Tom Baker wants to move his appointment with Dr Lin from "
                "Tuesday at 10:15 to Thursday. He was told that he is called back.",
                extracted={
                    "wanted_day": "Thursday",
                    "is_patient": True,
                    "reason": "move an appointment",
                },
                facts={"wanted day": "Thursday"},
            ),
            *call(
                sydney,
                "+61270100131",
                stage.latest(SYDNEY, "16:40"),
                name="sydney-2",
                lines=(
                    HELLO_SYDNEY,
                    "I'm Isla Moore. Is my appointment still on?",
                    {
                        "name": "find_appointment",
                        "arguments": '{"patient": "Isla Moore"}',
                        "answer": "It took too long and was given up.",
                        "status": "timed_out",
                        "elapsed_ms": 5000,
                    },
                    "I cannot look it up just now. The team will call you back.",
                    "Okay.",
                ),
                outcome=Outcome.NOT_RESOLVED,
                summary="Isla Moore asked whether her appointment stands. The calendar "
                "did not answer in time; the team is to call her back.",
                extracted={"is_patient": True, "reason": "check-up"},
            ),
            *call(
                london,
                "+442079460118",
                stage.latest(LONDON, "08:47"),
                name="london-1",
                lines=(
                    HELLO_LONDON,
                    "Good morning. Is there anything free for my daughter this week?",
                    "I take a note for the team. What is her name?",
                    "Poppy Evans, she is six.",
                    "Thank you. The team will ring you back this morning.",
                    "Thank you ever so much.",
                ),
                outcome=Outcome.FOLLOW_UP_NEEDED,
                summary="The mother of Poppy Evans (6) would like an appointment this "
                "week and is to be called back this morning.",
            ),
        ]
    )
