"""Entries of the audit log in plain words.

Names and values are what people wrote: they are escaped, and `bdi` keeps a text that
turns the direction of writing from turning what stands around it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models.functions import Cast
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.audit import Action, Source, audited_models
from accounts.models import AuditEntry, SwitchedOff, Workspace

# Each with its icon. {what} is "the voice agent “Reception”", {name} its name alone.
SENTENCES = {
    Action.CREATED: ("plus", gettext_lazy("{who} made {what}")),
    Action.CHANGED: ("pencil", gettext_lazy("{who} changed {what}")),
    Action.DELETED: ("trash-2", gettext_lazy("{who} deleted {what}")),
    Action.RESTORED: ("undo-2", gettext_lazy("{who} restored {what}")),
    Action.PURGED: ("trash-2", gettext_lazy("{who} deleted {what} for ever")),
    Action.ACTIVATED: ("power", gettext_lazy("{who} activated {what}")),
    Action.DEACTIVATED: ("power-off", gettext_lazy("{who} deactivated {what}")),
    Action.REVOKED: ("ban", gettext_lazy("{who} revoked {what}")),
    Action.POINTED: (
        "phone-forwarded",
        gettext_lazy("{who} pointed {what} here again"),
    ),
    Action.TESTED: ("play", gettext_lazy("{who} tested {what}")),
    Action.PLACED: ("phone-outgoing", gettext_lazy("{who} placed {what}")),
    Action.CANCELED: ("ban", gettext_lazy("{who} canceled {what}")),
    Action.PAUSED: ("pause", gettext_lazy("{who} paused {what}")),
    Action.RESUMED: ("play", gettext_lazy("{who} resumed {what}")),
    Action.SUSPENDED: ("octagon-x", gettext_lazy("{who} suspended {what}")),
    Action.LOOKED: (
        "eye",
        gettext_lazy("An operator of VoiceOps looked at this workspace as {name}"),
    ),
    Action.TAKEN_OVER: ("user", gettext_lazy("{who} took over {what}")),
    Action.RELEASED: ("bot", gettext_lazy("{who} handed {what} back to the agent")),
    Action.CLOSED: ("check", gettext_lazy("{who} closed {what}")),
    Action.INVITED: ("mail", gettext_lazy("{who} invited {name}")),
    Action.RESENT: ("mail", gettext_lazy("{who} sent {what} again")),
    Action.JOINED: ("user-plus", gettext_lazy("{who} joined the workspace")),
    Action.LEFT: ("user-minus", gettext_lazy("{who} left the workspace")),
    Action.REMOVED: ("user-minus", gettext_lazy("{who} removed {what}")),
    Action.MADE_OWNER: ("key-round", gettext_lazy("{who} made {name} the owner")),
    Action.SIGNED_IN: ("log-in", gettext_lazy("{who} signed in")),
    Action.LOGIN_REVOKED: ("log-out", gettext_lazy("{who} ended log-ins of {name}")),
    Action.PASSWORD_CHANGED: ("lock", gettext_lazy("{who} changed their password")),
    Action.TWO_FACTOR_ON: ("shield", gettext_lazy("{who} switched two-factor on")),
    Action.TWO_FACTOR_OFF: ("shield", gettext_lazy("{who} switched two-factor off")),
}
# What services tell besides the fields of a row.
OTHER_FIELDS = {
    "replaced_by": gettext_lazy("replaced by"),
    "owner": gettext_lazy("owner"),
    "do_not_contact": gettext_lazy("do-not-contact list"),
    "previous_token": gettext_lazy("previous token"),
    "reason": gettext_lazy("reason"),
    **dict(SwitchedOff.Feature.choices),
}


@dataclass(frozen=True)
class Told:
    """An entry as the page shows it; `url` is empty where nothing is there any more."""

    entry: AuditEntry
    icon: str
    sentence: SafeString
    source: str
    changes: list[tuple[str, str, str]]
    url: str


def tell(entries: list[AuditEntry], owner: Workspace) -> list[Told]:
    """The entries in words, with the addresses of objects that still exist."""
    urls = _urls(entries, owner)
    return [
        Told(
            entry=entry,
            icon=SENTENCES[Action(entry.action)][0],
            sentence=sentence(entry),
            source=_source(entry),
            changes=changes_of(entry),
            url=urls.get(entry.object_id, ""),
        )
        for entry in entries
    ]


def sentence(entry: AuditEntry) -> SafeString:
    who = entry.actor_name or entry.actor_email or _("Somebody")
    name = format_html("<bdi>{}</bdi>", entry.label)
    kind = kinds().get(entry.kind, entry.kind)
    _icon, words = SENTENCES[Action(entry.action)]
    return format_html(
        str(words),
        who=format_html("<bdi>{}</bdi>", who),
        name=name,
        what=format_html(_("the {kind} “{name}”"), kind=kind, name=name),
    )


def kinds() -> dict[str, str]:
    """What the kinds of objects are called, by the names that entries have for them."""
    return {name: str(model.audited_as[1]) for name, model in audited_models().items()}


def _source(entry: AuditEntry) -> str:
    if entry.source != Source.API_KEY:
        return entry.get_source_display()
    return f"{entry.get_source_display()} {entry.token_name} ({entry.token_prefix}…)"


def changes_of(entry: AuditEntry) -> list[tuple[str, str, str]]:
    """For each field: what it is called, what it was, what it became."""
    model = audited_models().get(entry.kind)
    told = []
    for name, (before, after) in entry.changes.items():
        field = _field(model, name)
        label = OTHER_FIELDS.get(name) or getattr(field, "verbose_name", name)
        told.append((capfirst(str(label)), _words(field, before), _words(field, after)))
    return told


def _field(model: type[models.Model] | None, name: str) -> models.Field | None:
    try:
        return model._meta.get_field(name) if model else None
    except FieldDoesNotExist:
        return None


def _words(field: models.Field | None, value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, indent=1)
    return str(dict(getattr(field, "flatchoices", ())).get(value, value))


def _urls(entries: Iterable[AuditEntry], owner: Workspace) -> dict[str, str]:
    """Addresses of the objects that exist, by their ids: asked for all at once."""
    ids: dict[type[models.Model], set[str]] = {}
    for entry in entries:
        model = audited_models().get(entry.kind)
        if hasattr(model, "get_absolute_url"):
            ids.setdefault(model, set()).add(entry.object_id)
    asked = [
        model.objects.for_owner(owner)
        .filter(pk__in=wanted)
        .order_by()
        .values("pk", told=Cast(_addressed_by(model), models.CharField()))
        for model, wanted in ids.items()
    ]
    if not asked:
        return {}
    found = {row["pk"]: row["told"] for row in asked[0].union(*asked[1:])}
    return {
        str(pk): _url(model, pk, told)
        for model, wanted in ids.items()
        for pk, told in found.items()
        if str(pk) in wanted
    }


def _addressed_by(model: type[models.Model]) -> str:
    return getattr(model, "addressed_by", "pk")


def _url(model: type[models.Model], pk: Any, told: str) -> str:
    row = model(pk=pk)
    if (name := _addressed_by(model)) != "pk":
        setattr(row, name, told)
    return row.get_absolute_url()
