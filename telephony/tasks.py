"""Work of telephony that nobody waits for."""

from uuid import UUID

from celery import shared_task
from django.db import transaction
from django.utils.timezone import now

from voiceops import trails

# A call that waited longer in the broker is placed by the clock, or not at all.
PLACE_WITHIN_S = 30


@shared_task(ignore_result=True)
def settle_silent_calls():
    """Settle calls of which nothing is heard any more. Safe to run twice at once."""
    from telephony.services import silent_calls  # leaf: services import this module

    silent_calls.settle(now())


@shared_task(ignore_result=True)
def follow_up_calls():
    """Do what is due after the ends of calls. Safe to run twice at once."""
    from telephony.services import after_call  # leaf, as above

    after_call.pump.run()


@shared_task(ignore_result=True, expires=PLACE_WITHIN_S)
def place_call(call_id):
    """Ask the carrier for one call. A second delivery finds it asked for."""
    from telephony.services import asking  # leaf, as above

    trails.about_call(call_id)
    asking.place(call_id)


@shared_task(ignore_result=True)
def place_waiting_calls():
    """Place the calls whose task was lost. Safe to run twice at once."""
    from telephony.services import placing  # leaf, as above

    placing.place_waiting(now())


@shared_task(ignore_result=True)
def look_for_lost_calls():
    """Look for calls whose answer was lost. Safe to run twice at once."""
    from telephony.services import lost_calls  # leaf, as above

    lost_calls.look(now())


@shared_task(ignore_result=True)
def dial_due_calls():
    """Claim what is due and have it dialled. Safe to run twice at once."""
    from telephony.services import due_calls  # leaf, as above

    due_calls.tick(now())


@shared_task(ignore_result=True)
def dial_batch(token):
    """Dial the rows of one lease. A second delivery finds none left."""
    from telephony.services import due_calls  # leaf, as above

    due_calls.dial_batch(UUID(token))


@shared_task(ignore_result=True)
def rehearse():
    """Begin and follow rehearsals. Safe to run twice at once."""
    from telephony.services import rehearsing  # leaf, as above

    rehearsing.pump.run()


@shared_task(ignore_result=True)
def leave_message(call_id):
    """Tell a voicemail the agent's message. A second delivery finds it told."""
    from telephony.services import voicemail  # leaf, as above

    trails.about_call(call_id)
    voicemail.leave_message(call_id, now())


@shared_task(ignore_result=True)
def advance_campaigns():
    """Let running campaigns go on. Safe to run twice at once."""
    from telephony.services import campaign_turns  # leaf, as above

    campaign_turns.tick(now())


@shared_task(ignore_result=True)
def read_list(campaign_id):
    """Read a part of a campaign's list. A second delivery finds it read."""
    from telephony.services import campaign_lists  # leaf, as above

    campaign_lists.read(campaign_id)


@shared_task(ignore_result=True)
def send_campaign_notices():
    """Mail what has to be told of campaigns that paused. Safe to run twice at once."""
    from telephony.services import campaign_notices  # leaf, as above

    campaign_notices.send_due(now())


@shared_task(ignore_result=True)
def forget_lists():
    """Delete the lists of campaigns that nobody has started."""
    from telephony.services import campaign_lists  # leaf, as above

    campaign_lists.forget_files(now())


@shared_task(ignore_result=True)
def forget_old_tokens():
    """Delete carrier accounts' earlier tokens that are not accepted any more."""
    from telephony.services import carrier  # leaf, as above

    carrier.forget_old_tokens(now())


@shared_task(ignore_result=True)
def leave_waiting_messages():
    """Tell voicemails whose task was lost or failed. Safe to run twice at once."""
    from telephony.services import voicemail  # leaf, as above

    voicemail.leave_waiting(now())


@shared_task(ignore_result=True)
def send_texts(conversation_id):
    """Send what waits in a conversation. A second delivery finds nothing waiting."""
    from telephony.services import sending  # leaf, as above

    sending.send_waiting(conversation_id)


@shared_task(ignore_result=True)
def send_waiting_texts():
    """Send the texts whose task was lost. Safe to run twice at once."""
    from telephony.services import sending  # leaf, as above

    sending.send_waiting_everywhere(now())


@shared_task(ignore_result=True)
def send_due_texts():
    """Send the texts that were written for now. Safe to run twice at once."""
    from telephony.services import sending  # leaf, as above

    sending.send_due(now())


@shared_task(ignore_result=True)
def wake_conversations():
    """Bring back what was snoozed until now. Safe to run twice at once."""
    from telephony.services import conversations  # leaf, as above

    conversations.wake_due(now())


@shared_task(ignore_result=True)
def look_for_texts():
    """Ask the carrier what became of texts. Safe to run twice at once."""
    from telephony.services import lost_texts  # leaf, as above

    lost_texts.look(now())


@shared_task(ignore_result=True)
def answer_texts():
    """Have the agents answer what is due. Safe to run twice at once."""
    from telephony.services import answering  # leaf, as above

    answering.pump.run()


@shared_task(ignore_result=True)
def remove_at_carrier():
    """Delete at the carrier what is to be deleted. Safe to run twice at once."""
    from telephony.services import removals  # leaf, as above

    removals.pump.run()


def ring(task, *ids, in_s: float = 0) -> None:
    """Start a task soon after the commit; without a broker, the clock does it later."""
    given = [str(one) for one in ids]

    # No partial: Django asks for its name where it has failed.
    def start():
        task.apply_async(given, countdown=in_s, retry=False)

    transaction.on_commit(start, robust=True)


@shared_task(ignore_result=True)
def send_budget_notices():
    """Mail what has to be told of budgets. Safe to run twice at once."""
    from telephony.services import budget_notices  # leaf, as above

    budget_notices.send_due(now())
