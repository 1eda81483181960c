import zoneinfo

from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts import services


def workspace_middleware(get_response):
    """Put `membership` and `workspace` on requests of people who are signed in.

    Both are looked up when first used; times are shown in the person's own zone.
    """

    def middleware(request):
        if request.user.is_authenticated:
            request.membership = SimpleLazyObject(
                lambda: services.membership_of(request.user)
            )
            request.workspace = SimpleLazyObject(lambda: request.membership.workspace)
            with timezone.override(zoneinfo.ZoneInfo(request.user.timezone)):
                return get_response(request)
        request.membership = request.workspace = None
        return get_response(request)

    return middleware
