"""Whatever stands in a document: a row comes of it, or a refusal."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importing import mapping
from importing.ledger import Ledger
from importing.making import Made, Run
from importing.mapping import Document
from importing.running import STEPS
from importing.tests.documents import earlier_system
from importing.tests.test_values import ANYTHING
from importing.values import Refused
from importing.workspaces import Workspaces

pytestmark = pytest.mark.django_db
NAMES = mapping.read()


@pytest.fixture
def run():
    ledger = Ledger("old")
    everybody = Workspaces({"*": "new:Acme"}, ledger, is_dry=True)
    return Run(NAMES, ledger, everybody, datetime.now(UTC), is_dry=True)


def document(collection, told):
    return Document(told, NAMES.collections[collection], NAMES.defaults)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.collection)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_bad_field_is_refused_or_left_out(run, step, data):
    for before in STEPS[: STEPS.index(step)]:
        told = earlier_system()[before.collection][0]
        if before.collection not in {"calls", "messages"}:
            made = before.make(document(before.collection, told), run)
            run.ledger.remember(before.collection, str(told["_id"]), made.row)
            run.back_to((set(), {}, {}))
    told = earlier_system()[step.collection][0]
    fields = sorted(NAMES.collections[step.collection].fields.values())
    for paths in data.draw(st.lists(st.sampled_from(fields), min_size=1, max_size=3)):
        told = told | {paths[0]: data.draw(ANYTHING)}

    try:
        made = step.make(document(step.collection, told), run)
    except Refused as refused:
        assert str(refused)
    else:
        assert isinstance(made, Made)
