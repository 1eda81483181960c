"""The API of prompts: the services that the pages call too."""

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.response import Response

from accounts.api_base import (
    ListCreateView,
    OwnedSerializer,
    OwnedView,
    RowView,
    StrictSerializer,
    idempotent,
)
from accounts.models import AccessToken
from accounts.permissions import Action
from agents import api_examples as examples
from agents import services
from agents.api.base import Variables, services_as_conflicts
from agents.models import Prompt, PromptVersion
from agents.prompts import MAX_PROMPT_CHARACTERS, placeholders, render
from voiceops.api_schema import shown_as


@shown_as(request=examples.NEW_PROMPT, answer=examples.PROMPT)
class PromptSerializer(OwnedSerializer):
    text = serializers.CharField(
        max_length=MAX_PROMPT_CHARACTERS, trim_whitespace=False
    )
    note = serializers.CharField(
        max_length=200,
        required=False,
        allow_blank=True,
        write_only=True,
        help_text="What is new in this version.",
    )
    placeholders = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Prompt
        fields = [
            "id",
            "name",
            "text",
            "note",
            "version",
            "placeholders",
            "is_deleted",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["version"]

    def save(self, **kwargs) -> Prompt:
        prompt, given = self.instance, self.validated_data
        with services_as_conflicts():
            self.instance = services.save_prompt(
                owner=self._owner(),
                prompt=prompt,
                name=given.get("name", prompt and prompt.name),
                text=given.get("text", prompt and prompt.text),
                note=given.get("note", ""),
                author=self.context["request"].user,
            )
        return self.instance


class PromptListView(ListCreateView):
    model = Prompt
    serializer_class = PromptSerializer

    @extend_schema(operation_id="prompt_list", summary="List prompts")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="prompt_create",
        summary="Write a prompt",
    )
    @idempotent(within=transaction.atomic)
    def post(self, request, *args, **kwargs):
        return super().post(request, *args, **kwargs)


class PromptView(RowView):
    model = Prompt
    lookup_url_kwarg = "prompt_id"
    serializer_class = PromptSerializer
    problem_codes = {"DELETE": ["409"], "PUT": ["409"], "PATCH": ["409"]}

    @extend_schema(operation_id="prompt_get", summary="Read a prompt")
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="prompt_replace",
        summary="Replace a prompt",
        description="Another text is another version; agents follow the latest.",
    )
    def put(self, request, *args, **kwargs):
        return super().put(request, *args, **kwargs)

    @extend_schema(
        operation_id="prompt_change",
        summary="Change a prompt",
    )
    def patch(self, request, *args, **kwargs):
        return super().patch(request, *args, **kwargs)

    @extend_schema(
        operation_id="prompt_delete",
        summary="Delete a prompt",
        description="Refused with 409 while agents use it; the answer names them.",
    )
    def delete(self, request, *args, **kwargs):
        return super().delete(request, *args, **kwargs)

    def perform_destroy(self, prompt):
        with services_as_conflicts():
            services.delete_prompt(prompt)


@shown_as(answer=examples.PROMPT_VERSION)
class PromptVersionSerializer(serializers.ModelSerializer):
    version = serializers.IntegerField(source="number")
    placeholders = serializers.SerializerMethodField()
    author_id = serializers.UUIDField(allow_null=True, help_text="A user's id.")

    class Meta:
        model = PromptVersion
        fields = [
            "id",
            "version",
            "text",
            "note",
            "placeholders",
            "author_id",
            "created_at",
            "updated_at",
        ]

    def get_placeholders(self, version) -> list[str]:
        return list(placeholders(version.text))


class PromptVersionListView(OwnedView, generics.ListAPIView):
    model = Prompt
    serializer_class = PromptVersionSerializer
    lookup_url_kwarg = "prompt_id"

    @extend_schema(
        operation_id="prompt_versions",
        summary="List a prompt's versions",
        description="Every text that it ever had, newest first.",
    )
    def get(self, request, *args, **kwargs):
        return super().get(request, *args, **kwargs)

    def filter_queryset(self, prompts):
        if getattr(self, "swagger_fake_view", False):
            return PromptVersion.objects.none()
        prompt = generics.get_object_or_404(prompts, pk=self.kwargs["prompt_id"])
        return PromptVersion.objects.for_owner(prompt.owner_id).filter(prompt=prompt)


@shown_as(request=examples.PREVIEW)
class PreviewSerializer(StrictSerializer):
    variables = Variables(required=False)


@shown_as(answer=examples.PREVIEWED)
class PreviewedSerializer(serializers.Serializer):
    text = serializers.CharField()
    missing = serializers.ListField(
        child=serializers.CharField(),
        help_text="Placeholders without a value; they stay visible in the text.",
    )


class PromptPreviewView(OwnedView):
    model = Prompt
    serializer_class = PreviewSerializer
    lookup_url_kwarg = "prompt_id"
    needed_scope = AccessToken.Scope.READ
    needed_action = Action.READ

    @extend_schema(
        operation_id="prompt_preview",
        summary="Preview a prompt",
        description="Fills the placeholders in and says which are still missing. "
        "Changes nothing; the scope `read` is enough.",
        request=PreviewSerializer,
        responses={200: PreviewedSerializer},
    )
    def post(self, request, prompt_id):
        prompt = self.get_object()
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        text, missing = render(prompt.text, given.validated_data.get("variables", {}))
        return Response(PreviewedSerializer({"text": text, "missing": missing}).data)
