"""Where in the documents of an earlier system stands what: read from TOML.

`mapping.toml` beside this file has every name that there is. A file of one's own says
only what differs.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from accounts.zones import zone_names
from importing import values
from importing.values import Refused

DEFAULT = Path(__file__).with_name("mapping.toml")


class BadMapping(Exception):
    """The mapping cannot be used: `str()` says why."""


@dataclass(frozen=True)
class Collection:
    """One collection: `fields` are paths in a document by our name of the field, the
    first that is there counts; `words` are ours by theirs, by our name of the field.
    """

    name: str
    fields: Mapping[str, tuple[str, ...]]
    words: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Defaults:
    """What is meant where a document does not say it."""

    zone: ZoneInfo
    country: str
    currency: str
    account_sid: str


@dataclass(frozen=True)
class Names:
    defaults: Defaults
    collections: Mapping[str, Collection]


def read(path: Path | None = None) -> Names:
    """The default mapping, with what the file at `path` says instead."""
    told = _toml(DEFAULT)
    if path is not None:
        _merge(told, _toml(path), "")
    return _names(told)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadMapping(f"{path}: {error}") from None


def _merge(into: dict[str, Any], told: dict[str, Any], where: str) -> None:
    for name, value in told.items():
        here = f"{where}{name}"
        is_open = where.endswith(".words.")  # any field, any word of theirs
        if name not in into and not is_open and ".words." not in where:
            raise BadMapping(f"There is no {here} to map.")
        known = into.get(name)
        if known is not None and isinstance(known, dict) != isinstance(value, dict):
            raise BadMapping(f"{here} is of another kind.")
        if isinstance(value, dict):
            _merge(into.setdefault(name, {}), value, f"{here}.")
        else:
            into[name] = value


def _names(told: dict[str, Any]) -> Names:
    defaults = told.pop("defaults")
    if defaults["timezone"] not in zone_names():
        raise BadMapping("defaults.timezone is no time zone.")
    found = {name: _collection(name, each) for name, each in told.items()}
    return Names(
        Defaults(
            zone=ZoneInfo(defaults["timezone"]),
            country=_text("defaults.country", defaults["country"]),
            currency=_text("defaults.currency", defaults["currency"]),
            account_sid=_text("defaults.account_sid", defaults["account_sid"]),
        ),
        found,
    )


def _collection(name: str, told: dict[str, Any]) -> Collection:
    return Collection(
        name=_text(f"{name}.collection", told["collection"]),
        fields={
            field: _paths(f"{name}.fields.{field}", paths)
            for field, paths in told["fields"].items()
        },
        words={
            field: {
                values.word(theirs): _text(f"{name}.words.{field}", ours)
                for theirs, ours in words.items()
            }
            for field, words in told.get("words", {}).items()
        },
    )


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadMapping(f"{where} is no text.")
    return value


def _paths(where: str, value: Any) -> tuple[str, ...]:
    """One path or several; `""` or none: the earlier system has no such field."""
    paths = [value] if isinstance(value, str) else value
    if not (isinstance(paths, list) and all(isinstance(path, str) for path in paths)):
        raise BadMapping(f"{where} is neither a path nor a list of paths.")
    return tuple(path for path in paths if path)


class Document:
    """A document, read by the names that its collection has for things."""

    def __init__(self, told: Mapping[str, Any], names: Collection, defaults: Defaults):
        self._told, self._names, self._defaults = told, names, defaults

    @property
    def id(self) -> str:
        return self.need("id", values.source_id)

    @property
    def fields(self) -> set[str]:
        return set(self._names.fields)

    def get(self, field: str, convert, default=None):
        """The field as `convert` reads it, `default` where there is none."""
        for path in self._names.fields[field]:
            found = _at(self._told, path)
            if found is not None and found != "":
                return self._converted(path, found, convert)
        return default

    def need(self, field: str, convert):
        found = self.get(field, convert)
        if found is None:
            raise Refused(f"{field} is missing")
        return found

    def _converted(self, path: str, found: Any, convert):
        try:
            return convert(found)
        except Refused as refused:
            raise Refused(f"{path} {refused}") from None

    def word(self, field: str, choices, default=None):
        """One of `choices`, in our word or in one that the mapping translates."""
        said = self.get(field, values.word)
        if said is None:
            return default
        ours = self._names.words.get(field, {}).get(said, said)
        known = {values.word(choice): choice for choice in choices}
        if values.word(ours) not in known:
            raise Refused(f"{field} is a word that the mapping does not have")
        return known[values.word(ours)]

    def moment(self, field: str, default=None):
        return self.get(field, lambda v: values.moment(v, self._defaults.zone), default)

    def number(self, field: str):
        return self.need(field, lambda v: values.number(v, self._defaults.country))

    def party(self, field: str) -> str:
        return self.get(field, lambda v: values.party(v, self._defaults.country), "")

    def within(self, told: Any) -> "Document":
        """A document in this one, with the same names."""
        return Document(values.mapping(told), self._names, self._defaults)

    @property
    def is_deleted(self) -> bool:
        return self.get("is_deleted", values.boolean, False)


def _at(told: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(told, Mapping):
            return None
        told = told.get(name)
    return told
