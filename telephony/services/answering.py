"""The agents' answers to texts: one a turn, whoever dies or repeats himself.

What is due are the conversations themselves. The answer is written in the transaction
that ends the turn, with which text it answers, and only while nobody has written or
taken over since it was begun; it is sent from there like any other text, once. Tools
that it needs are used before (`text_tools`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile
from operator import attrgetter

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents import llm, services, texting
from agents.models import MessageAgent
from agents.tools import Toolbox
from telephony import live, opt_outs, words
from telephony.models import Conversation, Message, TextToolUse
from telephony.services import (
    acquaintances,
    conversations,
    sending,
    text_costs,
    text_tools,
)
from voiceops import claims
from voiceops.pump import Pump
from voiceops.threads import in_thread

Need, SentBy, Status = Conversation.Need, Message.SentBy, Message.Status

DEADLINE_S = 90  # for an answer and the tools that it needs
LEASE_S = 120  # more than that
RETRY_AFTER_S = (5, 30)  # when the model could not be asked
AT_ONCE = 32
AT_ONCE_OF_AN_OWNER = 8
# The other side may be a machine too: then a person looks at it.
MOST_ANSWERS = 25
IN = timedelta(hours=1)
SAME_TEXTS = 4
# So often the agent answers without that a person writes or hands it back, however
# slowly; after a long pause it begins anew.
MOST_IN_A_ROW = 50
PAUSE = timedelta(hours=12)
# Who writes more than once while it is closed is told so once.
AWAY_HOLDS = timedelta(hours=8)


@dataclass(frozen=True)
class _Turn:
    """What is to be answered, and by whom."""

    agent: MessageAgent
    asked: Message  # the latest text: the answer is to all up to it
    answer: texting.Answer | None = None  # where the model need not be asked
    thread: texting.Thread = texting.Thread("")
    provider: llm.Provider | None = None
    toolbox: Toolbox = Toolbox([])
    begun: tuple[texting.Use, ...] = ()  # of an earlier try at this answer


def _claim(room: int) -> list[Conversation]:
    return claims.claim(
        Conversation.unscoped.all(),
        at=now(),
        room=room,
        lease_s=LEASE_S,
        group="owner_id",
        most_of_a_group=AT_ONCE_OF_AN_OWNER,
    )


async def _answer(row: Conversation) -> None:
    turn = await in_thread(_prepare, row, now())
    if turn is None:
        return
    try:
        answer = turn.answer or await _ask(row, turn)
    except llm.ModelFailed:
        await in_thread(_note_failure, row, now())
    except text_tools.TurnLost:
        return
    else:
        await in_thread(_conclude, row, turn, answer, now())


async def _ask(row: Conversation, turn: _Turn) -> texting.Answer:
    using = text_tools.Turn(row, turn.asked, turn.toolbox)
    meter = llm.Meter()
    try:
        return await texting.ask(
            turn.agent,
            turn.provider,
            turn.thread,
            turn.toolbox.schemas,
            partial(text_tools.use, using),
            deadline_s=DEADLINE_S,
            begun=turn.begun,
            meter=meter,
        )
    finally:  # a failure costs too
        label = turn.provider.spoken_by
        await in_thread(
            partial(text_costs.record_usage, turn.asked, meter, label=label)
        )


pump = Pump(claim=_claim, work=_answer, at_once=AT_ONCE, run=llm.run)


def _prepare(row: Conversation, at: datetime) -> _Turn | None:
    """The turn that is due; None if there is none (any more), or a person's."""
    latest = Message.unscoped.filter(conversation=row).order_by("-pk")
    asked = conversations.asked_last(row)
    is_answered = Message.unscoped.filter(answers=asked, answers__isnull=False)
    if not row.is_with_agent or asked is None or is_answered.exists():
        claims.finish(row, next_try_at=None)
        return None
    if conversations.why_no_texts(row):
        claims.finish(row, next_try_at=None)
        return None
    agent = conversations.agent_of(row)
    if agent is None:
        return _leave_to_person(row, Need.NO_AGENT)
    if _looks_like_machine(row, at):
        return _leave_to_person(row, Need.LOOP)
    if _answers_in_a_row(row, at) >= MOST_IN_A_ROW:
        return _leave_to_person(row, Need.IN_A_ROW)
    if row.attempts > len(RETRY_AFTER_S):
        return _leave_to_person(row, Need.CUT_OFF)
    # Counted before it is made: what breaks its worker is not asked for ever.
    row.attempts += 1
    mine = Conversation.unscoped.filter(pk=row.pk, claimed_until=row.claimed_until)
    if not mine.update(attempts=row.attempts):
        return None
    number, known = row.number, acquaintances.of_conversation(row, agent)
    messages = list(latest[: 2 * agent.history_limit])
    answer = texting.answer_without_model(
        agent, _written_since(messages, row), number=number, at=at, known=known
    )
    if answer is not None:
        return _Turn(agent, asked, answer=answer)
    text_tools.settle_lost(row)
    toolbox = text_tools.toolbox_of(agent, row)
    # Some providers take no history of tools where there are none.
    uses = text_tools.since(row, messages[-1]) if toolbox.schemas else []
    begun = [text_tools.shown(one) for one in uses if one.asked_id == asked.pk]
    entries = _entries(messages, uses, asked)
    thread = texting.thread_of(agent, entries, number=number, at=at, known=known)
    provider = services.provider_of(agent.owner, agent.model)
    return _Turn(
        agent,
        asked,
        thread=thread,
        provider=provider,
        toolbox=toolbox,
        begun=tuple(begun),
    )


def _written_since(latest: Iterable[Message], row: Conversation) -> str:
    """All that the other party has written since we have, or the agent got it back."""
    told = filter(_is_said, latest)
    bodies = [
        one.body
        for one in takewhile(attrgetter("is_incoming"), told)
        if row.released_at is None or one.created_at > row.released_at
    ]
    return "\n".join(reversed(bodies))


def _entries(
    messages: Iterable[Message], uses: Iterable[TextToolUse], asked: Message
) -> list[texting.Entry]:
    """What both sides have read of each other, and what the agent did, in order."""
    texts = {
        message.pk: texting.Text(
            "texter" if message.is_incoming else "agent", _readable(message)
        )
        for message in messages
        if _is_said(message)
        and not (message.is_incoming and opt_outs.is_word(message.body))
    }
    tools = {
        one.pk: text_tools.shown(
            one, None if one.asked_id == asked.pk else text_tools.MAX_OLD_CHARACTERS
        )
        for one in uses
    }
    # Ids are moments.
    return [entry for _pk, entry in sorted((texts | tools).items())]


def _is_said(message: Message) -> bool:
    """Whether it is part of what the two sides have told each other, and kept."""
    is_kept = message.words_removed_at is None
    is_told = message.status not in Message.UNTOLD
    return is_kept and is_told and message.sent_by != SentBy.SYSTEM


def _readable(message: Message) -> str:
    """The words, and that there is something which a model does not see."""
    count = len(message.media)
    if not count:  # neither: a place on the map, a business card
        return message.body or _("(something without words, which you cannot see)")
    told = ngettext(
        "(%(count)d picture or file, which you cannot see)",
        "(%(count)d pictures or files, which you cannot see)",
        count,
    ) % {"count": count}
    return f"{message.body}\n{told}".strip()


def _looks_like_machine(row: Conversation, at: datetime) -> bool:
    """Whether it goes in circles: too many answers, or the same text each time."""
    since = max(filter(None, (at - IN, row.released_at)))
    lately = Message.unscoped.filter(conversation=row, created_at__gt=since)
    answers = lately.filter(sent_by=SentBy.AGENT, part=0, call=None).count()
    texts = lately.filter(direction=Message.Direction.INCOMING).order_by("-pk")
    last = list(texts.values_list("body", flat=True)[:SAME_TEXTS])
    is_same = len(last) == SAME_TEXTS and len(set(last)) == 1 and bool(last[0])
    return answers >= MOST_ANSWERS or (is_same and answers >= SAME_TEXTS - 1)


def _answers_in_a_row(row: Conversation, at: datetime) -> int:
    ours = Message.unscoped.filter(
        conversation=row, direction=Message.Direction.OUTGOING, part=0, call=None
    ).exclude(sent_by=SentBy.SYSTEM)
    latest = ours.order_by("-pk").values_list("sent_by", "created_at")
    count, later = 0, at
    for sent_by, written_at in latest[:MOST_IN_A_ROW]:
        is_released = row.released_at is not None and written_at <= row.released_at
        if sent_by != SentBy.AGENT or is_released or later - written_at > PAUSE:
            break
        count, later = count + 1, written_at
    return count


def _leave_to_person(row: Conversation, need: str) -> None:
    claims.finish(
        row,
        next_try_at=None,
        mode=Conversation.Mode.HUMAN,
        need=need,
        updated_at=now(),
    )
    live.conversation_changed(row)


def _note_failure(row: Conversation, at: datetime) -> None:
    """Try again soon, or leave it to a person."""
    if row.attempts > len(RETRY_AFTER_S):
        _leave_to_person(row, Need.MODEL_FAILED)
        return
    wait = timedelta(seconds=RETRY_AFTER_S[row.attempts - 1])
    claims.finish(row, next_try_at=at + wait, updated_at=at)


def _conclude(
    row: Conversation, turn: _Turn, answer: texting.Answer, at: datetime
) -> None:
    """Write the answer, unless somebody has written or taken over meanwhile."""
    with transaction.atomic():
        conversation = conversations.lock(row)
        if conversation.claimed_until != row.claimed_until:
            return
        if conversations.agent_of(conversation) != turn.agent:
            # Switched off meanwhile: it says nothing more, whoever is active now does.
            claims.finish(row, next_try_at=at)
            return
        if answer.hands_over:
            conversations.give_to_person(conversation, Need.ASKED_FOR)
        conversation.next_try_at = conversation.claimed_until = None
        conversation.attempts = 0
        conversation.save()
        live.conversation_changed(conversation)
        bodies = sending.pieces(words.speakable(answer.body))
        if conversations.why_no_texts(conversation):  # since they asked for none
            return
        if bodies and not (answer.is_away and _was_told_away(conversation, at)):
            first, *_rest = sending.write(
                conversation,
                bodies,
                sent_by=SentBy.AGENT,
                agent=turn.agent,
                answers=turn.asked,
                is_away=answer.is_away,
                at=at,
            )
            known = text_costs.cost_of(first)
            Message.unscoped.filter(pk=first.pk).update(**known)


def _was_told_away(conversation: Conversation, at: datetime) -> bool:
    ours = Message.unscoped.filter(
        conversation=conversation,
        direction=Message.Direction.OUTGOING,
        created_at__gt=at - AWAY_HOLDS,
    )
    last = ours.order_by("-pk").first()
    return last is not None and last.is_away
