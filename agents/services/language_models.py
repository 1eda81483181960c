"""Which model gives an agent's words, and verbs about a workspace's own endpoint."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from django.conf import settings
from django.db import transaction
from yarl import URL

from accounts import audit
from accounts.audit import Action
from accounts.models import Workspace
from agents import llm
from agents.models import LanguageModel
from agents.services.refusals import KeyLeftBehind, TooManyTests
from agents.tools import guard
from voiceops import limits

TESTS_A_MINUTE = 10  # each can hold a web thread for as long as a provider is slow
TEST_WITHIN_S = 10
TEST_QUESTION = {"role": "user", "content": "Say hello in five words."}
TEST_TOKENS = 50
SHOWN_CHARACTERS = 200

# A provider for the model that an agent names; "" if it names none.
Providers = Callable[[str], llm.Provider]


@dataclass(frozen=True)
class Trial:
    """What a provider answered to a question that asks nothing of it."""

    text: str
    elapsed_ms: int


def own_model(owner: Workspace) -> LanguageModel | None:
    return LanguageModel.objects.for_owner(owner).first()


def providers_of(owner: Workspace) -> Providers:
    """Who speaks for the workspace's agents, read once.

    Its own endpoint if it has one, and then no other: what its callers say goes where
    it chose and nowhere else, also while that is out of order.
    """
    own = own_model(owner)
    if own is None:
        return llm.configured_provider
    return lambda model: llm.GuardedProvider(
        base_url=own.base_url, api_key=own.api_key, model=model or own.model
    )


def provider_of(owner: Workspace, model: str = "") -> llm.Provider:
    return providers_of(owner)(model)


def connect_model(
    owner: Workspace, *, base_url: str, model: str, api_key: str | None
) -> LanguageModel:
    """Let the workspace's agents speak by this endpoint.

    With None the stored key stays; it follows to no other host, where whoever changes
    the address could read it. Raises KeyLeftBehind.
    """
    with transaction.atomic():
        # Two at once must not make two.
        Workspace.objects.select_for_update(no_key=True).get(pk=owner.pk)
        own = own_model(owner) or LanguageModel(owner=owner)
        if api_key is None and own.api_key and not _same_host(own.base_url, base_url):
            raise KeyLeftBehind
        own.base_url, own.model = base_url, model
        own.api_key = own.api_key if api_key is None else api_key
        with audit.changing(own):
            own.save()
    return own


def _same_host(one: str, other: str) -> bool:
    return guard.origin(URL(one)) == guard.origin(URL(other))


def disconnect_model(owner: Workspace) -> bool:
    """Back to the installation's model; False if there was no other."""
    with transaction.atomic():
        own = LanguageModel.objects.for_owner(owner).select_for_update().first()
        if own is None:
            return False
        audit.record(Action.DELETED, own)
        own.delete()
    return True


def try_model(owner: Workspace) -> Trial:
    """Ask the workspace's model something, now. Raises TooManyTests, llm.ModelFailed.

    Reaches out, so never within a transaction.
    """
    usage = limits.count("model-test", owner.pk, TESTS_A_MINUTE)
    if settings.RATE_LIMITS and not usage.is_allowed:
        raise TooManyTests(usage.reset_s)
    began = monotonic()
    request = llm.Request(messages=(TEST_QUESTION,), max_tokens=TEST_TOKENS)
    text = llm.run(llm.collect(provider_of(owner), request, TEST_WITHIN_S))
    shown = text.strip()[:SHOWN_CHARACTERS].strip()
    return Trial(shown, int((monotonic() - began) * 1000))
