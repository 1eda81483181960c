"""The API of signing in and of API keys."""

from allauth.account.adapter import get_adapter
from allauth.account.forms import SignupForm
from allauth.account.models import EmailAddress
from allauth.core import ratelimit
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import transaction
from django.utils.timezone import now
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.exceptions import (
    AuthenticationFailed,
    PermissionDenied,
    Throttled,
    ValidationError,
)
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import api_examples as examples
from accounts import audit, services, switches
from accounts.api_auth import CHALLENGE, WorkspacePermission
from accounts.api_base import (
    OwnedSerializer,
    OwnedView,
    StrictSerializer,
    idempotent,
)
from accounts.models import AccessToken, Membership, User, Workspace
from accounts.passwords import MAXIMUM_CHARACTERS
from accounts.permissions import Action
from voiceops.api import SigningInThrottle
from voiceops.api_schema import shown_as
from voiceops.filters import MOMENTS

MFA_TOKEN_S = 300
# allauth does not say how long to wait: the windows of its limits (its documentation).
SIGN_UP_WAIT_S = 60
FAILURES_WAIT_S = 300
MFA_SALT = "accounts.mfa-token"
CHECK_YOUR_MAIL = "If this address can be used, an e-mail with a link is on its way."


@shown_as(answer=examples.USER)
class UserSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["id", "email", "name", "timezone"]


@shown_as(answer=examples.WORKSPACE)
class WorkspaceSerializer(serializers.ModelSerializer):
    class Meta:
        model = Workspace
        fields = ["id", "name", "timezone", "created_at", "updated_at"]


@shown_as(request=examples.REGISTER)
class RegisterSerializer(StrictSerializer):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(
        max_length=MAXIMUM_CHARACTERS, trim_whitespace=False, write_only=True
    )
    name = serializers.CharField(max_length=150, required=False, allow_blank=True)


@shown_as(request=examples.LOGIN)
class LoginSerializer(StrictSerializer):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(
        max_length=MAXIMUM_CHARACTERS, trim_whitespace=False, write_only=True
    )


@shown_as(request=examples.MFA)
class MfaSerializer(StrictSerializer):
    mfa_token = serializers.CharField(max_length=500)
    code = serializers.CharField(max_length=32)


@shown_as(answer=examples.SIGNED_IN)
class SignedInSerializer(serializers.Serializer):
    token = serializers.CharField(help_text="Send it as `Authorization: Bearer`.")
    user = UserSerializer()


@shown_as(answer=examples.REGISTERED)
class RegisteredSerializer(SignedInSerializer):
    workspace = WorkspaceSerializer()


@shown_as(answer=examples.CHECK_YOUR_MAIL)
class CheckYourMailSerializer(serializers.Serializer):
    detail = serializers.CharField()


@shown_as(answer=examples.ME)
class MeSerializer(serializers.Serializer):
    user = UserSerializer()
    workspace = WorkspaceSerializer()
    role = serializers.ChoiceField(choices=Membership.Role.choices)


class MfaRequired(AuthenticationFailed):
    """The password was right; a code of the second factor is needed as well."""

    problem = "mfa-required"
    default_detail = "Send the code of your second factor to /auth/mfa."

    def __init__(self, user: User):
        super().__init__()
        token = signing.dumps(str(user.pk), salt=MFA_SALT)
        self.extra = {"mfa_token": token}


class SigningInView(APIView):
    """A view for people who are not signed in yet."""

    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_classes = [SigningInThrottle]

    def get_authenticate_header(self, request):
        return CHALLENGE

    def read(self, serializer_class) -> dict:
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data


def signed_in(user: User) -> dict:
    return {
        "token": services.issue_login_token(user),
        "user": UserSerializer(user).data,
    }


class RegisterView(SigningInView):
    @extend_schema(
        operation_id="register",
        summary="Sign up",
        description="Makes an account and its personal workspace. Where e-mail must be "
        "verified first the answer is 202, the same for known and unknown addresses.",
        request=RegisterSerializer,
        responses={201: RegisteredSerializer, 202: CheckYourMailSerializer},
        auth=[],
    )
    def post(self, request):
        if switches.is_off(switches.Feature.SIGN_UP):
            raise PermissionDenied(str(switches.WORDS[switches.Feature.SIGN_UP]))
        given = self.read(RegisterSerializer)
        if not ratelimit.consume(request._request, action="signup"):
            raise Throttled(wait=SIGN_UP_WAIT_S)
        form = SignupForm({"email": given["email"], "password1": given["password"]})
        if not form.is_valid():
            raise ValidationError(_worded_for_api(form.errors))
        user, _ = form.try_save(request._request)
        if user is not None and given.get("name"):
            user.name = given["name"]
            user.save(update_fields=["name"])
        if settings.REQUIRE_EMAIL_VERIFICATION:
            if user is not None:
                address = EmailAddress.objects.get_for_user(user, user.email)
                address.send_confirmation(request._request, signup=True)
            return Response({"detail": CHECK_YOUR_MAIL}, status=202)
        workspace = services.membership_of(user).workspace
        body = signed_in(user) | {"workspace": WorkspaceSerializer(workspace).data}
        return Response(body, status=status.HTTP_201_CREATED)


def _worded_for_api(errors) -> dict:
    names = {"password1": "password", "__all__": "non_field_errors"}
    return {names.get(name, name): list(texts) for name, texts in errors.items()}


class LoginView(SigningInView):
    problem_codes = {"POST": ["401"]}

    @extend_schema(
        operation_id="login",
        summary="Log in",
        description="With a second factor enabled the answer is a 401 of type "
        "`…/mfa-required` with an `mfa_token` for `/auth/mfa`.",
        request=LoginSerializer,
        responses={200: SignedInSerializer},
        auth=[],
    )
    def post(self, request):
        given = self.read(LoginSerializer)
        try:
            user = get_adapter().authenticate(request._request, **given)
        except DjangoValidationError as error:  # too many failures
            detail = " ".join(error.messages)
            raise Throttled(wait=FAILURES_WAIT_S, detail=detail) from None
        if user is None or not user.is_active or not _may_sign_in(user):
            raise AuthenticationFailed("The e-mail address or the password is wrong.")
        if is_mfa_enabled(user):
            raise MfaRequired(user)
        audit.record_of_person(audit.Action.SIGNED_IN, user)
        return Response(signed_in(user))


def _may_sign_in(user: User) -> bool:
    """Where e-mail must be verified, one verified address is needed."""
    if not settings.REQUIRE_EMAIL_VERIFICATION:
        return True
    return EmailAddress.objects.filter(user=user, verified=True).exists()


class MfaView(SigningInView):
    problem_codes = {"POST": ["401"]}

    @extend_schema(
        operation_id="login_mfa",
        summary="Log in: the second factor",
        description="A code of the authenticator app or a recovery code, with the "
        "`mfa_token` of the 401 that asked for it; it can be used for five minutes.",
        request=MfaSerializer,
        responses={200: SignedInSerializer},
        auth=[],
    )
    def post(self, request):
        given = self.read(MfaSerializer)
        user = _user_of_mfa_token(given["mfa_token"])
        limited = ratelimit.consume(
            request._request, action="login_failed", key=f"mfa-auth-user-{user.pk}"
        )
        if not limited:
            raise Throttled(wait=FAILURES_WAIT_S)
        if not any(
            factor.wrap().validate_code(given["code"])
            for factor in user.authenticator_set.all()
        ):
            raise AuthenticationFailed("The code is wrong or was used before.")
        audit.record_of_person(audit.Action.SIGNED_IN, user)
        return Response(signed_in(user))


def _user_of_mfa_token(token: str) -> User:
    try:
        user_id = signing.loads(token, salt=MFA_SALT, max_age=MFA_TOKEN_S)
        return User.objects.get(pk=user_id, is_active=True)
    except (signing.BadSignature, User.DoesNotExist):
        raise AuthenticationFailed("The token is wrong or too old.") from None


class LogoutView(APIView):
    needed_action = Action.READ  # their own log-in

    @extend_schema(
        operation_id="logout",
        summary="Log out",
        description="Revokes the token that was used.",
        request=None,
        responses={204: None},
    )
    def post(self, request):
        if isinstance(request.auth, AccessToken):
            request.auth.revoke()
        else:
            get_adapter().logout(request._request)
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(APIView):
    @extend_schema(
        operation_id="me",
        summary="Who am I",
        description="The user, the workspace in use and the role in it.",
        responses=MeSerializer,
    )
    def get(self, request):
        mine = {
            "user": request.user,
            "workspace": request.workspace,
            "role": request.membership.role,
        }
        return Response(MeSerializer(mine).data)


@shown_as(answer=examples.SESSION)
class SessionSerializer(OwnedSerializer):
    is_current = serializers.SerializerMethodField()

    class Meta:
        model = AccessToken
        fields = [
            "id",
            "is_current",
            "expires_at",
            "last_used_at",
            "last_used_from",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields

    def get_is_current(self, token) -> bool:
        """Whether this request was made with it."""
        return token == self.context["request"].auth


class PeopleOnly(WorkspacePermission):
    """A key of the workspace has no business with the log-ins of its maker."""

    def has_permission(self, request, view):
        is_key = getattr(request.auth, "kind", None) == AccessToken.Kind.API_KEY
        return not is_key and super().has_permission(request, view)


class OwnSessionsView(OwnedView):
    """The log-in tokens of the person who asks, in the workspace in use."""

    model = AccessToken
    serializer_class = SessionSerializer
    permission_classes = [PeopleOnly]
    needed_action = Action.READ  # their own log-ins

    def get_queryset(self):
        return super().get_queryset().logins_of(self.request.user)


class SessionListView(OwnSessionsView, generics.ListAPIView):
    @extend_schema(
        operation_id="session_list",
        summary="List my log-ins",
        description="Your log-in tokens that can still be used. Browsers that you are "
        "logged in with are listed on the page of your profile. Not for API keys.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class SessionView(OwnSessionsView, generics.DestroyAPIView):
    @extend_schema(
        operation_id="session_delete",
        summary="End one of my log-ins",
        description="Its token is refused from then on. Not for API keys.",
    )
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, token):
        services.revoke_token(token)


@shown_as(request=examples.NEW_API_KEY, answer=examples.API_KEY)
class ApiKeySerializer(OwnedSerializer):
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=AccessToken.Scope.choices),
        min_length=1,
        max_length=len(AccessToken.Scope),
    )
    name = serializers.CharField(max_length=100)
    created_by = serializers.UUIDField(source="user_id", read_only=True)

    class Meta:
        model = AccessToken
        fields = [
            "id",
            "name",
            "prefix",
            "scopes",
            "expires_at",
            "last_used_at",
            "last_used_from",
            "created_by",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["prefix", "last_used_at", "last_used_from"]
        extra_kwargs = {"expires_at": {"validators": MOMENTS}}

    def validate_scopes(self, scopes):
        return list(dict.fromkeys(scopes))

    def validate_expires_at(self, moment):
        if moment is not None and moment <= now():
            raise ValidationError("This is in the past.")
        return moment


@shown_as(answer=examples.API_KEY_WITH_SECRET)
class NewApiKeySerializer(ApiKeySerializer):
    key = serializers.CharField(read_only=True, help_text="Shown this once.")

    class Meta(ApiKeySerializer.Meta):
        fields = [*ApiKeySerializer.Meta.fields, "key"]


class ApiKeyView(OwnedView):
    model = AccessToken
    needed_action = Action.MANAGE_KEYS

    def get_queryset(self):
        return super().get_queryset().api_keys()


class ApiKeyListView(ApiKeyView, generics.ListAPIView):
    serializer_class = ApiKeySerializer

    @extend_schema(operation_id="api_key_list", summary="List API keys")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="api_key_create",
        summary="Make an API key",
        description="The secret is `key`; this answer is the only one that shows it.",
        request=ApiKeySerializer,
        responses={201: NewApiKeySerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request):
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        _refuse_more_than_its_maker(request.auth, serializer.validated_data)
        key, secret = services.issue_api_key(
            owner=request.workspace, user=request.user, **serializer.validated_data
        )
        shown = ApiKeySerializer(key).data | {"key": secret}
        return Response(shown, status=status.HTTP_201_CREATED)


def _refuse_more_than_its_maker(maker: AccessToken | None, wanted: dict) -> None:
    """A key makes no key of wider scopes or longer life: 403. People may make any."""
    if maker is None or maker.kind != AccessToken.Kind.API_KEY:
        return
    if set(wanted["scopes"]) - set(maker.scopes):
        raise PermissionDenied("A key cannot give scopes that it does not have.")
    ends = wanted.get("expires_at")
    if maker.expires_at and (ends is None or ends > maker.expires_at):
        raise PermissionDenied("A key cannot make a key that outlives it.")


class ApiKeyDetailView(ApiKeyView, generics.DestroyAPIView):
    serializer_class = ApiKeySerializer

    @extend_schema(operation_id="api_key_delete", summary="Revoke an API key")
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, key):
        services.revoke_token(key)
