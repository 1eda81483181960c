"""The whole API under generated input: valid and broken, as two tenants with data.

Every answer must be one that the schema promises, none may be a failure of ours, and
whatever a tenant sends, the rows of the other stay as they are. The input is the same
in every run.
"""

from collections import defaultdict
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest
import schemathesis
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from accounts import services
from tests.people import make_tenant
from tests.tables import empty_again
from voiceops.isolation.tenants import furnish, snapshot
from voiceops.isolation.visitors import noting_writes

SCHEMA = schemathesis.openapi.from_path(
    Path(__file__).parents[2] / "docs" / "openapi.yaml"
)
SCHEMA.app = get_wsgi_application()
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
EXAMPLES = 5
NAMES = ("alice", "mallory")
# The model of what a path names in its braces.
MODELS = {
    "agents": "voiceagent",
    "api-keys": "accesstoken",
    "calls": "call",
    "campaigns": "campaign",
    "carrier-accounts": "carrieraccount",
    "invitations": "invitation",
    "message-agents": "messageagent",
    "phones": "phone",
    "prompts": "prompt",
    "sessions": "accesstoken",
}
NAMED_IN_BODIES = {"phone_id", "prompt_id"}
# The carrier was asked and had an answer that is no success: not a failure of ours.
CARRIER_SAYS_NO = 502


@pytest.fixture
def one_connection():
    """As in Django's own test client: a request ends in the test's transaction."""
    ends = (signals.request_started, signals.request_finished)
    for signal in ends:
        signal.disconnect(close_old_connections)
    yield
    for signal in ends:
        signal.connect(close_old_connections)


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    """Both tenants, the ids of their rows by model, a token and the rows of each.

    Committed: to make them takes longer than to ask what is asked of them.
    """
    with django_db_blocker.unblock():
        tenants = {name: make_tenant(name) for name in NAMES}
        ids = defaultdict(list)
        for tenant in tenants.values():
            for row in furnish(tenant):
                ids[row._meta.model_name].append(str(row.pk))
        tokens = {
            name: services.issue_login_token(tenant.user)
            for name, tenant in tenants.items()
        }
        rows = {name: snapshot(tenant) for name, tenant in tenants.items()}
        yield tenants, ids, tokens, rows
        empty_again()


@pytest.mark.walk
@pytest.mark.django_db
@pytest.mark.usefixtures("carrier", "one_connection")
@pytest.mark.parametrize(
    ("operation", "name"),
    list(zip(OPERATIONS, cycle(NAMES), strict=False)),  # in turn
    ids=lambda found: getattr(found, "label", found),
)
def test_any_input_is_answered_as_promised(operation, name, world):
    tenants, ids, tokens, rows = world
    (other,) = tenants.keys() - {name}

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(operation, ids))
    def ask(case):
        with rolled_back(), noting_writes() as written:
            answer = case.call(headers={"Authorization": f"Bearer {tokens[name]}"})
            if answer.status_code != CARRIER_SAYS_NO:
                case.validate_response(answer, checks=CHECKS)
            if written:
                assert snapshot(tenants[other]) == rows[other]

    ask()


@st.composite
def cases(draw, operation, ids):
    """A request of this operation; half of them name rows that there are."""
    modes = [GenerationMode.POSITIVE]
    if operation.body or operation.query:
        modes.append(GenerationMode.NEGATIVE)
    mode = draw(st.sampled_from(modes))
    case = draw(operation.as_strategy(generation_mode=mode))
    if draw(st.booleans()):
        collection = operation.path.rpartition("/{")[0].rpartition("/")[2]
        known = st.sampled_from(ids[MODELS.get(collection)] or sum(ids.values(), []))
        case.path_parameters = {key: draw(known) for key in case.path_parameters or {}}
        if isinstance(case.body, dict):
            named = case.body.keys() & NAMED_IN_BODIES
            case.body |= {key: draw(st.sampled_from(ids[key[:-3]])) for key in named}
    return case


@contextmanager
def rolled_back():
    """Nothing that happens within is there afterwards."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
