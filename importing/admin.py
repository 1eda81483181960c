from django.contrib import admin

from accounts.tenancy_admin import OwnedAdmin
from importing.models import Origin


@admin.register(Origin)
class OriginAdmin(OwnedAdmin):
    """Read alone: with another id, a document would come in a second time."""

    list_display = ["source", "collection", "source_id", "object_id", "owner"]
    list_filter = ["owner"]
    search_fields = ["source_id", "object_id"]

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False
