"""The API of texts: reading and sending them, and who has a conversation."""

import re
from datetime import UTC, datetime, time, timedelta

from django.core.validators import URLValidator
from django.db import transaction
from django.http import Http404
from django.utils.timezone import now
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response

from accounts.api_base import (
    IndexedFilterBackend,
    OwnedSerializer,
    OwnedView,
    idempotent,
)
from accounts.models import AccessToken
from accounts.permissions import Action
from agents.segments import MAX_TEXT_CHARACTERS
from telephony import text_errors, twilio
from telephony.addresses import public_url
from telephony.api import examples
from telephony.api.media_links import MediaLinkSerializer
from telephony.media import media_of
from telephony.models import (
    Conversation,
    ConversationFact,
    Message,
    Phone,
    TextToolUse,
)
from telephony.models.texts import WHATSAPP
from telephony.services import (
    conversations,
    inbox,
    media_links,
    sending,
    text_costs,
)
from telephony.services.carrier import InvalidNumber, e164
from voiceops.api import CarrierProblem, Conflict
from voiceops.api_schema import shown_as
from voiceops.ids import earliest_uuid7
from voiceops.paging import Search

SEARCHED = 10_000  # texts looked through for a page of those that no index finds
MAX_MEDIA = 10
MAX_URL_CHARACTERS = 2_000


class SendsTexts:
    """Whoever writes here sends texts, or decides who does."""

    needed_action = Action.SEND_TEXTS

    @property
    def needed_scope(self):
        reads = self.request.method in SAFE_METHODS
        return None if reads else AccessToken.Scope.SEND_MESSAGES


def address_of(text: str) -> str:
    """An E.164 number, perhaps with WhatsApp's prefix, or ValidationError."""
    prefix = WHATSAPP if text.startswith(WHATSAPP) else ""
    try:
        return prefix + e164(text.removeprefix(prefix))
    except InvalidNumber as error:
        raise serializers.ValidationError(str(error)) from error


def _conversations(request):
    return Conversation.objects.for_owner(request.workspace)


def _phones(request):
    return Phone.objects.for_owner(request.workspace, with_deleted=True)


class MessageFilter(filters.FilterSet):
    """`from` and `to` are dates in UTC, both included."""

    conversation_id = filters.ModelChoiceFilter(
        field_name="conversation", queryset=_conversations
    )
    phone_id = filters.ModelChoiceFilter(
        field_name="conversation__phone", queryset=_phones
    )
    number = filters.CharFilter(method="with_number", max_length=20)
    direction = filters.ChoiceFilter(choices=Message.Direction.choices)
    status = filters.ChoiceFilter(choices=Message.Status.choices)
    to = filters.DateFilter(method="until")
    q = filters.CharFilter(field_name="body", lookup_expr="icontains", max_length=100)

    class Meta:
        model = Message
        fields: list[str] = []

    def by_index(self, messages):
        """The fewest texts that an index finds and that have all the wanted ones."""
        wanted = self.form.cleaned_data
        if wanted["conversation_id"]:
            messages = messages.filter(conversation=wanted["conversation_id"])
        if wanted["from"]:
            messages = self.since(messages, "from", wanted["from"])
        return self.until(messages, "to", wanted["to"]) if wanted["to"] else messages

    @property
    def search(self):
        wanted = {name for name, value in self.form.cleaned_data.items() if value}
        if wanted <= {"conversation_id", "from", "to"}:
            return None
        return Search(self.filter_queryset, SEARCHED)

    def with_number(self, messages, name, number):
        digits = re.sub(r"\D", "", number)
        return messages.with_number(digits) if digits else messages.none()

    def since(self, messages, name, day):
        return messages.filter(pk__gte=earliest_uuid7(_midnight(day)))

    def until(self, messages, name, day):
        end = _midnight(day + timedelta(days=1))
        return messages.filter(pk__lt=earliest_uuid7(end))


def _midnight(day) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


# `from` is a word of Python's own.
MessageFilter.base_filters["from"] = filters.DateFilter(method="since")


class MediumSerializer(serializers.Serializer):
    url = serializers.CharField(
        help_text="Of a text that came in: here, with your token."
    )
    content_type = serializers.CharField(help_text="What the carrier calls it, or “”.")


@shown_as(answer=examples.MESSAGE)
class MessageSerializer(serializers.ModelSerializer):
    conversation_id = serializers.UUIDField(read_only=True)
    call_id = serializers.UUIDField(
        read_only=True,
        allow_null=True,
        help_text="The call in which a voice agent has sent it; null for others.",
    )
    media = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField(help_text="In plain words.")
    by = serializers.SerializerMethodField(help_text="Which person has sent it.")

    class Meta:
        model = Message
        fields = [
            "id",
            "sid",
            "conversation_id",
            "call_id",
            "direction",
            "from_number",
            "to_number",
            "body",
            "media",
            "status",
            "error_code",
            "error",
            "sent_by",
            "by",
            "segments",
            "cost",
            "currency",
            "send_at",
            "words_removed_at",
            "created_at",
            "updated_at",
        ]
        extra_kwargs = {
            "send_at": {"help_text": "When it is sent, if it was written for later."},
            "status": {
                "help_text": "The carrier's words, and ours for what is not there "
                "(yet): `later`, `waiting`, `asking`; `unknown`: the carrier's answer "
                "was lost, and it is never sent again by itself; `blocked`: they want "
                "no texts."
            },
            "cost": {
                "help_text": "What is known by now: the carrier's price, and the "
                "model's for an agent's answer. Null where they have two currencies."
            },
            "words_removed_at": {
                "help_text": "Since when its words are not kept any more; null: they "
                "are."
            },
            "sent_by": {"help_text": "`system`: VoiceOps, to STOP and HELP."},
        }

    def get_media(self, message) -> MediumSerializer(many=True):
        return [
            {
                "url": medium.get("url")
                or public_url(f"/api/messages/{message.pk}/media/{number}"),
                "content_type": medium.get("content_type", ""),
            }
            for number, medium in enumerate(message.media)
        ]

    def get_error(self, message) -> str:
        return text_errors.in_words(message.error_code, message.error_detail)

    def get_by(self, message) -> str:
        return message.user.get_short_name() if message.user else ""


@shown_as(answer=examples.CONVERSATION)
class ConversationSerializer(serializers.ModelSerializer):
    phone_id = serializers.UUIDField(read_only=True)
    number = serializers.CharField(read_only=True, help_text="The other party's.")
    last_message = MessageSerializer(read_only=True, allow_null=True)
    assigned_to = serializers.SerializerMethodField(
        help_text="Whose it is among the team; empty: nobody's."
    )
    labels = serializers.SerializerMethodField()

    class Meta:
        model = Conversation
        fields = [
            "id",
            "phone_id",
            "number",
            "address",
            "mode",
            "need",
            "status",
            "snoozed_until",
            "assigned_to",
            "labels",
            "unread_count",
            "last_message",
            "last_message_at",
            "created_at",
            "updated_at",
        ]
        extra_kwargs = {
            "snoozed_until": {"help_text": "Then it is `open` again, if not before."},
            "address": {"help_text": "As the carrier writes it, e.g. `whatsapp:+1…`."},
            "need": {"help_text": "Why a person has it; empty while the agent does."},
        }

    def get_assigned_to(self, conversation) -> str:
        person = conversation.assigned_to
        return person.get_short_name() if person else ""

    def get_labels(self, conversation) -> list[str]:
        return [one.label.name for one in conversation.shown_labels]


class ConversationFactSerializer(serializers.ModelSerializer):
    noted_at = serializers.DateTimeField(source="updated_at")

    class Meta:
        model = ConversationFact
        fields = ["name", "value", "noted_at"]


class ConversationCostSerializer(serializers.Serializer):
    """What is known by now, in one currency."""

    currency = serializers.CharField()
    amount = serializers.DecimalField(max_digits=20, decimal_places=6)
    carrier = serializers.DecimalField(max_digits=20, decimal_places=6)
    model = serializers.DecimalField(
        max_digits=20, decimal_places=6, help_text="Tokens of answers."
    )


@shown_as(answer=examples.CONVERSATION_DETAIL)
class ConversationDetailSerializer(ConversationSerializer):
    costs = serializers.SerializerMethodField()
    facts = serializers.SerializerMethodField(help_text="What the agent wrote down.")

    class Meta(ConversationSerializer.Meta):
        fields = [*ConversationSerializer.Meta.fields, "costs", "facts"]

    def get_costs(self, conversation) -> ConversationCostSerializer(many=True):
        costs = text_costs.of_conversation(conversation)
        return ConversationCostSerializer(costs, many=True).data

    def get_facts(self, conversation) -> ConversationFactSerializer(many=True):
        facts = conversation.facts.for_owner(conversation.owner_id)
        return ConversationFactSerializer(facts, many=True).data


@shown_as(answer=examples.TEXT_TOOL_USE)
class TextToolUseSerializer(serializers.ModelSerializer):
    message_id = serializers.UUIDField(
        source="asked_id", read_only=True, help_text="The text that was to be answered."
    )

    class Meta:
        model = TextToolUse
        fields = [
            "id",
            "message_id",
            "name",
            "arguments",
            "status",
            "text",
            "elapsed_ms",
            "created_at",
            "updated_at",
        ]
        extra_kwargs = {
            "arguments": {"help_text": "JSON, as the model wrote it."},
            "status": {
                "help_text": "`unknown`: it was begun and cut off, so nobody knows "
                "whether it was done."
            },
            "text": {"help_text": "What the model was shown of it."},
        }


@shown_as(request=examples.NEW_MESSAGE)
class NewMessageSerializer(OwnedSerializer):
    phone_id = serializers.PrimaryKeyRelatedField(
        source="phone",
        queryset=Phone.objects.select_related("carrier_account"),
        required=False,
        help_text="From which number; with `to`.",
    )
    conversation_id = serializers.PrimaryKeyRelatedField(
        source="conversation",
        queryset=Conversation.objects.select_related("phone__carrier_account"),
        required=False,
        help_text="Instead of `phone_id` and `to`.",
    )
    to = serializers.CharField(
        max_length=40, required=False, help_text="E.164, or `whatsapp:` and E.164."
    )
    body = serializers.CharField(
        max_length=MAX_TEXT_CHARACTERS, required=False, allow_blank=True, default=""
    )
    media_urls = serializers.ListField(
        child=serializers.CharField(
            max_length=MAX_URL_CHARACTERS,
            validators=[URLValidator(schemes=["http", "https"])],
        ),
        required=False,
        max_length=MAX_MEDIA,
        help_text="Where the carrier fetches pictures or files that are sent with it.",
    )

    class Meta:
        model = Message
        fields = ["phone_id", "conversation_id", "to", "body", "media_urls"]

    def validate_to(self, text):
        return address_of(text)

    def validate(self, attrs):
        if not attrs["body"].strip() and not attrs.get("media_urls"):
            raise serializers.ValidationError({"body": ["Write something."]})
        conversation = attrs.get("conversation")
        if conversation is None:
            for name in ("phone", "to"):
                if name not in attrs:
                    field = {"phone": "phone_id"}.get(name, name)
                    raise serializers.ValidationError(
                        {field: ["Needed, unless you give conversation_id."]}
                    )
        elif "phone" in attrs or "to" in attrs:
            message = "Give either this, or phone_id and to."
            raise serializers.ValidationError({"conversation_id": [message]})
        elif conversation.phone.is_deleted:
            message = "Its number was removed here."
            raise serializers.ValidationError({"conversation_id": [message]})
        return attrs


class MessageListView(SendsTexts, OwnedView, generics.ListAPIView):
    model = Message
    serializer_class = MessageSerializer
    problem_codes = {"POST": ["409"]}
    filter_backends = [IndexedFilterBackend]
    filterset_class = MessageFilter
    filters = frozenset(MessageFilter.base_filters)

    def get_queryset(self):
        return super().get_queryset().select_related("user")

    @extend_schema(
        operation_id="message_list",
        summary="List texts",
        description=(
            "With other filters than `conversation_id`, `from` and `to`, a page looks"
            f" through {SEARCHED:,} texts and no further: it may have fewer rows than"
            " `page_size`, or none, and a `next` that leads on. The list has ended when"
            " `next` is null."
        ),
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="message_send",
        summary="Send a text",
        description="It is sent in a moment: its `status` says how far it has got. A "
        "number on the do-not-contact list is a 409. Takes the scope `messages:send`.",
        request=NewMessageSerializer,
        responses={202: MessageSerializer},
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        given = NewMessageSerializer(
            data=request.data, context=self.get_serializer_context()
        )
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        conversation = wanted.get("conversation")
        try:
            message = sending.send(
                conversation.phone if conversation else wanted["phone"],
                conversation.address if conversation else wanted["to"],
                body=wanted["body"],
                media_urls=wanted.get("media_urls", []),
                by=request.user,
                at=now(),
            )
        except sending.Stopped as error:
            raise Conflict(str(error)) from error
        return Response(self.get_serializer(message).data, status=202)


class MessageMediaView(OwnedView):
    model = Message
    lookup_url_kwarg = "message_id"
    problem_codes = {"GET": ["502"]}

    def get_queryset(self):
        return super().get_queryset().select_related("carrier_account")

    @extend_schema(
        operation_id="message_media",
        summary="Fetch a picture or file of a text",
        description="Of a text that came in, as the carrier keeps it; the first is 0.",
        responses={(200, "image/*"): OpenApiTypes.BINARY},
    )
    def get(self, request, message_id, number):
        try:
            return media_of(self.get_object(), number)
        except twilio.CarrierError as error:
            raise CarrierProblem(str(error)) from error


class MessageMediaLinkView(OwnedView):
    model = Message
    lookup_url_kwarg = "message_id"
    serializer_class = MediaLinkSerializer

    @extend_schema(
        operation_id="message_media_link",
        summary="Get an address that opens a picture or file of a text",
        description="Of a text that came in; it opens without any log-in, for one to "
        "two hours. The first medium is 0.",
    )
    def get(self, request, message_id, number):
        message = self.get_object()
        if not message.is_incoming or number >= len(message.media):
            raise Http404
        link = media_links.to_medium(message, number, at=now())
        return Response(self.get_serializer(link).data)


class ConversationFilter(filters.FilterSet):
    phone_id = filters.ModelChoiceFilter(field_name="phone", queryset=_phones)
    number = filters.CharFilter(method="with_number", max_length=40)
    mode = filters.ChoiceFilter(choices=Conversation.Mode.choices)
    status = filters.ChoiceFilter(choices=Conversation.Status.choices)
    unread = filters.BooleanFilter(method="with_unread")

    class Meta:
        model = Conversation
        fields: list[str] = []

    def with_unread(self, rows, name, is_unread):
        return rows.unread() if is_unread else rows.filter(unread_count=0)

    def with_number(self, rows, name, number):
        try:
            address = address_of(number)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({"number": error.detail}) from error
        number = address.removeprefix(WHATSAPP)
        return rows.filter(address__in=[number, WHATSAPP + number])


class ConversationBase(SendsTexts, OwnedView):
    model = Conversation
    lookup_url_kwarg = "conversation_id"
    serializer_class = ConversationSerializer

    def get_queryset(self):
        rows = inbox.with_last_texts(super().get_queryset())
        return rows.select_related("last_message__user")


class ConversationListView(ConversationBase, generics.ListAPIView):
    filter_backends = [filters.DjangoFilterBackend]
    filterset_class = ConversationFilter
    filters = frozenset(ConversationFilter.base_filters)

    @extend_schema(
        operation_id="conversation_list",
        summary="List conversations by text",
        description="One row a number of yours and other party.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class ConversationView(ConversationBase, generics.RetrieveAPIView):
    serializer_class = ConversationDetailSerializer

    @extend_schema(operation_id="conversation_get", summary="Read a conversation")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class TextToolUseListView(OwnedView, generics.ListAPIView):
    model = TextToolUse
    serializer_class = TextToolUseSerializer

    def get_queryset(self):
        theirs = _conversations(self.request)
        conversation = generics.get_object_or_404(
            theirs, pk=self.kwargs["conversation_id"]
        )
        return super().get_queryset().filter(conversation=conversation)

    @extend_schema(
        operation_id="conversation_tool_uses",
        summary="List the tools that the agent has used in a conversation",
        description="Those of a message agent, the latest first.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class ConversationActionView(ConversationBase):
    def answer(self):
        return Response(self.get_serializer(self.get_object()).data)


class TakeOverView(ConversationActionView):
    @extend_schema(
        operation_id="conversation_take_over",
        summary="Take a conversation over from the agent",
        description="The agent is silent from then on. Takes the scope "
        "`messages:send`.",
        request=None,
        responses={200: ConversationSerializer},
    )
    def post(self, request, conversation_id):
        conversations.take_over(self.get_object())
        return self.answer()


class ReleaseView(ConversationActionView):
    problem_codes = {"POST": ["409"]}

    @extend_schema(
        operation_id="conversation_release",
        summary="Hand a conversation back to the agent",
        description="It answers the latest text if nobody has. 409 where no agent is "
        "active on the number. Takes the scope `messages:send`.",
        request=None,
        responses={200: ConversationSerializer},
    )
    def post(self, request, conversation_id):
        try:
            conversations.release(self.get_object(), at=now())
        except conversations.NoAgent as error:
            raise Conflict(str(error)) from error
        return self.answer()


class CloseView(ConversationActionView):
    @extend_schema(
        operation_id="conversation_close",
        summary="Close a conversation",
        description="The next text opens it again, with the agent. Takes the scope "
        "`messages:send`.",
        request=None,
        responses={200: ConversationSerializer},
    )
    def post(self, request, conversation_id):
        conversations.close(self.get_object(), at=now())
        return self.answer()
