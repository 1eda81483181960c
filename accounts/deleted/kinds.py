"""The kinds of rows that can be deleted and brought back, told by their models."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from django.apps import apps
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from accounts.permissions import Action
from accounts.tenancy import SoftDeleteModel, owned_relations

NAMES = ("name", "label")  # fields by which people know a row; the first there is


@dataclass(frozen=True)
class Kind:
    """What there is to know about bringing back (and purging) the rows of `model`.

    `means` tells people in a sentence what restoring does. `named` is the field they
    know a row by, `right` what their role must allow. It does not come back while one
    of `needs` is deleted: names of relations, to which those belong by themselves that
    may not be null. `restore` is for kinds that the outside world has a part in: it
    must end in `bring_back`. `parts` are names of the relations by which rows that
    protect this one point at it, though they are nothing without it: purged along.
    """

    model: type[SoftDeleteModel]
    means: str = _("It comes back as it was; if it can be switched on, it is off.")
    named: str = ""
    right: Action = Action.WRITE
    needs: tuple[str, ...] = ()
    restore: Callable[[SoftDeleteModel], SoftDeleteModel] | None = None
    parts: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its name in the API, as in the audit log."""
        return self.model.audited_as[0]

    @property
    def title(self) -> str:
        return capfirst(str(self.model.audited_as[1]))

    @cached_property
    def name_field(self) -> str:
        fields = {field.name for field in self.model._meta.concrete_fields}
        known = [self.named, *NAMES]
        return next((name for name in known if name in fields), "id")

    @property
    def can_be_renamed(self) -> bool:
        """Whether it may come back under another name, should its own be taken."""
        return self.name_field == "name"

    @cached_property
    def all_needs(self) -> list:
        """The relations without which a row cannot come back."""
        return [
            field
            for field in owned_relations(self.model)
            if issubclass(field.related_model, SoftDeleteModel)
            and (field.name in self.needs or not field.null)
        ]


_told: dict[type[SoftDeleteModel], Kind] = {}


def register(kind: Kind) -> None:
    """Say more about a kind than its model's fields do. For `deletion.py` of apps."""
    _told[kind.model] = kind


def kind_of(model: type[SoftDeleteModel]) -> Kind:
    return _told.get(model) or Kind(model)


def kinds() -> list[Kind]:
    """Every kind of row that can be deleted, in the order of the installed apps."""
    models = apps.get_models()
    return [kind_of(model) for model in models if issubclass(model, SoftDeleteModel)]


def kind_named(key: str) -> Kind:
    return next(kind for kind in kinds() if kind.key == key)
