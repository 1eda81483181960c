from django.contrib import admin

from accounts.tenancy_admin import OwnedAdmin, ReadOnly
from privacy.models import Erasure, Export, ExportPiece, Retention, WorkspaceRemoval


@admin.register(Retention)
class RetentionAdmin(OwnedAdmin):
    list_display = [
        "owner",
        "transcript_days",
        "recording_days",
        "message_days",
        "event_days",
        "looked_at",
    ]
    list_filter = ["owner"]
    search_fields = ["owner__name"]


@admin.register(Erasure)
class ErasureAdmin(OwnedAdmin):
    list_display = ["id", "status", "step", "created_at", "done_at", "owner"]
    list_filter = ["owner", "status"]
    hidden = ("sealed_number", "digest")


@admin.register(Export)
class ExportAdmin(OwnedAdmin):
    list_display = ["created_at", "status", "percent", "size", "tries", "owner"]
    list_filter = ["owner", "status"]


@admin.register(ExportPiece)
class ExportPieceAdmin(OwnedAdmin):
    list_display = ["export", "number", "owner"]
    list_select_related = ["owner", "export"]
    hidden = ("data",)


@admin.register(WorkspaceRemoval)
class WorkspaceRemovalAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["workspace_id", "status", "asked_at", "done_at", "next_try_at"]
    list_filter = ["status"]
