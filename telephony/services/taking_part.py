"""A person takes part in a call that is going on, whose agent goes on listening."""

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from accounts.models import User
from agents.models import VoiceAgent
from telephony import live
from telephony.models import Call, Intervention
from telephony.services import carrier, transfers

Kind = Intervention.Kind

# A session hears of it at once, a call without one at its next turn.
LAPSES_AFTER = timedelta(seconds=5)
LAPSES_AFTER_BY_TURNS = timedelta(seconds=60)
MOST_AT_ONCE = 5


class CannotTakePart(Exception):
    """Nothing can be done in this call now: `str()` says why, in words for people."""


def ask(
    call: Call, *, kind: str, text: str = "", by: User | None, at: datetime
) -> Intervention:
    """Write down what a person wants of the call, and tell whoever has it.

    `text` is what is said or whispered, or the number to hand over to: the agent's own
    if it is empty. Raises CannotTakePart, and carrier.InvalidNumber.
    """
    if why_not := refusal(call):
        raise CannotTakePart(why_not)
    if kind == Kind.TRANSFER:
        text = _number_to_call(call, text, at)
    under_way = Intervention.unscoped.under_way(at).filter(call=call)
    if under_way.count() >= MOST_AT_ONCE:
        raise CannotTakePart(_("Wait until what was asked for before is done."))
    is_by_turns = call.transport == VoiceAgent.Transport.GATHER
    lapses_after = LAPSES_AFTER_BY_TURNS if is_by_turns else LAPSES_AFTER
    wish = Intervention(
        owner_id=call.owner_id,
        call=call,
        kind=kind,
        text=text,
        by=by,
        created_at=at,
        lapses_at=at + lapses_after,
    )
    wish.save(force_insert=True)
    live.wanted(call)
    live.changed(call)
    return wish


def refusal(call: Call) -> str:
    """Why nobody can take part in the call now; "" if they can."""
    if call.has_ended:
        return _("The call is over.")
    if call.status != Call.Status.IN_PROGRESS or call.agent is None:
        return _("The agent is not talking to anybody yet.")
    if call.handed_over_at is not None:
        return _("A person has the call.")
    return _("The call is about to end.") if call.end_reason else ""


def _number_to_call(call: Call, given: str, at: datetime) -> str:
    number = given or call.agent.transfer_number
    if not number:
        raise CannotTakePart(_("Say to which number: the agent has none."))
    number = carrier.e164(number)
    if why_not := transfers.refusal(call.owner, number, at):
        raise CannotTakePart(why_not)
    return number


def latest_of(call: Call, most: int) -> list[Intervention]:
    """What was wanted of the call, newest first."""
    rows = Intervention.objects.for_owner(call.owner_id).filter(call=call)
    return list(rows.select_related("by").order_by("-pk")[:most])
