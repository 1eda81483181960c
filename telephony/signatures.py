"""Who is asking: the carrier signs its requests with the account's auth token.

Source: Twilio, "Webhooks security". The address is the public one as configured, so
nothing that a client sends takes part in choosing it.
"""

import hmac
import logging
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponseForbidden, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.timezone import now
from twilio.request_validator import RequestValidator

HEADER = "X-Twilio-Signature"
REFUSAL_REMEMBERED_S = 7 * 24 * 3600
UNREADABLE = (BadRequest, SuspiciousOperation, MultiPartParserError)

logger = logging.getLogger(__name__)


def signed_by_twilio(find_signer: Callable) -> Callable:
    """Let a view see only what the carrier signed; all else is `403`, alike.

    `find_signer` gets the arguments of the route and returns what the request is about
    (it has `tokens_at`, `account_sid` and `phone_id`) or None. The view gets that in
    their place. The keys are chosen by the address alone: the account that the body
    names is compared afterwards.
    """

    def decorate(view):
        @wraps(view)
        def verified(request, **route):
            signer = find_signer(**route)
            if signer is None:
                return HttpResponseForbidden()
            if not is_signed(request, signer.tokens_at(now())):
                _remember_refusal(signer.phone_id)
                return HttpResponseForbidden()
            if request.POST.get("AccountSid") != signer.account_sid:
                return HttpResponseForbidden()
            request.signer = signer
            return view(request, signer)

        verified.verifies_signature = True
        return verified

    return decorate


def is_signed(request: HttpRequest, auth_tokens: list[str]) -> bool:
    """Whether it carries the carrier's signature, by one of these. Never raises."""
    given = request.headers.get(HEADER)
    if not given:
        return False
    try:
        signed = _signed_content(request)
    except (*UNREADABLE, UnreadablePostError, UnicodeDecodeError):
        return False
    url = settings.PUBLIC_BASE_URL + request.get_full_path()
    return signed is not None and any(
        RequestValidator(token).validate(url, signed, given)
        for token in auth_tokens
        if token
    )


def _signed_content(request: HttpRequest):
    """The form, or the text of another body; None where no hash vouches for that."""
    if request.content_type == "application/json":
        return request.body.decode() if "bodySHA256" in request.GET else None
    return request.POST


def is_signed_handshake(url: str, given: str, auth_token: str) -> bool:
    """Whether `given` signs a WebSocket's address, exactly as the carrier got it."""
    if not auth_token:
        return False
    expected = RequestValidator(auth_token).compute_signature(url, {})
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


def _remember_refusal(phone_id) -> None:
    """Note the time for the number's checks; a broken cache is no reason to fail."""
    if phone_id is None:
        return
    try:
        key = f"webhook-refused:{phone_id}"
        cache.set(key, now().isoformat(), timeout=REFUSAL_REMEMBERED_S)
    except Exception as error:  # whatever the cache's driver raises
        logger.warning("phone %s: refusal not noted: %s", phone_id, type(error))
