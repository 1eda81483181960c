"""Who is asking the API: a bearer token or the browser's session, and what they may."""

from allauth.account.adapter import get_adapter
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import (
    BaseAuthentication,
    SessionAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission

from accounts import services
from accounts.decorators import why_not
from accounts.models import AccessToken, Membership
from accounts.permissions import Action

CHALLENGE = 'Bearer realm="voiceops"'


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>` (RFC 6750): an API key or a log-in token."""

    def authenticate(self, request):
        scheme, _, secret = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        token = services.find_token(secret.decode("latin-1").strip())
        if token is None:
            raise AuthenticationFailed("This token is unknown, expired or revoked.")
        membership = Membership.objects.filter(
            user=token.user, workspace=token.owner
        ).first()
        if membership is None:
            raise AuthenticationFailed("This token's user has left the workspace.")
        membership.workspace = token.owner  # read along with the token
        request._request.membership = membership
        request._request.workspace = token.owner
        address = get_adapter().get_client_ip(request._request)
        services.note_use(token, address=address or None)
        return token.user, token

    def authenticate_header(self, request):
        return CHALLENGE


class BrowserSessionAuthentication(SessionAuthentication):
    """The log-in of the pages, with its CSRF token."""

    def authenticate(self, request):
        signed_in = super().authenticate(request)
        # The API tells times in UTC, whatever zone this person's pages show.
        timezone.deactivate()
        return signed_in

    def authenticate_header(self, request):
        return CHALLENGE


class WorkspacePermission(BasePermission):
    """Signed in; a token's scope and the person's role cover what is asked.

    Changing takes `Action.WRITE`, or the view's own `needed_action`.
    """

    def has_permission(self, request, view):
        if not request.user.is_authenticated:
            return False
        reads = request.method in SAFE_METHODS
        if isinstance(request.auth, AccessToken):
            needed = getattr(view, "needed_scope", None) or (
                AccessToken.Scope.READ if reads else AccessToken.Scope.WRITE
            )
            if needed not in request.auth.scopes:
                return False
        if reads:
            return request.membership.may[Action.READ]
        needed = getattr(view, "needed_action", Action.WRITE)
        if request.membership.may[needed]:
            return True
        self.message = why_not(request.membership) or None
        return False


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema):
        return {"type": "http", "scheme": "bearer"}


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = BrowserSessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema):
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
