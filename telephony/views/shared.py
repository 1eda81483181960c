from django.http import Http404, HttpResponse
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from telephony.media import media_of
from telephony.services import media_links
from telephony.sound import sound_of
from telephony.twilio import CarrierError


@require_safe
def shared_medium(request, token):
    """A recording or a picture, for whoever has its address while that is good."""
    found = media_links.opened(token, at=now())
    if found is None:
        raise Http404
    row, number = found
    try:
        answer = sound_of(row) if number is None else media_of(row, number)
    except CarrierError as error:
        return HttpResponse(str(error), status=502, content_type="text/plain")
    # Made to be played elsewhere.
    answer["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer
