"""The rules: what a stranger who knows all of somebody else's ids must be told.

Exactly what is told of ids that never existed, in words, status and headers; nothing of
the owner's may be shown, and nothing of the owner's may change.
"""

import json
import re
import secrets
import string
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote

from accounts.tenancy import owned_relations
from telephony.models import Call
from voiceops.isolation.routes import Kind, Route, is_uuid
from voiceops.isolation.tenants import Tenant, owned_models, snapshot
from voiceops.isolation.visitors import (
    WAYS,
    Answer,
    Sent,
    Visitor,
    Way,
    carrier_form,
    ways_of,
)

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# What may be asked of the owner's own rows to see that the ids open something.
OPENING_VERBS = ("GET", "POST", "DELETE")
# 502: so far that the carrier was asked, who is out of reach while the walk lasts.
GOT_THROUGH = {*range(500), 502} - {401, 403, 404, 405}
# Only operators get in, or everybody does: no id opens anything to its owner alone.
NOT_OPENED = {Kind.OPERATOR, Kind.SIGN_IN, Kind.PUBLIC}
COMPARED_HEADERS = (
    *("Allow", "Content-Type", "HX-Push-Url", "HX-Redirect", "Location"),
    *("Retry-After", "WWW-Authenticate", "Idempotent-Replayed"),
)
BY_NUMBER = "<str:number>"
TRIES = 3  # a clock that ticks between two answers makes them differ, once
UNKNOWN_WORDS = {"Unknown field.", "Unknown filter."}
# Enough for most forms and bodies to be read up to the ids in them.
WORDS: dict[str, object] = {
    "name": "A name",
    "label": "A label",
    "text": "A text",
    "note": "A note",
    "number": "+99900000000",
    "scopes": ["read"],
}
RANDOM = [
    (re.compile(r'data:image/[^"]+'), "a picture"),
    (re.compile(r"vo_[\w-]+…?|whsec_[\w+/=]+"), "a secret"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "an id"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.+Z-]+"), "a time"),
    (re.compile(r"\b\d{10}\.\d+"), "a time"),
    (re.compile(r"[\w-]{30,}"), "a token"),
    (re.compile(r"\d+:\d\d(:\d\d)?"), "a duration"),
    (re.compile(r'"elapsed_ms":\d+'), "a duration"),
    (re.compile(r"\bseen=[0-9a-f]{16}"), "a stamp"),  # of what a page shows
]


@dataclass
class Report:
    """What a route told the stranger, by verb and way, and the leaks in that."""

    route: Route
    statuses: dict[str, dict[Way, set[int]]] = field(default_factory=dict)
    owner_statuses: set[int] = field(default_factory=set)
    leaks: list[str] = field(default_factory=list)
    requests: int = 0

    def note(self, verb: str, way: Way, answer: Answer) -> None:
        self.requests += 1
        self.statuses.setdefault(verb, {}).setdefault(way, set()).add(answer.status)

    def add(self, leak: str) -> None:
        if leak not in self.leaks:
            self.leaks.append(leak)


def walk(owner: Tenant, stranger: Tenant, routes: list[Route]) -> Iterator[Report]:
    """Each route as the stranger sees it who knows the owner's ids."""
    before = snapshot(owner)
    visitors = Visitor(owner), Visitor(stranger)
    openers: dict[str, list[str]] = {}
    for route in routes:
        yield _Walk(route, *visitors, before, openers).report()


class _Walk:
    """One route, asked in every way with every verb."""

    def __init__(
        self,
        route: Route,
        host: Visitor,
        visitor: Visitor,
        before,
        openers: dict[str, list[str]],
    ):
        self._route, self._before, self._openers = route, before, openers
        self._host, self._visitor = host, visitor
        self._owner = owner = host.tenant
        self._stranger = visitor.tenant
        self._report = Report(route)
        self._known = _Knowledge(owner.ids, owner)
        likes = {value: like(value) for value in owner.ids.values()}
        unknown = {name: likes[value] for name, value in owner.ids.items()}
        self._unknown = _Knowledge(unknown, owner)

    def report(self) -> Report:
        if self._route.parameters:
            opening = self._opening_ids()
            self._walk_by_path(opening)
            for name in opening:
                self._walk_by_content(self._stranger.ids[name])
        else:
            self._walk_by_content()
        return self._report

    # -- Does the id open anything at all? -----------------------------------------

    def _opening_ids(self) -> list[str]:
        """The names of the ids with which the owner gets through here.

        Without any the walk would prove nothing, so that is a leak too.
        """
        if self._route.kind in NOT_OPENED:
            return []
        stem = self._route.stem
        # What opens one address opens those below it; else it may be any of the ids.
        known = self._openers.get(stem, [])
        opening = self._opened(known) or self._opened(self._fitting())
        if not opening:
            self._report.add(f"{self._route.template}: opens for nobody, not proven")
        elif not known:
            self._openers[stem] = opening
        return opening

    def _opened(self, names: list[str]) -> list[str]:
        opening: list[str] = []
        for verb in OPENING_VERBS:
            # What a page shows is what its forms take.
            found = self._opened_by(verb, opening or names)
            opening = opening or found
        return opening

    def _opened_by(self, verb: str, names: list[str]) -> list[str]:
        opened = []
        for name in names:
            status = self._ask_as_owner(verb, name)
            if status == 405:  # the route does not take the verb, whatever the id
                break
            if status in GOT_THROUGH:
                opened.append(name)
                self._report.owner_statuses.add(status)
        return opened

    def _ask_as_owner(self, verb: str, name: str) -> int:
        way = WAYS[self._route.kind][0]
        path = self._route.path(self._owner.ids[name])
        sent = Sent(body=self._carrier_body(self._owner, path))
        return self._host.ask(way, verb, self._route, path, sent).status

    def _fitting(self) -> list[str]:
        """The names of the ids that can stand in the path; one name for one value."""
        seen = {
            value: name
            for name, value in reversed(self._owner.ids.items())
            if self._route.takes(value)
        }
        return list(reversed(seen.values()))

    def _carrier_body(self, tenant: Tenant, path: str) -> dict:
        is_webhook = self._route.kind == Kind.WEBHOOK
        return carrier_form(tenant, path) if is_webhook else {}

    # -- Somebody else's id in the path --------------------------------------------

    def _walk_by_path(self, opening: list[str]) -> None:
        fitting = self._fitting()
        asked = fitting[:1] if self._route.kind in NOT_OPENED else opening or fitting
        for verb in VERBS:
            for way in ways_of(self._route.kind, verb):
                for name in asked:
                    self._compare(way, verb, self._by_path(way, name))

    def _by_path(self, way: Way, name: str) -> "Callable[[_Knowledge], _Question]":
        def question(knowledge: _Knowledge) -> _Question:
            path = self._route.path(knowledge.ids[name])
            body = {}
            if way == Way.SIGNED:
                body = carrier_form(self._stranger, path)
                body |= {"CallSid": knowledge.ids["call.sid"]}
            sent = Sent(body=body, headers=knowledge.headers)
            return _Question(path, sent, knowledge)

        return question

    # -- Somebody else's ids in query, body and headers ----------------------------

    def _walk_by_content(self, own_id: str = "") -> None:
        path = self._route.path(own_id)
        everything = {*self._known.content, *WORDS}
        for verb in VERBS:
            for way in ways_of(self._route.kind, verb):
                plain = self._ask_plainly(way, verb, path)
                question = self._by_content(path, everything, verb)
                if plain.wants_log_in:
                    self._compare(way, verb, question)
                    continue
                if plain.status in {401, 405}:  # ids must not change that
                    self._compare(way, verb, question, expected=plain)
                    continue
                for names in self._choices(way, verb, path, plain):
                    self._compare(way, verb, self._by_content(path, names, verb))

    def _ask_plainly(self, way: Way, verb: str, path: str) -> Answer:
        """With the stranger's own things only: nothing of the owner's may show."""
        sent = Sent(body=self._carrier_body(self._stranger, path))
        answer = self._ask(way, verb, _Question(path, sent, None))
        self._report.note(verb, way, answer)
        return answer

    def _choices(self, way: Way, verb: str, path: str, plain: Answer) -> list[set[str]]:
        """All names at once, and each id alone: one refusal may hide the next.

        Without those that the route refuses as unknown: else it reads none. Where all
        together make no difference to the `plain` answer, none is read.
        """
        everything = {*self._known.content, *WORDS}
        is_main = way == WAYS[self._route.kind][0] and verb not in {"HEAD", "OPTIONS"}
        if not is_main or self._route.kind in NOT_OPENED:
            return [everything]
        question = self._by_content(path, everything, verb)(self._known)
        answer = self._ask(way, verb, question)
        if not _difference((answer, question), (plain, question)):
            return [everything]
        names = everything - _refused_names(answer)
        words = names & WORDS.keys()
        alone = sorted(names & self._names_to_try_alone())

        def ask_with(ids: set[str], knowledge: _Knowledge):
            question = self._by_content(path, {*words, *ids}, verb)(knowledge)
            return self._ask(way, verb, question), question

        wordy = ask_with(set(), self._known)

        def is_read(ids: list[str]) -> bool:
            """Whether any of them makes a difference to the words alone: one of theirs,
            or one that never existed."""
            return any(
                _difference(ask_with({*ids}, knowledge), wordy)
                for knowledge in (self._known, self._unknown)
            )

        return [names, *({*words, name} for name in _narrowed(alone, is_read))]

    def _names_to_try_alone(self) -> set[str]:
        """Those of relations: `agent` in forms, `agent_id` in the API."""
        names = _names_of_relations()
        if self._route.kind == Kind.API:
            return {*names, *(f"{name}_id" for name in names)}
        return names

    def _by_content(
        self, path: str, names: set[str], verb: str
    ) -> "Callable[[_Knowledge], _Question]":
        def question(knowledge: _Knowledge) -> _Question:
            ids = {
                name: value
                for name, value in knowledge.content.items()
                if name in names
            }
            words = {name: word for name, word in WORDS.items() if name in names}
            body = {**words, **ids, **self._carrier_body(self._stranger, path)}
            if self._route.kind == Kind.WEBHOOK:
                body["CallSid"] = knowledge.ids["call.sid"]
            if verb in {"GET", "HEAD"}:
                body = {}
            query = ids if verb in {"GET", "HEAD"} or not body else {}
            return _Question(path, Sent(query, body, knowledge.headers), knowledge)

        return question

    # -- Asking and comparing ------------------------------------------------------

    def _compare(
        self, way: Way, verb: str, question, expected: Answer | None = None
    ) -> None:
        """Ask with the owner's ids and with unknown ones: the answers are the same.

        With `expected`, an answer without any ids may also be what it is the same as.
        """
        known, unknown = question(self._known), question(self._unknown)
        for _ in range(TRIES):
            told = self._ask(way, verb, known)
            other, expected = expected or self._ask(way, verb, unknown), None
            difference = _difference((told, known), (other, unknown))
            if not difference:
                break
        else:
            self._leak(verb, difference)
        self._report.note(verb, way, told)
        if known.path != unknown.path:
            self._expect_refusal(verb, told)

    def _expect_refusal(self, verb: str, told: Answer) -> None:
        """An id of somebody else's opens nothing, whatever unknown ids do.

        A number is no id: anybody may look at what they have themselves of it.
        """
        if BY_NUMBER in self._route.template:
            return
        opens = told.status < 400 and not told.wants_log_in
        if opens and verb != "OPTIONS" and self._route.kind != Kind.SIGN_IN:
            self._leak(verb, str(told.status))

    def _ask(self, way: Way, verb: str, question: "_Question") -> Answer:
        with self._visitor.asking(
            way, verb, self._route, question.path, question.sent
        ) as answer:
            after = snapshot(self._owner, answer.written) if answer.written else {}
            has_changed = any(self._before[name] != after[name] for name in after)
        if has_changed:
            self._leak(verb, "changed the owner's rows")
        if answer.error or answer.status == 500:
            self._leak(verb, f"{answer.status} {answer.error}".strip())
        if trace := self._trace_in(answer, question):
            self._leak(verb, f"shows the owner's {trace}")
        return answer

    def _trace_in(self, answer: Answer, question: "_Question") -> str:
        said = f"{answer.headers}\n{answer.text}"
        for value in sorted(question.given, key=len, reverse=True):
            said = said.replace(value, "")
        if not any(trace in said for trace in self._owner.traces):
            return ""
        ids = {value: name for name, value in self._owner.ids.items()}
        return next((ids[value] for value in ids if value in said), "words")

    def _leak(self, verb: str, what: str) -> None:
        self._report.add(f"{verb} {self._route.template}: {what}")


class _Knowledge:
    """The ids somebody knows, and everywhere but in the path that they could stand."""

    def __init__(self, ids: dict[str, str], owner: Tenant):
        self.ids = ids
        # Numbers, in links, are another text.
        self.written = [
            (text, f"the {name}")
            for name, value in ids.items()
            for text in dict.fromkeys((value, quote(value)))
        ]
        self.content = {
            name: ids[f"{model}.pk"] for name, model in _names_of_ids(owner).items()
        }
        key = ids.get("keptanswer.key", ids["call.pk"])
        self.headers = {
            "Idempotency-Key": key,
            "X-Workspace-Id": ids["workspace.pk"],
            "X-User-Id": ids["user.pk"],
        }


@dataclass(frozen=True)
class _Question:
    path: str
    sent: Sent
    knowledge: _Knowledge | None

    @property
    def given(self) -> set[str]:
        """The ids that the asker brought along: they may come back."""
        return set(self.knowledge.ids.values()) if self.knowledge else set()


def _names_of_ids(owner: Tenant) -> dict[str, str]:
    """The names by which forms, bodies and filters may take an id, and of what."""
    found = {"owner": "workspace", "workspace": "workspace", "user": "user"}
    for model in owned_models():
        found[model._meta.model_name] = model._meta.model_name
        for relation in owned_relations(model):
            found[relation.name] = relation.related_model._meta.model_name
    call = Call._meta.model_name
    with_suffix = {f"{name}_id": model for name, model in found.items()}
    return {**found, **with_suffix, "id": call, "before": call, "after": call}


def _names_of_relations() -> set[str]:
    fields = (field for model in owned_models() for field in owned_relations(model))
    return {field.name for field in fields} | {"before", "after"}


def like(value: str) -> str:
    """A text of the same shape that names nothing; of an id, one of the same moment.

    Ids say when they were made, and some lists take them for a place to begin.
    """
    if is_uuid(value):
        return value[:14] + str(uuid.uuid4())[14:]
    alphabet, kept = string.hexdigits[:16], 2
    if value.startswith("+"):
        alphabet, kept = string.digits, 4
    return value[:kept] + "".join(secrets.choice(alphabet) for _ in value[kept:])


def _refused_names(answer: Answer) -> set[str]:
    """The names that a problem+json body calls unknown."""
    with suppress(ValueError, AttributeError):
        errors = json.loads(answer.text).get("errors", {})
        return {name for name, words in errors.items() if UNKNOWN_WORDS & {*words}}
    return set()


def _narrowed(names: list[str], is_read: Callable[[list[str]], bool]) -> list[str]:
    """Those of the `names` that are read: halves of which none is are left alone."""
    if not names or not is_read(names):
        return []
    if len(names) == 1:
        return names
    middle = len(names) // 2
    return [
        *_narrowed(names[:middle], is_read),
        *_narrowed(names[middle:], is_read),
    ]


def _difference(told, expected) -> str:
    """How two answers differ, beyond what differs between any two requests."""
    (answer, question), (other, other_question) = told, expected
    if answer.status != other.status:
        return f"{answer.status}, not {other.status}"
    if _plain(answer.text, question) != _plain(other.text, other_question):
        return "another body than for an unknown id"
    for name in COMPARED_HEADERS:
        mine, nobodys = answer.headers.get(name, ""), other.headers.get(name, "")
        if _plain(mine, question) != _plain(nobodys, other_question):
            return f"another {name} than for an unknown id"
    return ""


def _plain(text: str, question: _Question) -> str:
    for written, name in question.knowledge.written:
        text = text.replace(written, name)
    for pattern, what in RANDOM:
        text = pattern.sub(what, text)
    return text
