"""The operators' view of owned rows: across workspaces, and careful.

Operators look, and repair what `changeable` names. Rows are made and removed where the
rules are, by services; what `hidden` names is never sent to a browser.
"""

from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.models import Workspace
from accounts.purge_admin import purge
from accounts.tenancy import SoftDeleteModel
from voiceops.paging import FirstPages

# Of every list, also those of other packages: there may be ten million rows.
admin.ModelAdmin.paginator = FirstPages
admin.ModelAdmin.show_full_result_count = False
admin.ModelAdmin.show_facets = ShowFacets.NEVER  # it counts

LOOKED_THROUGH = 10_000  # rows, for what no index finds
OWNER = "owner__id__exact"


class OwnerFilter(admin.FieldListFilter):
    """The rows of one workspace. It is chosen on that workspace's page: a choice here
    would list all of them.
    """

    def __init__(self, field, request, params, model, model_admin, field_path):
        super().__init__(field, request, params, model, model_admin, field_path)
        self.chosen = self.used_parameters.get(OWNER)

    def expected_parameters(self):
        return [OWNER]

    def has_output(self):
        return bool(self.chosen)

    def choices(self, changelist):
        name = Workspace.objects.filter(pk__in=self.chosen).first()
        yield {
            "selected": False,
            "query_string": changelist.get_query_string(remove=[OWNER]),
            "display": _now("All"),
        }
        yield {
            "selected": True,
            "query_string": changelist.get_query_string(),
            "display": str(name),
        }


class BoundedList(ChangeList):
    """Newest first by index; what no index finds (other filters, words, other orders)
    is looked for among the newest rows, of the chosen workspace where there is one.
    """

    def get_queryset(self, request, exclude_parameters=None):
        if (self.query or self.params) and id_in(self.query) is None:
            self.root_queryset = self._newest(request)
        return super().get_queryset(request, exclude_parameters)

    def _newest(self, request):
        rows = self.root_queryset
        among, owner = rows, self._owner()
        if owner is not None and _is_indexed_by_owner(self.model):
            among = rows.filter(owner=owner)
        oldest = among.order_by("-pk").values_list("pk", flat=True)
        edge = oldest[LOOKED_THROUGH - 1 : LOOKED_THROUGH].first()
        if edge is None:
            return rows
        words = _now("Among the newest %(count)d rows alone.")
        messages.info(request, words % {"count": LOOKED_THROUGH})
        return rows.filter(pk__gte=edge)

    def _owner(self) -> UUID | None:
        return id_in(self.params.get(OWNER, ""))


def id_in(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _is_indexed_by_owner(model) -> bool:
    orders = (index.fields[:2] for index in model._meta.indexes if not index.condition)
    return ["owner", "-id"] in orders


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

    def get_changelist(self, request, **kwargs):
        return BoundedList

    def get_list_filter(self, request):
        filters = super().get_list_filter(request)
        return [("owner", OwnerFilter) if f == "owner" else f for f in filters]

    def get_search_results(self, request, queryset, search_term):
        """An id is found wherever it is; words as `BoundedList` says."""
        if (wanted := id_in(search_term)) is not None:
            return queryset.filter(pk=wanted), False
        return super().get_search_results(request, queryset, search_term)

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
