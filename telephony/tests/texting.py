"""What tests of texts share: a number at a real carrier, and who texts it."""

import uuid
from datetime import timedelta

import httpx
from django.urls import reverse
from django.utils.timezone import now

from agents.models import MessageAgent
from telephony.models import Conversation, Message
from telephony.services import answering, sending
from telephony.tests.conftest import CALLER, make_number
from tests.processes import WITHIN_S

TEXTER = CALLER


def make_texting_number(carrier=None, name="alice", **fields):
    """A number with an active message agent, which answers at once what it is told."""
    number = make_number(name)
    if carrier is not None:
        login = carrier.open_account(count=1)
        account = number.account
        account.account_sid, account.auth_token = login.sid, login.auth_token
        account.save()
        number.phone.number = login.numbers[0]
        number.phone.save()
    number.texting_agent = MessageAgent.unscoped.create(
        **{
            "owner": number.phone.owner,
            "phone": number.phone,
            "name": "Texts",
            "is_active": True,
            "instructions": "Be brief.",
            "model": "echo",
            "reply_delay_s": 0,
            **fields,
        }
    )
    return number


def text_fields(number, body, *, sender=TEXTER, **more):
    prefix = "whatsapp:" if sender.startswith("whatsapp:") else ""
    return {
        "MessageSid": f"SM{uuid.uuid4().hex}",
        "AccountSid": number.account.account_sid,
        "From": sender,
        "To": prefix + number.phone.number,
        "Body": body,
        "NumMedia": 0,
        "NumSegments": 1,
        **more,
    }


def text_path(number):
    return reverse("webhooks:text", args=[number.phone.webhook_token])


def text_in(number, body, **more):
    """A text comes in; the stored row."""
    fields = text_fields(number, body, **more)
    answer = number.post(text_path(number), fields)
    assert answer.status_code == 200, answer.content
    return Message.unscoped.filter(sid=fields["MessageSid"]).first()


def report(number, message, status, *, sid=None, **more):
    """The carrier tells how one of ours is getting on; its answer."""
    fields = {
        "MessageSid": sid or message.sid,
        "AccountSid": number.account.account_sid,
        "MessageStatus": status,
        **more,
    }
    return number.post(reverse("webhooks:text_status", args=[message.pk]), fields)


def conversation_of(number, address=TEXTER):
    return Conversation.unscoped.get(phone=number.phone, address=address)


def thread(number, address=TEXTER):
    """What was written, as (who, text) in order."""
    rows = Message.unscoped.filter(conversation__phone=number.phone)
    rows = rows.filter(conversation__address=address).order_by("pk")
    return [(row.sent_by, row.body) for row in rows]


def answer_due():
    """Let the agents answer what is due, as if any worker at it had died long ago."""
    Conversation.unscoped.filter(next_try_at__isnull=False).update(
        next_try_at=long_ago(), claimed_until=None
    )
    answering.pump.run()


def long_ago():
    return now() - timedelta(minutes=1)


def sent_to(carrier, number, to=TEXTER):
    """The texts that the carrier was asked for, newest first."""
    sid, token = number.account.account_sid, number.account.auth_token
    answer = httpx.get(
        f"{carrier.url}/2010-04-01/Accounts/{sid}/Messages.json",
        params={"To": to},
        auth=(sid, token),
        timeout=WITHIN_S,
    )
    return answer.raise_for_status().json()["messages"]


def work():
    """What a worker does: answers what is due, and sends what waits."""
    answering.pump.run()
    waiting = Message.unscoped.filter(status=Message.Status.WAITING)
    for conversation_id in set(waiting.values_list("conversation", flat=True)):
        sending.send_waiting(conversation_id)
