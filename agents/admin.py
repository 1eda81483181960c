from django.contrib import admin

from accounts.tenancy_admin import OwnedAdmin, OwnedInline
from agents.models import (
    LanguageModel,
    MessageAgent,
    ModelPrice,
    Prompt,
    PromptVersion,
    Tool,
    VoiceAgent,
)

PUT_AWAY = ("deleted_at", admin.EmptyFieldListFilter)


class PromptVersionInline(OwnedInline):
    model = PromptVersion
    fields = readonly_fields = ["number", "note", "author", "created_at"]
    ordering = ["-number"]


@admin.register(Prompt)
class PromptAdmin(OwnedAdmin):
    list_display = ["name", "version", "owner", "updated_at", "deleted_at"]
    list_filter = ["owner", PUT_AWAY]
    search_fields = ["name", "owner__name"]
    inlines = [PromptVersionInline]


@admin.register(PromptVersion)
class PromptVersionAdmin(OwnedAdmin):
    list_display = ["prompt", "number", "note", "author", "owner", "created_at"]
    list_select_related = ["owner", "prompt", "author"]
    search_fields = ["prompt__name", "note", "owner__name"]


@admin.register(VoiceAgent)
class VoiceAgentAdmin(OwnedAdmin):
    list_display = ["name", "phone", "direction", "is_active", "owner", "deleted_at"]
    list_filter = ["owner", "is_active", "direction", PUT_AWAY]
    list_select_related = ["owner", "phone"]
    search_fields = ["name", "phone__number", "owner__name"]
    # What an operator may have to bound on a misbehaving agent.
    changeable = ("max_duration_s", "silence_timeout_s", "max_tokens")


@admin.register(Tool)
class ToolAdmin(OwnedAdmin):
    list_display = ["name", "method", "url", "owner", "last_used_at", "deleted_at"]
    list_filter = ["owner", PUT_AWAY]
    search_fields = ["name", "url", "owner__name"]
    hidden = ("sealed_headers",)
    # What an operator may have to bound on a slow service.
    changeable = ("timeout_s",)


@admin.register(LanguageModel)
class LanguageModelAdmin(OwnedAdmin):
    list_display = ["model", "base_url", "owner", "updated_at"]
    search_fields = ["base_url", "model", "owner__name"]
    hidden = ("api_key",)


@admin.register(MessageAgent)
class MessageAgentAdmin(OwnedAdmin):
    list_display = ["name", "phone", "is_active", "owner", "deleted_at"]
    list_filter = ["owner", "is_active", PUT_AWAY]
    list_select_related = ["owner", "phone"]
    search_fields = ["name", "phone__number", "owner__name"]
    changeable = ("max_tokens", "history_limit")


@admin.register(ModelPrice)
class ModelPriceAdmin(admin.ModelAdmin):
    list_display = [
        "model",
        "host",
        "input_per_million",
        "output_per_million",
        "currency",
        "as_of",
    ]
    search_fields = ["model", "host"]
