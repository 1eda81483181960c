"""Every way into owned rows refuses until somebody says whose rows."""

import asyncio

import pytest
from django.db.models import Count, Exists, F, OuterRef, Prefetch, Q, Subquery
from django.forms import modelform_factory

from accounts.forms import OwnedForm
from accounts.models import AccessToken, User, Workspace
from accounts.tenancy import ForeignRow, OwnedModel, UnscopedQuery, owned_relations
from agents.models import Prompt, PromptVersion, VoiceAgent
from telephony.models import Call, CarrierAccount, Phone

pytestmark = pytest.mark.django_db


async def _first_async(rows):
    async for row in rows:
        return row


def _prefetch(rows):
    return list(
        Prompt.unscoped.all().prefetch_related(Prefetch("versions", queryset=rows))
    )


VERSIONS = PromptVersion.objects
WAYS_IN = {
    "list": lambda: list(Prompt.objects.all()),
    "iterate": lambda: next(iter(Prompt.objects.all()), None),
    "iterator": lambda: next(Prompt.objects.iterator(), None),
    "get": lambda: Prompt.objects.get(name="a"),
    "filter": lambda: list(Prompt.objects.filter(name="a")),
    "exclude": lambda: list(Prompt.objects.exclude(name="a")),
    "exclude of a relation": lambda: list(Prompt.objects.exclude(versions__number=9)),
    "first": lambda: Prompt.objects.first(),
    "last": lambda: Prompt.objects.last(),
    "latest": lambda: Prompt.objects.latest("id"),
    "earliest": lambda: Prompt.objects.earliest("id"),
    "index": lambda: Prompt.objects.all()[0],
    "slice": lambda: list(Prompt.objects.all()[:3]),
    "len": lambda: len(Prompt.objects.all()),
    "bool": lambda: bool(Prompt.objects.all()),
    "contains": lambda: Prompt.objects.contains(Prompt.unscoped.first()),
    "in": lambda: Prompt.unscoped.first() in Prompt.objects.all(),
    "count": lambda: Prompt.objects.count(),
    "exists": lambda: Prompt.objects.exists(),
    "aggregate": lambda: Prompt.objects.aggregate(n=Count("id")),
    "annotate": lambda: list(Prompt.objects.annotate(n=Count("versions"))),
    "values": lambda: list(Prompt.objects.values("name")),
    "values_list": lambda: list(Prompt.objects.values_list("name")),
    "only": lambda: list(Prompt.objects.only("name")),
    "defer": lambda: list(Prompt.objects.defer("text")),
    "distinct": lambda: list(Prompt.objects.distinct()),
    "order_by": lambda: list(Prompt.objects.order_by("name")),
    "reverse": lambda: list(Prompt.objects.order_by("name").reverse()),
    "dates": lambda: list(Prompt.objects.dates("created_at", "day")),
    "datetimes": lambda: list(Prompt.objects.datetimes("created_at", "hour")),
    "in_bulk": lambda: Prompt.objects.in_bulk(),
    "select_related": lambda: list(PromptVersion.objects.select_related("prompt")),
    "prefetch_related": lambda: list(Prompt.objects.prefetch_related("versions")),
    "prefetched rows": lambda: _prefetch(PromptVersion.objects.all()),
    "select_for_update": lambda: list(Prompt.objects.select_for_update()),
    "explain": lambda: Prompt.objects.all().explain(),
    "raw": lambda: list(Prompt.objects.raw("SELECT * FROM agents_prompt")),
    "update": lambda: Prompt.objects.update(name="x"),
    "update_or_create": lambda: Prompt.objects.update_or_create(name="x"),
    "get_or_create": lambda: Prompt.objects.get_or_create(name="a"),
    "bulk_update": lambda: Prompt.objects.bulk_update(
        list(Prompt.unscoped.all()), ["name"]
    ),
    "bulk_create": lambda: Prompt.objects.bulk_create([Prompt(name="x")]),
    "delete": lambda: Prompt.objects.all().delete(),
    "union": lambda: list(Prompt.objects.union(Prompt.unscoped.all())),
    "union into a closed one": lambda: list(
        Prompt.unscoped.all().union(Prompt.objects.all())
    ),
    "intersection": lambda: list(
        Prompt.unscoped.all().intersection(Prompt.objects.all())
    ),
    "difference": lambda: list(Prompt.unscoped.all().difference(Prompt.objects.all())),
    "or": lambda: list(Prompt.objects.all() | Prompt.unscoped.all()),
    "or into a closed one": lambda: list(Prompt.unscoped.all() | Prompt.objects.all()),
    "or of an owner and everybody": lambda: list(
        Prompt.objects.for_owner(Workspace.objects.first()) | Prompt.objects.all()
    ),
    "and": lambda: list(Prompt.objects.all() & Prompt.unscoped.all()),
    "xor": lambda: list(Prompt.objects.all() ^ Prompt.unscoped.all()),
    "subquery in a filter": lambda: list(
        PromptVersion.unscoped.filter(prompt__in=Prompt.objects.all())
    ),
    "subquery": lambda: list(
        Workspace.objects.annotate(n=Subquery(Prompt.objects.values("name")[:1]))
    ),
    "exists subquery": lambda: list(
        Workspace.objects.filter(Exists(Prompt.objects.filter(owner=OuterRef("pk"))))
    ),
    "condition with a subquery": lambda: list(
        Workspace.objects.filter(Q(pk__in=Prompt.objects.values("owner")))
    ),
    "reverse relation": lambda: list(Prompt.unscoped.first().versions.all()),
    "reverse count": lambda: Prompt.unscoped.first().versions.count(),
    "default manager": lambda: list(Prompt._default_manager.all()),
    "async iteration": lambda: asyncio.run(_first_async(Prompt.objects.all())),
    "async iteration after exclude": lambda: asyncio.run(
        _first_async(Prompt.objects.exclude(name="x"))
    ),
    "form field": lambda: list(
        modelform_factory(VoiceAgent, fields=["prompt"])().fields["prompt"].choices
    ),
    "expression": lambda: list(Prompt.objects.filter(name=F("text"))),
}


@pytest.fixture
def prompt(alice):
    prompt = Prompt.unscoped.create(owner=alice.workspace, name="a", text="Hello")
    PromptVersion.unscoped.create(
        owner=alice.workspace, prompt=prompt, number=1, text="Hello"
    )
    return prompt


@pytest.mark.parametrize("way", WAYS_IN.values(), ids=WAYS_IN.keys())
def test_no_way_in_without_an_owner(way, prompt):
    with pytest.raises(UnscopedQuery):
        way()

    assert Prompt.unscoped.get().name == "a"


def test_there_are_fifty_ways_and_more():
    assert len(WAYS_IN) >= 50


def test_for_owner_sees_only_its_rows(prompt, alice, mallory):
    assert list(Prompt.objects.for_owner(alice.workspace)) == [prompt]
    assert list(Prompt.objects.for_owner(mallory.workspace)) == []
    assert list(Prompt.objects.none()) == []


def test_for_owner_after_a_slice_is_refused(prompt, alice):
    with pytest.raises(UnscopedQuery):
        Prompt.objects.all()[:1].for_owner(alice.workspace)


def test_for_owner_hides_what_was_deleted(prompt, alice):
    prompt.put_away()

    assert list(Prompt.objects.for_owner(alice.workspace)) == []
    assert Prompt.unscoped.get().is_deleted


def test_a_row_cannot_point_at_another_owners_row(prompt, mallory):
    agent = VoiceAgent(owner=mallory.workspace, name="Eve", prompt=prompt)

    with pytest.raises(ForeignRow):
        agent.save()

    assert VoiceAgent.unscoped.count() == 0


def test_a_row_cannot_be_moved_to_another_owners_row_by_id(prompt, mallory):
    agent = VoiceAgent.unscoped.create(owner=mallory.workspace, name="Eve")
    agent.prompt_id = prompt.pk

    with pytest.raises(ForeignRow):
        agent.save(update_fields=["prompt"])

    assert VoiceAgent.unscoped.get().prompt_id is None


class AgentForm(OwnedForm):
    class Meta:
        model = VoiceAgent
        fields = ["name", "prompt"]


def test_a_form_words_a_foreign_id_as_an_unknown_one(prompt, mallory):
    unknown = "01930000-0000-7000-8000-000000000000"

    foreign = AgentForm({"name": "E", "prompt": prompt.pk}, owner=mallory.workspace)
    missing = AgentForm({"name": "E", "prompt": unknown}, owner=mallory.workspace)

    assert foreign.errors.as_json() == missing.errors.as_json()
    assert "prompt" in foreign.errors


def test_a_form_says_that_a_name_is_taken_in_this_workspace_only(alice, mallory):
    VoiceAgent.unscoped.create(owner=alice.workspace, name="Reception")

    again = AgentForm({"name": "Reception"}, owner=alice.workspace)
    elsewhere = AgentForm({"name": "Reception"}, owner=mallory.workspace)

    assert again.non_field_errors() == ["You already have an agent of this name."]
    assert elsewhere.is_valid()


def owned_models():
    return [model for model in _all_subclasses(OwnedModel) if not model._meta.abstract]


def _all_subclasses(model):
    for subclass in model.__subclasses__():
        yield subclass
        yield from _all_subclasses(subclass)


@pytest.mark.parametrize("model", owned_models(), ids=lambda model: model.__name__)
def test_every_owned_model_has_a_closed_default_manager(model):
    with pytest.raises(UnscopedQuery):
        model._default_manager.count()
    assert model._base_manager.count() == 0


def rows_that_point_across_owners() -> list[str]:
    """Walk the whole database for relations that leave their workspace."""
    return [
        f"{model.__name__}.{field.name}"
        for model in owned_models()
        for field in owned_relations(model)
        if model.unscoped.exclude(**{field.name: None})
        .exclude(**{f"{field.name}__owner": F("owner")})
        .exists()
    ]


def test_the_walk_over_the_database_finds_a_row_that_points_across(
    prompt, alice, mallory
):
    agent = VoiceAgent.unscoped.create(owner=mallory.workspace, name="Eve")
    assert rows_that_point_across_owners() == []

    VoiceAgent.unscoped.filter(pk=agent.pk).update(prompt=prompt)

    assert rows_that_point_across_owners() == ["VoiceAgent.prompt"]


def test_saving_some_columns_notes_the_time_of_the_change(prompt):
    before = prompt.updated_at
    prompt.name = "b"

    prompt.save(update_fields=["name"])

    prompt.refresh_from_db()
    assert prompt.name == "b"
    assert prompt.updated_at > before


def test_secrets_are_encrypted_in_the_database(alice):
    account = CarrierAccount.unscoped.create(
        owner=alice.workspace,
        label="Twilio",
        account_sid="AC" + "0" * 32,
        auth_token="the secret",
    )

    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT auth_token FROM telephony_carrieraccount")
        (stored,) = cursor.fetchone()

    assert "the secret" not in stored
    assert CarrierAccount.unscoped.get(pk=account.pk).auth_token == "the secret"


def test_only_the_hash_of_a_token_is_stored(alice):
    token = AccessToken(owner=alice.workspace, user=alice.user)
    secret = token.set_new_secret()
    token.save()

    stored = AccessToken.unscoped.values().get()

    assert secret not in map(str, stored.values())
    assert secret.startswith(stored["prefix"])


def test_models_of_people_are_not_owned():
    assert not issubclass(User, OwnedModel)
    assert {Phone, Call} <= set(owned_models())
