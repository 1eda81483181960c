"""A task that breaks with everything in its hands that must not be told."""

from celery import shared_task


@shared_task(ignore_result=True)
def break_down(call_id):
    from telephony.models import Call, Turn

    call = Call.unscoped.select_related("carrier_account").get(pk=call_id)
    words = list(Turn.unscoped.filter(call=call).values_list("text", flat=True))
    held = f"{call.carrier_account.auth_token} {call.from_number} {words}"
    try:
        raise KeyError(held)
    except KeyError as error:
        raise ValueError(held) from error
