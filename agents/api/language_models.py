"""The API of the workspace's own language model."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from accounts.api_base import OwnedSerializer, OwnedView
from accounts.permissions import Action
from agents import api_examples as examples
from agents import services
from agents.models import LanguageModel
from voiceops.api_schema import shown_as


@shown_as(request=examples.NEW_LANGUAGE_MODEL, answer=examples.LANGUAGE_MODEL)
class LanguageModelSerializer(OwnedSerializer):
    has_api_key = serializers.BooleanField(read_only=True)
    is_own = serializers.BooleanField(
        read_only=True,
        help_text="False: the installation's model speaks, and the rest is empty.",
    )
    in_use = serializers.CharField(
        read_only=True, help_text="Who speaks for agents that name no model."
    )
    is_demo = serializers.BooleanField(
        read_only=True, help_text="Whether that is the demo responder, and no model."
    )

    class Meta:
        model = LanguageModel
        fields = [
            "base_url",
            "model",
            "api_key",
            "has_api_key",
            "is_own",
            "in_use",
            "is_demo",
        ]
        extra_kwargs = {
            "api_key": {
                "write_only": True,
                "help_text": "Left out: the stored one stays, unless the address is on "
                "another host. Empty: none.",
            }
        }

    def update(self, own, given) -> LanguageModel:
        key = given.get("api_key")
        try:
            return services.connect_model(own.owner, **{**given, "api_key": key})
        except services.KeyLeftBehind as refusal:
            raise ValidationError({"api_key": [str(refusal)]}) from refusal

    def to_representation(self, own):
        provider = services.provider_of(own.owner)
        return {
            **super().to_representation(own),
            "has_api_key": bool(own.api_key),
            "is_own": not own._state.adding,
            "in_use": provider.label,
            "is_demo": provider.is_demo,
        }


class LanguageModelView(OwnedView):
    model = LanguageModel
    serializer_class = LanguageModelSerializer
    needed_action = Action.MANAGE_WORKSPACE

    def get_object(self):
        owner = self.request.workspace
        return services.own_model(owner) or LanguageModel(owner=owner)

    @extend_schema(
        operation_id="language_model_get",
        summary="Read which language model speaks",
        description="The workspace's own endpoint, or that of the installation.",
    )
    def get(self, request):
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(
        operation_id="language_model_replace",
        summary="Connect a language model",
        description="Any OpenAI-compatible endpoint on the public internet. Calls that "
        "begin from then on are answered by it, and by no other while it fails.",
    )
    def put(self, request):
        serializer = self.get_serializer(self.get_object(), data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)

    @extend_schema(
        operation_id="language_model_delete",
        summary="Go back to the installation's language model",
        description="The address and the key are forgotten.",
        responses={204: None},
    )
    def delete(self, request):
        services.disconnect_model(request.workspace)
        return Response(status=status.HTTP_204_NO_CONTENT)
