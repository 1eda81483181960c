"""Verbs about carrier accounts and numbers.

The carrier is asked outside of transactions, and what it did not confirm is said
aloud: nothing here claims more than is known.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

import phonenumbers
from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit, deleted
from accounts.audit import Action
from accounts.models import Workspace
from agents import services as agents
from agents.models import MessageAgent, VoiceAgent
from telephony import twilio
from telephony.dialling.numbers import parse
from telephony.models import CarrierAccount, Phone

OLD_TOKEN_LASTS = timedelta(hours=24)
OLD_TOKEN = {"old_auth_token": "", "old_auth_token_until": None}
MOST_OLD_TOKENS = 2  # of an account: each is tried on every webhook

logger = logging.getLogger(__name__)


class Refused(Exception):
    """It may not be: `str()` says why, `field` which input it is about."""

    field: str | None = None


class InvalidNumber(Refused):
    """The text is no telephone number with its country code."""

    field = "number"

    def __str__(self):
        return _("Write the number with its country code, for example +12025550123.")


class AccountNotActive(Refused):
    """The carrier knows the account and has suspended or closed it."""

    def __init__(self, status: str):
        super().__init__(status)
        self.status = status

    def __str__(self):
        return _("The carrier says that this account is %(status)s.") % {
            "status": self.status
        }


class AccountConnected(Refused):
    """The workspace has connected this account already."""

    field = "account_sid"

    def __str__(self):
        return _("This account is connected already.")


class AccountInUse(Refused):
    """Numbers are registered through the account: `numbers`."""

    def __init__(self, numbers: Iterable[str]):
        self.numbers = tuple(numbers)
        super().__init__(self.numbers)

    def __str__(self):
        return _("Remove its numbers first: %(numbers)s.") % {
            "numbers": ", ".join(self.numbers)
        }


class AccountRemoved(Refused):
    """The carrier account was removed in the meantime."""

    field = "carrier_account"

    def __str__(self):
        return _("This carrier account was removed. Choose another one.")


class NumberNotHeld(Refused):
    """The number is not on this carrier account."""

    field = "number"

    def __str__(self):
        return _("The carrier says that this number is not on this account.")


class TooManyNumbers(Refused):
    """The workspace has as many as operators allow it."""

    field = "number"

    def __str__(self):
        return _("This workspace has as many numbers as it may have.")


class NumberTaken(Refused):
    """The number is registered, in this workspace or in another."""

    field = "number"

    def __str__(self):
        return _("This number is registered already.")


class NotPointed(Exception):
    """The phone is registered, but the carrier still sends its calls elsewhere."""

    def __init__(self, phone: Phone, cause: twilio.CarrierError):
        super().__init__(phone.pk)
        self.phone, self.cause = phone, cause

    def __str__(self):
        return _(
            "The number is registered, but its calls may not reach us yet. %(why)s"
            " Then choose “Point it here again” on its page."
        ) % {"why": self.cause}


class NotCleared(Exception):
    """The phone is removed, but the carrier may still send its calls here."""

    def __init__(self, phone: Phone, cause: twilio.CarrierError):
        super().__init__(phone.pk)
        self.phone, self.cause = phone, cause

    def __str__(self):
        return _(
            "The number is removed here, but at the carrier its calls may still point"
            " to us; callers would hear that nobody answers. %(why)s You can clear the"
            " number's addresses at the carrier yourself."
        ) % {"why": self.cause}


def e164(number: str, country: str | None = None) -> str:
    """The number as the carrier writes it (ITU-T E.164), or `InvalidNumber`.

    Without a country code it is taken for one of `country` (ISO 3166).
    """
    parsed = parse(number, country or None)
    if parsed is None or not phonenumbers.is_possible_number(parsed):
        raise InvalidNumber
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def voice_url(phone: Phone) -> str:
    """Where the carrier asks what to do with a call to this number."""
    return _public(reverse("webhooks:voice", args=[phone.webhook_token]))


def fallback_url(phone: Phone) -> str:
    """Where the carrier asks when an answer of ours was none."""
    return _public(reverse("webhooks:fallback", args=[phone.webhook_token]))


def status_callback(phone: Phone) -> str:
    """Where the carrier tells that a call to this number has ended."""
    return _public(reverse("webhooks:phone_status", args=[phone.webhook_token]))


def sms_url(phone: Phone) -> str:
    """Where the carrier brings the texts to this number."""
    return _public(reverse("webhooks:text", args=[phone.webhook_token]))


def _public(path: str) -> str:
    return settings.PUBLIC_BASE_URL + path


# -- Carrier accounts ------------------------------------------------------------------


def connect_account(
    *, owner: Workspace, label: str, account_sid: str, auth_token: str, **limits: int
) -> CarrierAccount:
    """Store an account once the carrier has accepted its credentials.

    `limits` are `calls_per_second` and `max_concurrent_calls`. Raises
    `twilio.CarrierError`, `AccountNotActive` or `AccountConnected`.
    """
    account = CarrierAccount(
        owner=owner,
        label=label,
        account_sid=account_sid,
        auth_token=auth_token,
        **limits,
    )
    _verify(account)
    try:
        with audit.changing(account):
            account.save()
    except IntegrityError as error:
        raise AccountConnected from error
    return account


def change_account(
    account: CarrierAccount, *, auth_token: str = "", **changes: object
) -> None:
    """Change `label` and limits; a new token is stored once the carrier accepts it.

    What the carrier signs with the one before is accepted for a day as well: it takes a
    new token for requests before it signs with it. The SID stays: its numbers belong to
    it. Raises as `connect_account` does.
    """
    for name, value in changes.items():
        setattr(account, name, value)
    fields = [*changes]
    if auth_token:
        account.auth_token = auth_token
        _verify(account)
        fields += ["auth_token", "verified_at", *OLD_TOKEN]
    with transaction.atomic():
        if auth_token:
            _keep_old_tokens(account, at=timezone.now())
        with audit.changing(account):
            account.save(update_fields=fields)


def _keep_old_tokens(account: CarrierAccount, *, at: datetime) -> None:
    """Those that are accepted now are for a day more, the latest of them."""
    accounts = CarrierAccount.unscoped.select_for_update(no_key=True)
    stored = accounts.get(pk=account.pk)
    if account.auth_token == stored.auth_token:  # given again: the day is not longer
        account.old_auth_token = stored.old_auth_token
        account.old_auth_token_until = stored.old_auth_token_until
        return
    old = [token for token in stored.tokens_at(at) if token != account.auth_token]
    account.old_auth_token = " ".join(old[:MOST_OLD_TOKENS])
    account.old_auth_token_until = at + OLD_TOKEN_LASTS if old else None


def end_token_change(account: CarrierAccount) -> None:
    """Accept the newest token alone from now on. Repeating is safe."""
    with transaction.atomic():
        changing = CarrierAccount.unscoped.filter(
            pk=account.pk, old_auth_token_until__gt=timezone.now()
        )
        if changing.update(**OLD_TOKEN):
            told = {"previous_token": [audit.SECRET, ""]}
            audit.record(Action.CHANGED, account, changes=told)
    account.refresh_from_db(fields=[*OLD_TOKEN])


def forget_old_tokens(at: datetime) -> None:
    """Those that are accepted no longer are not kept either."""
    CarrierAccount.unscoped.filter(old_auth_token_until__lte=at).update(**OLD_TOKEN)


def remove_account(account: CarrierAccount) -> None:
    """Put the account away; `AccountInUse` while numbers are registered through it."""
    with transaction.atomic():
        locked = CarrierAccount.unscoped.select_for_update().get(pk=account.pk)
        phones = Phone.unscoped.filter(carrier_account=locked, deleted_at=None)
        numbers = list(phones.order_by("number").values_list("number", flat=True))
        if numbers:
            raise AccountInUse(numbers)
        if not locked.is_deleted:
            locked.put_away()
            audit.record(Action.DELETED, locked)


def available_numbers(account: CarrierAccount) -> list[twilio.CarrierNumber]:
    """The account's numbers that no workspace has registered, in order."""
    held = twilio.list_numbers(account)
    registered = set(
        Phone.unscoped.filter(
            deleted_at=None, number__in=[number.number for number in held]
        ).values_list("number", flat=True)
    )
    free = [number for number in held if number.number not in registered]
    return sorted(free, key=lambda number: number.number)


def _verify(account: CarrierAccount) -> None:
    identity = twilio.fetch_account(account)
    if identity.status != "active":
        raise AccountNotActive(identity.status)
    account.verified_at = timezone.now()


# -- Numbers ---------------------------------------------------------------------------


def register_phone(
    *, owner: Workspace, number: str, label: str = "", account: CarrierAccount
) -> Phone:
    """Register a number of the account and send its calls and texts here.

    The carrier says first whether the account holds the number; then the row is made,
    where a constraint decides who of two was first; only then is the number pointed
    here. Raises `InvalidNumber`, `TooManyNumbers`, `NumberNotHeld`, `NumberTaken`,
    `AccountRemoved`, `twilio.CarrierError` (nothing was made), or `NotPointed`, which
    carries the phone: it stays registered, since an unclear answer may have been a yes.
    """
    number = e164(number)
    _refuse_too_many(owner)
    held = twilio.find_number(account, number)
    if held is None:
        raise NumberNotHeld
    phone = Phone(
        owner=owner,
        carrier_account=account,
        number=number,
        label=label,
        carrier_sid=held.sid,
    )
    _store(phone)
    _point(phone)
    return phone


def _refuse_too_many(owner: Workspace) -> None:
    most = owner.most_numbers
    if most is not None and Phone.objects.for_owner(owner).count() >= most:
        raise TooManyNumbers


def _store(phone: Phone) -> None:
    accounts = CarrierAccount.unscoped.select_for_update()
    try:
        with transaction.atomic():
            # Locked: a number must not slip into an account that is being removed.
            if accounts.get(pk=phone.carrier_account_id).is_deleted:
                raise AccountRemoved
            with audit.changing(phone):
                phone.save()
    except IntegrityError as error:
        raise NumberTaken from error


def point_phone(phone: Phone) -> None:
    """Send the number's calls and texts here. Repeating is safe.

    Raises `CarrierError`.
    """
    if not phone.carrier_sid:  # it came from elsewhere, without
        _look_up(phone)
    twilio.point_number(
        phone.carrier_account,
        phone.carrier_sid,
        voice_url=voice_url(phone),
        fallback_url=fallback_url(phone),
        status_callback=status_callback(phone),
        sms_url=sms_url(phone),
    )


def _look_up(phone: Phone) -> None:
    """Learn what the carrier calls the number."""
    held = twilio.find_number(phone.carrier_account, phone.number)
    if held is None:
        raise twilio.NotFound
    phone.carrier_sid = held.sid
    phone.save(update_fields=["carrier_sid"])


def _point(phone: Phone) -> None:
    try:
        point_phone(phone)
    except twilio.CarrierError as error:
        logger.warning("phone %s: not pointed", phone.pk)
        raise NotPointed(phone, error) from error


def point_phone_again(phone: Phone) -> None:
    """`point_phone`, because somebody asked for it."""
    point_phone(phone)
    with transaction.atomic():
        audit.record(Action.POINTED, phone)


def relabel_phone(phone: Phone, label: str) -> None:
    """Call the number something else; the number itself cannot change."""
    phone.label = label
    with audit.changing(phone):
        phone.save(update_fields=["label"])


def remove_phone(phone: Phone) -> None:
    """Put the number away, deactivate its agents and clear it at the carrier.

    Removing never depends on the carrier: `NotCleared` is raised when all is done here
    and the carrier did not confirm its part.
    """
    with transaction.atomic():
        locked = Phone.unscoped.select_for_update().get(pk=phone.pk)
        if not locked.is_deleted:
            locked.put_away()
            audit.record(Action.DELETED, locked)
        for kind in (VoiceAgent, MessageAgent):
            for agent in kind.unscoped.filter(phone=locked, is_active=True):
                agents.deactivate(agent)
    try:
        twilio.clear_number(
            phone.carrier_account, phone.carrier_sid, token=phone.webhook_token
        )
    except twilio.CarrierError as error:
        logger.warning("phone %s: not cleared", phone.pk)
        raise NotCleared(phone, error) from error


def restore_phone(phone: Phone) -> Phone:
    """Bring a removed number back and send its calls here again.

    As when it was registered: the carrier says whether the account (still) holds the
    number, a constraint decides whether somebody registered it meanwhile, and only
    then is it pointed here. Raises what `register_phone` does, and what
    `deleted.bring_back` does instead of `NumberTaken` and `AccountRemoved`.
    """
    account = _account_of_removed(phone)
    _refuse_too_many(phone.owner)
    held = twilio.find_number(account, phone.number)
    if held is None:
        raise NumberNotHeld
    restored = deleted.bring_back(phone, carrier_account=account, carrier_sid=held.sid)
    _point(restored)
    return restored


def _account_of_removed(phone: Phone) -> CarrierAccount:
    """The number's account, or the same one of the carrier's connected anew."""
    account = phone.carrier_account
    if not account.is_deleted:
        return account
    connected = CarrierAccount.objects.for_owner(phone.owner_id)
    again = connected.filter(account_sid=account.account_sid).first()
    if again is None:
        raise deleted.NeedsAnother(account)
    return again
