from django.contrib import admin, messages
from django.utils.translation import gettext_lazy as _

from accounts.tenancy_admin import OwnedAdmin, OwnedInline
from hooks import services
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
    list_filter = ["owner", "status"]
    search_fields = ["event", "endpoint__url", "call__sid", "owner__name"]
    inlines = [AttemptInline]
    actions = ["send_now"]

    @admin.action(description=_("Send the chosen ones now"), permissions=["send"])
    def send_now(self, request, queryset):
        sent = 0
        for delivery in queryset.select_related("endpoint"):
            try:
                sent += services.send_now(delivery)
            except services.Refused as refusal:
                messages.error(request, f"{delivery.endpoint}: {refusal}")
        self.message_user(request, _("%(count)d are sent now.") % {"count": sent})

    def has_send_permission(self, request):
        return request.user.has_perm("hooks.change_delivery")


@admin.register(Attempt)
class AttemptAdmin(OwnedAdmin):
    list_display = ["delivery_id", "number", "at", "status_code", "owner"]
    search_fields = ["delivery__event", "error"]
