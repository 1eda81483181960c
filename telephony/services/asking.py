"""Asking the carrier for calls that are written down: each at most once, side by side.

One thread writes, for many calls in one statement where it can; others only carry the
requests. A call is written down as asked for before its request is sent, and only who
won that step sends it. An answer that got lost is never a reason to ask again.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.timezone import now

from accounts import halts
from accounts.models import Workspace
from accounts.switches import Feature
from telephony import twilio
from telephony.addresses import webhook_url
from telephony.models import Call
from telephony.patience import patient_s
from telephony.services import calls, campaigns, pacing, voicemail

Placement, Reason, Status = Call.Placement, Call.EndReason, Call.Status

RING_FOR_S = 30
# Between asking again after a clear "too much at once" or an unreachable carrier.
PAUSES_S = (patient_s(1), patient_s(2), patient_s(4))
# Requests of one batch under way: so many answers can get lost with us. Fewer cost more
# each, for half of the work is done for all that begin or end together.
SIDE_BY_SIDE = 100
# What comes so close is done together: the turns of a fast account, and answers.
TURNS_TOGETHER_S, ANSWERS_TOGETHER_S = 0.02, 0.05

logger = logging.getLogger(__name__)


def place(call_id) -> bool:
    """Ask the carrier for an opened call; False if it is to be tried again later.

    Safe to repeat and to race: one asks, the others find it asked for.
    """
    signed = calls.with_signer().select_related("scheduled_call")
    call = signed.filter(pk=call_id).first()
    if call is None or call.placement != Placement.OPENED:
        return True
    held = call.hold(now())
    if held is None:  # a turn of the account would be taken for nothing
        return _is_on_its_way(call)
    more = iter([[call]])
    told = list(Asking(lambda room: next(more, None)).run())
    call.let_go(held)
    return not any(each.later for each in told)


@dataclass
class _Ask:
    """One call on its way: `at` is when something is to be done about it."""

    call: Call
    at: datetime
    has_turn: bool = False
    tries: int = 0


@dataclass(frozen=True)
class Told:
    """Calls that were asked for, by whomever, and those to be tried again later."""

    asked: list[Call]
    later: list[Call]


class Asking:
    """`more(room)` gives up to `room` opened calls to ask for; None: it has no more."""

    def __init__(self, more: Callable[[int], list[Call] | None]):
        self._more = more
        self._has_more = True
        self._waiting: list[_Ask] = []
        self._requests: dict[Future, _Ask] = {}

    def run(self) -> Iterator[Told]:
        """Ask for all of them; what became of them, as it becomes known."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
            while True:
                self._take_on()
                if not (self._waiting or self._requests):
                    return
                yield self._send(threads)
                yield self._hear()

    def _take_on(self) -> None:
        """Fill up, many at once: what is written for many costs little for each."""
        while self._has_more:
            room = SIDE_BY_SIDE - len(self._waiting) - len(self._requests)
            if room < SIDE_BY_SIDE / 2:
                return
            found = self._more(room)
            self._has_more = found is not None
            self._waiting += [_Ask(call, now()) for call in found or []]

    def _send(self, threads: ThreadPoolExecutor) -> Told:
        """Send the requests whose turn it is."""
        due = self._due(now())
        told = Told([], self._take_turns([ask for ask in due if not ask.has_turn]))
        soon = now() + timedelta(seconds=TURNS_TOGETHER_S)
        ready = [ask for ask in due if ask.has_turn and ask.at <= soon]
        self._waiting += [ask for ask in due if ask.has_turn and ask.at > soon]
        if not ready:
            return told
        _sleep_until(max(ask.at for ask in ready))
        won = _begin_asking([ask.call for ask in ready])
        for ask in ready:
            if ask.call in won:
                self._requests[threads.submit(_request_of(ask.call))] = ask
            elif _is_on_its_way(ask.call):
                told.asked.append(ask.call)
            else:
                told.later.append(ask.call)
        return told

    def _due(self, at: datetime) -> list[_Ask]:
        soon = at + timedelta(seconds=TURNS_TOGETHER_S)
        due = [ask for ask in self._waiting if ask.at <= soon]
        self._waiting = [ask for ask in self._waiting if ask.at > soon]
        return due

    def _take_turns(self, asks: list[_Ask]) -> list[Call]:
        """Give each its turn; the calls for which there is none soon."""
        of_account: dict = {}
        for ask in asks:
            of_account.setdefault(ask.call.carrier_account, []).append(ask)
        left = []
        for account, its_asks in of_account.items():
            turns = pacing.take_turns(account, len(its_asks), now())
            for ask, turn in zip(its_asks, turns, strict=False):
                ask.at, ask.has_turn = turn, True
            left += [ask.call for ask in its_asks[len(turns) :]]
        return left

    def _hear(self) -> Told:
        """Wait for answers, no longer than until something else is to be done."""
        next_at = min((ask.at for ask in self._waiting), default=None)
        if not self._requests:
            if next_at is not None:
                _sleep_until(next_at)
            return Told([], [])
        for_s = None if next_at is None else max(0, (next_at - now()).total_seconds())
        done, _going_on = wait(self._requests, for_s, return_when=FIRST_COMPLETED)
        if done:
            time.sleep(ANSWERS_TOGETHER_S)
        heard = [future for future in self._requests if future.done()]
        return self._write([(self._requests.pop(future), future) for future in heard])

    def _write(self, heard: list[tuple[_Ask, Future]]) -> Told:
        told, placed = Told([], []), {}
        for ask, future in heard:
            call = ask.call
            try:
                placed[call] = future.result()
            except (twilio.Throttled, twilio.Unreachable) as error:
                # Nobody's phone rang.
                call.take_back(str(error))
                if not self._ask_again(ask):
                    told.later.append(call)
                continue
            except twilio.AnswerLost:  # perhaps it rang
                logger.warning("call %s: the carrier's answer was lost", call.pk)
                call.lose(now())
            except twilio.CarrierError as error:  # a clear no
                calls.end_unplaced(
                    call, Status.FAILED, Reason.REJECTED, str(error), at=now()
                )
            except Exception:  # the others' answers have a right to be written down
                logger.exception("call %s: perhaps it rang", call.pk)
                call.lose(now())
            told.asked.append(call)
        Call.unscoped.adopt(placed)
        return told

    def _ask_again(self, ask: _Ask) -> bool:
        """After a pause, for so many times."""
        if ask.tries >= len(PAUSES_S):
            return False
        pause_s = PAUSES_S[ask.tries] * random.uniform(0.75, 1.25)
        ask.at, ask.has_turn = now() + timedelta(seconds=pause_s), False
        ask.tries += 1
        self._waiting.append(ask)
        return True


def _begin_asking(wanted: list[Call]) -> set[Call]:
    """Those for which the carrier may be asked, by us alone; once a campaign's pause is
    stored, none of its calls is among them, nor any of a suspended workspace.
    """
    with transaction.atomic():
        going_on = campaigns.that_go_on(_not_halted(wanted))
        return Call.unscoped.begin_asking(going_on, now())


def _not_halted(wanted: list[Call]) -> list[Call]:
    """Those of workspaces that go on, as they are by now: for an emergency."""
    owners = Workspace.objects.in_bulk({call.owner_id for call in wanted})
    halted = {
        owner.pk for owner in owners.values() if halts.why_halted(owner, Feature.CALLS)
    }
    return [call for call in wanted if call.owner_id not in halted]


def _request_of(call: Call) -> Callable[[], str]:
    """The request, ready to be sent by a thread that asks no database."""
    fields = {
        "to_number": call.to_number,
        "from_number": call.from_number,
        "answer_url": webhook_url("answered", call.pk),
        "fallback_url": webhook_url("call_fallback", call.pk),
        "status_url": webhook_url("call_status", call.pk),
        "ring_for_s": RING_FOR_S,
        "detection": voicemail.detection_of(call),
        # Whoever takes part may hand it over: two people must not be cut off.
        # The agent's own longest time is held by our clock.
        "longest_s": Call.LONGEST_HANDED_OVER_S,
    }
    account = call.carrier_account
    return lambda: twilio.create_call(account, **fields)


def _is_on_its_way(call: Call) -> bool:
    """Whether somebody else asks, or ended it; not where its decision is too old."""
    call.refresh_from_db(fields=["placement"])
    return call.placement != Placement.OPENED


def _sleep_until(at: datetime) -> None:
    time.sleep(max(0, (at - now()).total_seconds()))
