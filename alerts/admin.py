from django.contrib import admin

from accounts.tenancy_admin import OwnedAdmin
from alerts.models import Alert, Digest, Episode, Mail


@admin.register(Alert)
class AlertAdmin(OwnedAdmin):
    list_display = ["name", "metric", "state", "is_active", "checked_at", "owner"]
    list_filter = ["owner", "metric", "state", "is_active"]
    search_fields = ["name", "owner__name"]


@admin.register(Episode)
class EpisodeAdmin(OwnedAdmin):
    list_display = ["alert", "started_at", "ended_at", "value", "worst", "owner"]
    list_select_related = ["owner", "alert"]
    list_filter = ["owner"]
    search_fields = ["alert__name", "owner__name"]


@admin.register(Mail)
class MailAdmin(OwnedAdmin):
    list_display = ["alert", "occasion", "user", "next_try_at", "sent_at", "owner"]
    list_select_related = ["owner", "alert", "user"]
    list_filter = ["owner", "occasion"]
    search_fields = ["alert__name", "user__email"]


@admin.register(Digest)
class DigestAdmin(OwnedAdmin):
    list_display = ["monday", "user", "sent_at", "owner"]
    list_select_related = ["owner", "user"]
    list_filter = ["owner"]
    search_fields = ["user__email"]
