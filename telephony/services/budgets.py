"""What may be spent in a month: kept, held against what was counted, and told of.

Counting is analytics' (`analytics.budgets.spending`): it writes here what the month has
come to. A cost is known only after its call, so what is stopped is stopped late: by
the calls that are under way, and those whose price nobody has told yet.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import Workspace
from telephony import announcements
from telephony.models import Budget, BudgetNotice, Conversation, Message

Event, State = BudgetNotice.Event, Workspace.BudgetState

# Somebody who has written within is answered, whatever is spent.
REPLY_WITHIN = timedelta(days=7)


@dataclass(frozen=True)
class Standing:
    """A workspace's budget and what is spent of it, in the month that goes on."""

    amount: Decimal
    currency: str
    spent: Decimal
    stops_outgoing: bool
    until: datetime  # when the next month begins

    @property
    def stops(self) -> bool:
        return self.stops_outgoing and self.spent >= self.amount


def find(owner: Workspace) -> Budget | None:
    return Budget.objects.for_owner(owner).first()


def month_of(owner: Workspace, at: datetime) -> tuple[date, date]:
    """The first day of the workspace's month, and of the next one."""
    first = at.astimezone(ZoneInfo(owner.timezone)).date().replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def standing_of(owner: Workspace, at: datetime) -> Standing | None:
    """In one look-up; None where there is no budget."""
    budget = find(owner)
    if budget is None:
        return None
    month, after = month_of(owner, at)
    return Standing(
        amount=budget.amount,
        currency=budget.currency,
        spent=budget.spent_in(month),
        stops_outgoing=budget.stops_outgoing,
        until=datetime.combine(after, time(), tzinfo=ZoneInfo(owner.timezone)),
    )


# -- What it stops ---------------------------------------------------------------------


def wait_of(owner: Workspace, at: datetime) -> Standing | None:
    """The budget, where it stops calls and first texts now."""
    standing = standing_of(owner, at)
    return standing if standing is not None and standing.stops else None


def why_no_first_text(conversation: Conversation, at: datetime) -> str:
    """Why nobody may be written to who has not written lately; "" if they may."""
    if (standing := wait_of(conversation.owner, at)) is None:
        return ""
    came_in = Message.unscoped.filter(
        conversation=conversation, direction=Message.Direction.INCOMING
    )
    last = came_in.order_by("-pk").values_list("created_at", flat=True).first()
    if last is not None and last > at - REPLY_WITHIN:
        return ""
    words = _(
        "The budget of this month, %(amount)s %(currency)s, is used up: only those are "
        "texted who have written within seven days."
    )
    return words % {"amount": standing.amount, "currency": standing.currency}


# -- Keeping it ------------------------------------------------------------------------


def save(
    owner: Workspace,
    *,
    amount: Decimal,
    currency: str,
    warn_percent: int,
    stops_outgoing: bool,
) -> Budget:
    """Store it, also when somebody else does at the same moment."""
    terms = {
        "amount": amount,
        "currency": currency,
        "warn_percent": warn_percent,
        "stops_outgoing": stops_outgoing,
    }
    with transaction.atomic():
        lock(owner)
        budget = find(owner) or Budget(owner=owner)
        for name, value in terms.items():
            setattr(budget, name, value)
        with audit.changing(budget):
            budget.save()
    return budget


def remove(owner: Workspace) -> bool:
    """There is no budget from now on; False if there was none."""
    with transaction.atomic():
        as_it_is = lock(owner)
        budget = find(owner)
        if budget is None:
            return False
        audit.record(audit.Action.DELETED, budget)
        budget.delete()
        show(as_it_is, "", None)
    return True


def lock(owner: Workspace) -> Workspace:
    """Whoever counts or changes what is spent waits for each other here."""
    return Workspace.objects.select_for_update(no_key=True).get(pk=owner.pk)


def note_spent(budget: Budget, spent: Decimal, at: datetime) -> None:
    """What the month has come to by now, in the budget's currency.

    The workspace is locked. Repeating is safe: a threshold is told of once.
    """
    month, after = month_of(budget.owner, at)
    budget.month, budget.spent = month, spent
    budget.save(update_fields=["month", "spent", "updated_at"])
    event = None
    if spent >= budget.amount:
        event = Event.REACHED
    elif spent >= budget.warns_at:
        event = Event.WARNING
    if event is None:
        show(budget.owner, "", None)
        return
    zone = ZoneInfo(budget.owner.timezone)
    is_stopped = event == Event.REACHED and budget.stops_outgoing
    state = State.STOPPED if is_stopped else State(event)
    show(budget.owner, state, datetime.combine(after, time(), tzinfo=zone))
    _tell(budget, event, month)


def show(owner: Workspace, state: str, until: datetime | None) -> None:
    """What every page says of it, until then, to those who may change it."""
    if (owner.budget_state, owner.budget_state_until) != (state, until):
        shown = {"budget_state": state, "budget_state_until": until}
        Workspace.objects.filter(pk=owner.pk).update(**shown)


def _tell(budget: Budget, event: BudgetNotice.Event, month: date) -> None:
    is_reached = event == Event.REACHED
    notice, is_new = BudgetNotice.unscoped.get_or_create(
        owner_id=budget.owner_id,
        month=month,
        event=event,
        currency=budget.currency,
        threshold=budget.amount if is_reached else budget.warns_at,
        defaults={
            "amount": budget.amount,
            "spent": budget.spent,
            "stops_outgoing": budget.stops_outgoing,
        },
    )
    if is_new:
        announcements.budget(notice)
