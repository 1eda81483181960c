"""What the API of voice agents and that of message agents share."""

from copy import copy

from django.db import transaction
from django.http import Http404
from rest_framework import serializers
from rest_framework.response import Response

from accounts.api_base import OwnedSerializer, OwnedView
from agents import services
from agents.api.base import Variables, services_as_conflicts
from agents.limits import MAX_PHRASE_CHARACTERS, MAX_PHRASES, MAX_TOOLS
from agents.models import Agent, PromptVersion


class PinnedVersionField(serializers.IntegerField):
    """A version of the agent's prompt, by its number."""

    def to_representation(self, version) -> int:
        return version.number


def phrases(**options) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=MAX_PHRASE_CHARACTERS),
        required=False,
        max_length=MAX_PHRASES,
        **options,
    )


class AgentSerializer(OwnedSerializer):
    prompt_version = PinnedVersionField(
        allow_null=True,
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="The version of the prompt that it keeps; null: it follows the "
        "newest.",
    )
    variables = Variables(
        required=False, help_text="Values for the placeholders in the agent's texts."
    )
    tools = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        max_length=MAX_TOOLS,
        help_text="Names of built-in tools and ids of the workspace's own.",
    )

    def build_field(self, name, info, model_class, nested_depth):
        """`phone_id` and `prompt_id` are ids of rows of the workspace."""
        if name in {"phone_id", "prompt_id"}:
            name = name.removesuffix("_id")
            field_class, options = super().build_field(
                name, info, model_class, nested_depth
            )
            return field_class, options | {"source": name}
        return super().build_field(name, info, model_class, nested_depth)

    def validate(self, attrs):
        """Being active is the service's affair: it replaces whoever is in the way."""
        attrs |= self._pinned(attrs)
        super().validate(attrs | {"is_active": False})
        self._refuse_without_text(attrs)
        if "tools" in attrs:
            attrs["tools"] = list(dict.fromkeys(attrs["tools"]))
            self._check_tools(attrs)
        return attrs

    def _check_tools(self, attrs) -> None:
        becoming = copy(self.instance) if self.instance else self.Meta.model()
        becoming.owner = self._owner()
        for name, value in attrs.items():
            setattr(becoming, name, value)
        try:
            services.check_choice(becoming)
        except services.UnknownTool as refusal:
            raise serializers.ValidationError({"tools": [str(refusal)]}) from None

    def _refuse_without_text(self, given) -> None:
        stored = self.instance or self.Meta.model()
        texts = {"prompt": stored.prompt, "instructions": stored.instructions}
        texts |= {name: given[name] for name in texts if name in given}
        if not self.Meta.model(**texts).has_text:
            told = str(services.InstructionsMissing())
            raise serializers.ValidationError({"instructions": [told]})

    def _pinned(self, given) -> dict[str, PromptVersion]:
        """The version of the prompt with the number that was given."""
        stored = self.instance or self.Meta.model()
        prompt = given.get("prompt", stored.prompt)
        told = {"prompt_version": [str(services.VersionOfAnotherPrompt())]}
        if "prompt_version" not in given:
            # The new prompt may have that number too, and mean another text by it.
            if stored.prompt_version and prompt != stored.prompt:
                raise serializers.ValidationError(told)
            return {}
        number = given["prompt_version"]
        if number is None:
            return {}
        versions = PromptVersion.objects.for_owner(self._owner())
        version = versions.filter(prompt=prompt, number=number).first()
        if version is None:
            raise serializers.ValidationError(told)
        return {"prompt_version": version}

    def create(self, given) -> Agent:
        wants_active = given.pop("is_active", False)
        agent = self.Meta.model(owner=self._owner(), **given)
        with services_as_conflicts(), transaction.atomic():
            services.save_agent(agent)
            if wants_active:
                services.activate(agent)
        return agent

    def update(self, agent, given) -> Agent:
        was_active = agent.is_active
        wants_active = given.pop("is_active", was_active)
        for name, value in given.items():
            setattr(agent, name, value)
        with services_as_conflicts(), transaction.atomic():
            if was_active and not wants_active:
                services.deactivate(agent)
            services.save_agent(agent)
            if wants_active and not was_active:
                services.activate(agent)
        return agent


def activate(view: OwnedView) -> Response:
    """Activate the view's agent; the answer says whom it replaced."""
    agent = view.get_object()
    with services_as_conflicts():
        replaced = services.activate(agent)
    told = view.get_serializer(agent).data
    return Response(told | {"deactivated": [rival.pk for rival in replaced]})


def deactivate(view: OwnedView) -> Response:
    agent = view.get_object()
    services.deactivate(agent)
    return Response(view.get_serializer(agent).data)


def delete(agent: Agent) -> None:
    try:
        services.delete_agent(agent)
    except services.Gone:
        raise Http404 from None
