from django.contrib import admin

from accounts.tenancy_admin import OwnedAdmin, OwnedInline
from hooks.models import Attempt, Delivery, Endpoint


@admin.register(Endpoint)
class EndpointAdmin(OwnedAdmin):
    list_display = ["url", "is_enabled", "disabled_reason", "owner", "deleted_at"]
    list_filter = ["owner", "is_enabled"]
    search_fields = ["url", "description", "owner__name"]
    hidden = ("secret", "old_secret")


class AttemptInline(OwnedInline):
    model = Attempt
    fields = ["number", "at", "status_code", "elapsed_ms", "error"]
    ordering = ["number"]


@admin.register(Delivery)
class DeliveryAdmin(OwnedAdmin):
    list_display = ["id", "event", "status", "attempts_made", "next_try_at", "owner"]
    list_filter = ["owner", "status", "event"]
    search_fields = ["endpoint__url", "call__sid", "owner__name"]
    inlines = [AttemptInline]


@admin.register(Attempt)
class AttemptAdmin(OwnedAdmin):
    list_display = ["delivery_id", "number", "at", "status_code", "owner"]
    search_fields = ["delivery__event", "error"]
