"""The operators' view of owned rows: across workspaces, and careful.

Operators look, and repair what `changeable` names. Rows are made and removed where the
rules are, by services; what `hidden` names is never sent to a browser.
"""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.purge_admin import purge
from accounts.tenancy import SoftDeleteModel
from voiceops.paging import CappedPaginator

# Of every list, also those of other packages.
admin.ModelAdmin.paginator = CappedPaginator
admin.ModelAdmin.show_full_result_count = False


class ReadOnly:
    """What tells operators something, and nobody makes, changes or removes."""

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class _Unscoped:
    """Rows of every workspace: operators stand above tenancy."""

    def get_queryset(self, request):
        return self.model.unscoped.order_by(*self.get_ordering(request))

    def has_add_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


class OwnedAdmin(_Unscoped, admin.ModelAdmin):
    """Give it `list_display`, `search_fields`, and the two tuples below."""

    changeable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()

    list_filter = ["owner"]
    list_select_related = ["owner"]
    ordering = ["-id"]

    def has_change_permission(self, request, obj=None):
        return bool(self.changeable) and super().has_change_permission(request, obj)

    def save_model(self, request, obj, form, change):
        with audit.changing(obj):
            super().save_model(request, obj, form, change)

    def get_actions(self, request):
        """With purging, where rows are deleted softly and the operator may delete."""
        actions = super().get_actions(request)
        may_delete = super(_Unscoped, self).has_delete_permission(request)
        if may_delete and issubclass(self.model, SoftDeleteModel):
            actions["purge"] = (purge, "purge", _("Purge the deleted ones for ever"))
        return actions

    def get_fields(self, request, obj=None):
        names = [field.name for field in self.model._meta.concrete_fields]
        return [name for name in names if name not in self.hidden]

    def get_readonly_fields(self, request, obj=None):
        shown = self.get_fields(request, obj)
        return [name for name in shown if name not in self.changeable]


class OwnedInline(_Unscoped, admin.TabularInline):
    """Rows that belong to another, to be read on its page; `fields` says what."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_change_permission(self, request, obj=None):
        return False
