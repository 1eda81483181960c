"""Tenancy: every domain row has an owner, and nobody reads rows without naming one.

`objects` refuses when SQL is compiled, not when a query is built, so forms and
serializers may name the manager at import time and still cannot run it open. Code that
must see across workspaces (webhooks, tasks, the admin) says `unscoped`.
"""

from django.db import models
from django.db.models.sql import Query
from django.utils import timezone

from voiceops.ids import uuid7


class UnscopedQuery(Exception):
    """A query was about to run without saying whose rows it wants."""


class ForeignRow(Exception):
    """A row was about to be saved that points at another owner's row."""


class ClosedQuery(Query):
    """A query that nobody has scoped: it can be built and declared, never compiled."""

    def refuse(self):
        if not self.is_empty():
            raise UnscopedQuery(
                f"{self.model._meta.label}.objects needs for_owner(...)"
            )

    def get_compiler(self, *args, **kwargs):
        self.refuse()
        return super().get_compiler(*args, **kwargs)

    def as_sql(self, *args, **kwargs):
        self.refuse()
        return super().as_sql(*args, **kwargs)

    def resolve_expression(self, *args, **kwargs):
        self.refuse()
        return super().resolve_expression(*args, **kwargs)

    def get_aggregation(self, *args, **kwargs):
        self.refuse()
        return super().get_aggregation(*args, **kwargs)

    def exists(self, *args, **kwargs):
        self.refuse()
        return super().exists(*args, **kwargs)

    def combine(self, *args, **kwargs):
        self.refuse()
        return super().combine(*args, **kwargs)

    def chain(self, klass=None):
        if klass is not None and not issubclass(ClosedQuery, klass):
            self.refuse()
        return super().chain(klass)


class OwnedQuerySet(models.QuerySet):
    """Rows that can be read once `for_owner` was called."""

    def for_owner(self, owner):
        """The rows of one workspace (a `Workspace` or its id)."""
        if self.query.is_sliced or self.query.combinator:
            raise UnscopedQuery("for_owner(...) comes before slices and unions")
        opened = self._chain()
        if isinstance(opened.query, ClosedQuery):
            opened.query.__class__ = Query
        return opened.filter(owner=owner)

    def raw(self, *args, **kwargs):
        _refuse_closed(self)
        return super().raw(*args, **kwargs)

    def delete(self):
        _refuse_closed(self)
        return super().delete()

    delete.alters_data = True
    delete.queryset_only = True

    def bulk_create(self, *args, **kwargs):
        _refuse_closed(self)
        return super().bulk_create(*args, **kwargs)

    def bulk_update(self, *args, **kwargs):
        _refuse_closed(self)
        return super().bulk_update(*args, **kwargs)

    def __and__(self, other):
        _refuse_closed(self, other)
        return super().__and__(other)

    def __or__(self, other):
        _refuse_closed(self, other)
        return super().__or__(other)

    def __xor__(self, other):
        _refuse_closed(self, other)
        return super().__xor__(other)

    def union(self, *other_qs, all=False):
        _refuse_closed(self, *other_qs)
        return super().union(*other_qs, all=all)


def _refuse_closed(*querysets):
    for queryset in querysets:
        if isinstance(queryset.query, ClosedQuery):
            queryset.query.refuse()


class SoftDeleteQuerySet(OwnedQuerySet):
    """Owned rows of which `for_owner` hides the deleted ones."""

    def for_owner(self, owner, *, with_deleted=False):
        """The rows of one workspace; for reading history also those put away."""
        rows = super().for_owner(owner)
        return rows if with_deleted else rows.filter(deleted_at=None)


def closed_manager(queryset_class: type[OwnedQuerySet]) -> models.Manager:
    """The refusing manager over `queryset_class`, for `objects`."""

    class ClosedManager(models.Manager.from_queryset(queryset_class)):
        def get_queryset(self):
            closed = super().get_queryset()
            closed.query.__class__ = ClosedQuery
            return closed

    return ClosedManager()


class _SeenUnscoped:
    """A model as its unique constraints see it: they look rows up for themselves."""

    def __init__(self, model):
        self._model = model
        self._default_manager = model.unscoped

    def __getattr__(self, name):
        return getattr(self._model, name)


class OwnedModel(models.Model):
    """A row of one workspace."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(
        "accounts.Workspace", models.CASCADE, related_name="+", editable=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = closed_manager(OwnedQuerySet)
    unscoped = models.Manager.from_queryset(OwnedQuerySet)()

    class Meta:
        abstract = True
        default_manager_name = "objects"  # what forms and serializers reach for
        base_manager_name = "unscoped"  # what a row uses to reach its own relatives

    def save(self, *args, **kwargs):
        """Save, or raise `ForeignRow` when a relation leaves the workspace."""
        fields = kwargs.get("update_fields")
        self.refuse_foreign_rows(fields)
        if fields is not None and "updated_at" not in fields:
            kwargs["update_fields"] = [*fields, "updated_at"]
        super().save(*args, **kwargs)

    def refuse_foreign_rows(self, update_fields=None):
        """As `save` does; for rows that are written many at once, which it is not."""
        for field in owned_relations(type(self)):
            changed = update_fields is None or field.name in update_fields
            if not changed or getattr(self, field.attname) is None:
                continue
            if self._owner_of_related(field) != self.owner_id:
                raise ForeignRow(f"{self._meta.label}.{field.name} has another owner")

    def _owner_of_related(self, field):
        if field.is_cached(self):
            return field.get_cached_value(self).owner_id
        rows = field.related_model.unscoped.filter(pk=getattr(self, field.attname))
        return rows.values_list("owner_id", flat=True).first()

    def get_constraints(self):
        return [
            (_SeenUnscoped(model), constraints)
            for model, constraints in super().get_constraints()
        ]

    def _get_unique_checks(self, exclude=None, include_meta_constraints=False):
        """None: uniqueness among owned rows is said by constraints, checked above."""
        return [], []


class SoftDeleteModel(OwnedModel):
    """An owned row that is never deleted by a user's hand, only put away."""

    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = closed_manager(SoftDeleteQuerySet)
    unscoped = models.Manager.from_queryset(SoftDeleteQuerySet)()

    class Meta(OwnedModel.Meta):
        abstract = True

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    def put_away(self) -> None:
        """Delete softly: gone from lists and look-ups, its history intact."""
        self.deleted_at = timezone.now()
        self.save(update_fields=["deleted_at"])


def owned_relations(model) -> list:
    """The fields of `model` that point at owned rows."""
    return [
        field
        for field in model._meta.concrete_fields
        if field.is_relation and issubclass(field.related_model, OwnedModel)
    ]


class OwnedFormMixin:
    """A model form of one workspace: it saves there, and offers only its rows.

    An id of another workspace's row is refused in the words for an unknown id.
    """

    def __init__(self, *args, owner, **kwargs):
        super().__init__(*args, **kwargs)
        self.owner = owner
        self.instance.owner = owner
        for field in self.fields.values():
            if hasattr(field, "queryset"):
                field.queryset = field.queryset.for_owner(owner)

    def _get_validation_exclusions(self):
        # Constraints that name these are skipped unless they are validated too.
        return super()._get_validation_exclusions() - {"owner", "deleted_at"}
