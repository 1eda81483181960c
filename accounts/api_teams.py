"""The API of workspaces, their people and invitations."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import PermissionDenied as NotAllowed
from django.db import transaction
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response

from accounts import invitations, members
from accounts.api import UserSerializer
from accounts.api_base import OwnedSerializer, OwnedView, StrictSerializer, idempotent
from accounts.models import AccessToken, Invitation, Membership
from accounts.permissions import ASSIGNABLE_CHOICES, Action
from voiceops.api import Conflict


@contextmanager
def team_answers() -> Iterator[None]:
    """What the rules of teams refuse, in the API's own errors."""
    try:
        yield
    except members.Refused as refusal:
        raise Conflict(str(refusal)) from refusal
    except NotAllowed:
        raise PermissionDenied from None


class WorkspaceMembershipSerializer(serializers.ModelSerializer):
    """A workspace as one of its people has it."""

    id = serializers.UUIDField(source="workspace_id")
    name = serializers.CharField(source="workspace.name")
    timezone = serializers.CharField(source="workspace.timezone")
    is_current = serializers.SerializerMethodField()

    class Meta:
        model = Membership
        fields = ["id", "name", "timezone", "role", "is_current"]

    def get_is_current(self, membership) -> bool:
        """Whether this request's answers are those of this workspace."""
        return membership.workspace_id == self.context["request"].workspace.pk


WORKSPACE_EXAMPLE = OpenApiExample(
    "A workspace",
    value={
        "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d4e",
        "name": "Brightside Dental",
        "timezone": "Europe/London",
        "role": "admin",
        "is_current": True,
    },
    response_only=True,
)


class WorkspaceListView(OwnedView, generics.ListAPIView):
    model = Membership
    serializer_class = WorkspaceMembershipSerializer

    def get_queryset(self):
        """All of the person's; of an API key that of its workspace alone."""
        if getattr(self, "swagger_fake_view", False):
            return Membership.objects.none()
        mine = Membership.objects.filter(user=self.request.user)
        if getattr(self.request.auth, "kind", None) == AccessToken.Kind.API_KEY:
            mine = mine.for_owner(self.request.workspace)
        return mine.select_related("workspace")

    @extend_schema(
        operation_id="workspace_list",
        summary="List my workspaces",
        description="The workspaces that you are a member of, and your role in each. A "
        "token belongs to one of them (`is_current`): every other answer of the API is "
        "about that one. An API key sees its own workspace only.",
        examples=[WORKSPACE_EXAMPLE],
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class MemberSerializer(serializers.ModelSerializer):
    user = UserSerializer(read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "user", "role", "created_at"]


class RoleSerializer(StrictSerializer):
    role = serializers.ChoiceField(choices=ASSIGNABLE_CHOICES)


MEMBER_EXAMPLE = OpenApiExample(
    "A member",
    value={
        "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d4f",
        "user": {
            "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d50",
            "email": "ada@example.com",
            "name": "Ada",
            "timezone": "Europe/London",
        },
        "role": "member",
        "created_at": "2026-03-01T12:00:00Z",
    },
    response_only=True,
)


class MemberView(OwnedView):
    model = Membership
    serializer_class = MemberSerializer
    needed_action = Action.MANAGE_MEMBERS

    def get_queryset(self):
        return super().get_queryset().select_related("user")


class MemberListView(MemberView, generics.ListAPIView):
    @extend_schema(
        operation_id="member_list",
        summary="List members",
        description="The people of the workspace and what they are in it.",
        examples=[MEMBER_EXAMPLE],
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class MemberDetailView(MemberView):
    lookup_url_kwarg = "member_id"
    problem_codes = {"PATCH": ["409"], "DELETE": ["409"]}

    @extend_schema(
        operation_id="member_change",
        summary="Change a member's role",
        description="Takes the role owner or admin. The owner's role can only be "
        "handed over, on the page of the members: 409.",
        request=RoleSerializer,
        responses={200: MemberSerializer},
        examples=[
            OpenApiExample("A viewer", value={"role": "viewer"}, request_only=True),
            MEMBER_EXAMPLE,
        ],
    )
    def patch(self, request, member_id):
        member = self.get_object()
        given = RoleSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        with team_answers():
            changed = members.change_role(
                member, given.validated_data["role"], by=request.membership
            )
        return Response(self.get_serializer(changed).data)

    @extend_schema(
        operation_id="member_remove",
        summary="Remove a member",
        description="They lose access at once; their API keys and log-in tokens for "
        "this workspace are revoked. The owner cannot be removed: 409.",
        responses={204: None},
    )
    def delete(self, request, member_id):
        with team_answers():
            members.remove(self.get_object(), by=request.membership)
        return Response(status=status.HTTP_204_NO_CONTENT)


class InvitationSerializer(OwnedSerializer):
    invited_by = serializers.UUIDField(
        source="invited_by_id", allow_null=True, help_text="A user's id."
    )

    class Meta:
        model = Invitation
        fields = [
            "id",
            "email",
            "role",
            "invited_by",
            "sent_at",
            "expires_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class NewInvitationSerializer(StrictSerializer):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=ASSIGNABLE_CHOICES)


INVITATION_EXAMPLE = OpenApiExample(
    "An invitation that was sent",
    value={
        "id": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d51",
        "email": "grace@example.com",
        "role": "member",
        "invited_by": "01930c7e-2b6a-7c11-9d7e-5f0a3c1b2d50",
        "sent_at": "2026-03-01T12:00:01Z",
        "expires_at": "2026-03-08T12:00:00Z",
        "created_at": "2026-03-01T12:00:00Z",
        "updated_at": "2026-03-01T12:00:00Z",
    },
    response_only=True,
)


class InvitationView(OwnedView):
    model = Invitation
    serializer_class = InvitationSerializer
    needed_action = Action.MANAGE_MEMBERS

    def get_queryset(self):
        return super().get_queryset().open()


class InvitationListView(InvitationView, generics.ListAPIView):
    problem_codes = {"POST": ["409"]}

    @extend_schema(
        operation_id="invitation_list",
        summary="List open invitations",
        description="Those that nobody has used or revoked, expired ones included. "
        "`sent_at` is null until the mail has gone out.",
        examples=[INVITATION_EXAMPLE],
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="invitation_create",
        summary="Invite somebody",
        description="Takes the role owner or admin. A mail with a link goes to the "
        "address; it can be used for 7 days. 409 for members and for addresses that "
        "are invited already; one whose invitation has expired can be invited anew.",
        request=NewInvitationSerializer,
        responses={201: InvitationSerializer},
        examples=[
            OpenApiExample(
                "A colleague",
                value={"email": "grace@example.com", "role": "member"},
                request_only=True,
            ),
            INVITATION_EXAMPLE,
        ],
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        given = NewInvitationSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        with team_answers():
            made = invitations.invite(**given.validated_data, by=request.membership)
        shown = self.get_serializer(made).data
        return Response(shown, status=status.HTTP_201_CREATED)


class InvitationDetailView(InvitationView):
    lookup_url_kwarg = "invitation_id"
    problem_codes = {"DELETE": ["409"]}

    @extend_schema(
        operation_id="invitation_revoke",
        summary="Revoke an invitation",
        description="Its link opens nothing from then on.",
        responses={204: None},
    )
    def delete(self, request, invitation_id):
        with team_answers():
            invitations.revoke(self.get_object(), by=request.membership)
        return Response(status=status.HTTP_204_NO_CONTENT)


class InvitationResendView(InvitationView):
    lookup_url_kwarg = "invitation_id"
    problem_codes = {"POST": ["409"]}

    @extend_schema(
        operation_id="invitation_resend",
        summary="Send an invitation again",
        description="With another link, for 7 days from now; the older one is dead. "
        "409 within ten minutes of the last mail.",
        request=None,
        responses={200: InvitationSerializer},
        examples=[INVITATION_EXAMPLE],
    )
    def post(self, request, invitation_id):
        with team_answers():
            renewed = invitations.resend(self.get_object(), by=request.membership)
        return Response(self.get_serializer(renewed).data)
