from django.contrib import admin

from accounts.tenancy_admin import OwnedAdmin, ReadOnly
from analytics.models import Bucket, Change, Quarters


@admin.register(Bucket)
class BucketAdmin(OwnedAdmin):
    list_display = ["first_day", "span", "series", "is_total", "owner", "updated_at"]
    list_filter = ["owner", "series", "span", "is_total"]


@admin.register(Quarters)
class QuartersAdmin(OwnedAdmin):
    list_display = ["bucket", "owner", "updated_at"]
    list_select_related = ["owner", "bucket"]
    list_filter = ["owner"]


@admin.register(Change)
class ChangeAdmin(ReadOnly, admin.ModelAdmin):
    """What is to be counted yet; it is gone within seconds."""

    list_display = ["at", "series", "owner_id", "is_whole_day"]
    list_filter = ["series"]
