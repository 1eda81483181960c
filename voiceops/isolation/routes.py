"""Every address of the project, as something that ids can be filled into."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.contrib.admindocs.views import simplify_regex
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern
from rest_framework.views import APIView


class Kind(StrEnum):
    PAGE = "page"
    API = "API"
    WEBHOOK = "webhook"
    PUBLIC = "public API"  # the same for everybody, or for people not logged in yet
    SIGN_IN = "sign-in"
    OPERATOR = "operator"


BY_PREFIX = {
    "webhooks/": Kind.WEBHOOK,
    "account/": Kind.SIGN_IN,
    # Opened by a secret that is in a mail and nowhere else: no id is one.
    "invitations/<": Kind.SIGN_IN,
    # Likewise, by what is signed into it.
    "media/<": Kind.SIGN_IN,
    "digest/<": Kind.SIGN_IN,
    f"{settings.ADMIN_PATH}/": Kind.OPERATOR,
}
# What the probes answer is no workspace's, and `readyz` asks the broker.
PROBES = {"livez", "readyz", "metrics"}
PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
UNNAMED = "<var>"  # how `simplify_regex` writes a group without a name


@dataclass(frozen=True)
class Route:
    """An address; its template has `<converter:name>` where something is filled in."""

    template: str
    kind: Kind = Kind.PAGE

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(name for _, name in PARAMETER.findall(self.template))

    @property
    def stem(self) -> str:
        """What stands up to the first id: the same ids open what has the same stem."""
        return self.template.partition(">")[0]

    def takes(self, value: str) -> bool:
        """Whether the address can be filled with `value`."""
        return "<uuid:" not in self.template or is_uuid(value)

    def path(self, value: str = "") -> str:
        """The path with `value` for every id in it, and 1 for every number."""
        return "/" + PARAMETER.sub(
            lambda found: "1" if found[1] == "int" else value, self.template
        )


def is_uuid(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) is not None


def routes() -> list[Route]:
    """Every route of the URL configuration in use, once, in its order.

    Left out are the probes, and what answers for all unknown addresses.
    """
    found = _walk(get_resolver().url_patterns, "")
    wanted = (
        Route(template, _kind(template, view))
        for template, view in found
        if template not in PROBES and UNNAMED not in template
    )
    return list(dict.fromkeys(wanted))


def _walk(patterns, prefix: str) -> Iterator[tuple[str, object]]:
    for entry in patterns:
        template = prefix + _template(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, template)
        elif isinstance(entry, URLPattern):
            yield template, entry.callback


def _template(pattern) -> str:
    if isinstance(pattern, RegexPattern):
        return simplify_regex(str(pattern)).removeprefix("/")
    return str(pattern)


def _kind(template: str, view) -> Kind:
    for prefix, kind in BY_PREFIX.items():
        if template.startswith(prefix):
            return kind
    if not issubclass(getattr(view, "cls", object), APIView):
        return Kind.PAGE
    asks_who = view.initkwargs.get(
        "authentication_classes", view.cls.authentication_classes
    )
    return Kind.API if asks_who else Kind.PUBLIC
