"""The admin's lists at ten million rows: nothing counted, nothing sorted or searched
that no index finds, or only among the newest rows."""

import re

import pytest
from django.contrib import admin
from django.contrib.messages import get_messages
from django.contrib.messages.storage.session import SessionStorage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import tenancy_admin
from accounts.models import User, Workspace
from accounts.tenancy_admin import OWNER, OwnedAdmin, OwnerFilter
from agents.models import Prompt
from tests.people import make_operator
from tests.walls import furnish
from voiceops import paging

pytestmark = pytest.mark.django_db
MOST_STATEMENTS = 4  # the edge of what is looked through, pages, rows
SHOWN = list(admin.site._registry.items())
# By what is set up by hand or a few thousand at most.
SMALL = {"Group", "ModelPrice"}


@pytest.fixture
def root(db):
    operator = make_operator()
    operator.client.get("/admin/")
    return operator


@pytest.fixture
def ask(rf, db):
    """A list as an operator has it, but for the page around it."""
    user = User.objects.create_superuser("lists@example.com", "pw")

    def changelist(model, **query):
        request = rf.get("/", query)
        request.user, request.session = user, {}
        request._messages = SessionStorage(request)
        return admin.site._registry[model].get_changelist_instance(request)

    return changelist


def list_of(model):
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")


def of_table(captured, model):
    """What was asked of a list's own table, without looking up what a key names."""
    start = re.compile(rf'FROM "{model._meta.db_table}"')
    return [
        query["sql"]
        for query in captured
        if query["sql"].startswith("SELECT") and start.search(query["sql"])
    ]


def queries_of(shown):
    """The list as it opens, searched, in another order, and by each of its filters."""
    yield {}
    if shown.search_fields:
        yield {"q": "x"}
    yield {"o": "1"}
    for given in shown.list_filter:
        name = given if isinstance(given, str) else given[0]
        field = shown.model._meta.get_field(name)
        if field.choices:
            yield {f"{name}__exact": list(field.choices)[0][0]}
        elif field.get_internal_type() == "BooleanField":
            yield {f"{name}__exact": "1"}


def test_no_list_counts_and_every_statement_is_bounded(ask, alice):
    furnish(alice)
    for model, shown in SHOWN:
        for query in [*queries_of(shown), {"_facets": "True"}]:
            with CaptureQueriesContext(connection) as captured:
                list(ask(model, **query).result_list)
            assert len(captured) <= MOST_STATEMENTS, (model, query)
            asked = of_table(captured, model)
            for sql in asked:
                assert "COUNT(" not in sql, (model, query)
                assert "SELECT DISTINCT" not in sql, (model, query)
            # Django leaves the limit out where it knows that one page is all.
            assert "LIMIT" in asked[0], (model, query, sql)


def plan_of(sql, parameters):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute("EXPLAIN " + sql, parameters)
        else:
            cursor.execute("EXPLAIN QUERY PLAN " + sql, parameters)
        return "\n".join(str(line[-1]) for line in cursor.fetchall())


@pytest.mark.parametrize(
    "model", [m for m, _ in SHOWN if m.__name__ not in SMALL], ids=lambda m: m.__name__
)
def test_default_order_of_each_list_is_an_indexs(model, rf):
    shown = admin.site._registry[model]
    request = rf.get("/")
    rows = shown.get_queryset(request).order_by(*(shown.ordering or ["-pk"]))
    if shown.list_select_related:
        rows = rows.select_related(*shown.list_select_related)
    sql, parameters = rows[:101].query.sql_with_params()

    plan = plan_of(sql, parameters)

    assert "TEMP B-TREE" not in plan, plan
    assert "Sort" not in plan, plan


def test_what_no_index_finds_is_looked_for_among_the_newest(root, alice, monkeypatch):
    monkeypatch.setattr(tenancy_admin, "LOOKED_THROUGH", 3)
    for number in range(5):
        Prompt.unscoped.create(owner=alice.workspace, name=f"Prompt {number}")

    page = root.client.get(list_of(Prompt), {"q": "Prompt"})

    names = [row.name for row in page.context["cl"].result_list]
    assert names == ["Prompt 4", "Prompt 3", "Prompt 2"]
    told = [str(message) for message in get_messages(page.wsgi_request)]
    assert told == ["Among the newest 3 rows alone."]


def test_rows_of_one_workspace_are_looked_for_among_its_own(
    root, alice, mallory, monkeypatch
):
    monkeypatch.setattr(tenancy_admin, "LOOKED_THROUGH", 2)
    for owner in (alice.workspace, mallory.workspace):
        for number in range(3):
            Prompt.unscoped.create(owner=owner, name=f"{number} of {owner}")

    page = root.client.get(list_of(Prompt), {OWNER: alice.workspace.pk})

    shown = list(page.context["cl"].result_list)
    assert [row.name[0] for row in shown] == ["2", "1"]
    assert {row.owner for row in shown} == {alice.workspace}
    assert page.context["cl"].filter_specs[0].chosen


def test_an_id_is_found_however_old_it_is(root, alice, monkeypatch):
    monkeypatch.setattr(tenancy_admin, "LOOKED_THROUGH", 1)
    old, _new = (
        Prompt.unscoped.create(owner=alice.workspace, name=name) for name in "ab"
    )

    page = root.client.get(list_of(Prompt), {"q": str(old.pk)})

    assert list(page.context["cl"].result_list) == [old]


def test_no_list_offers_all_workspaces(ask, alice):
    for model, shown in SHOWN:
        if isinstance(shown, OwnedAdmin):
            filters = ask(model).filter_specs
            assert not [one for one in filters if isinstance(one, OwnerFilter)], model


@pytest.mark.parametrize("owner", ["x", "", "01a21918-98ae-7711-81fa-30a112ff1a58"])
def test_a_workspace_that_is_none_has_no_rows(owner, root, alice):
    furnish(alice)

    page = root.client.get(list_of(Prompt), {OWNER: owner}, follow=True)

    assert page.status_code == 200
    assert Workspace.objects.count() == 2


def test_pages_beyond_the_first_ones_are_not_leafed_through(root, alice, monkeypatch):
    monkeypatch.setattr(paging, "MOST_LEAFED", 150)
    rows = [Prompt(owner=alice.workspace, name=str(n)) for n in range(160)]
    Prompt.unscoped.bulk_create(rows)

    page = root.client.get(list_of(Prompt))

    assert page.context["cl"].result_count == 150
    assert page.context["cl"].paginator.num_pages == 2
