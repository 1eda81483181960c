"""The whole product as processes, its model and its carrier, each once."""

import pytest

from tests.browser import recording
from tests.flow.carrier import Carrier
from tests.flow.model import running_model
from tests.processes import running_stack
from tests.stub_service import running_service

# People talk four times as fast as in life: a call of six turns takes seconds.
BRISK = {"SIMULATOR_SPEED": "0.25"}
ANSWER_WITHIN_MS = 30_000


@pytest.fixture(scope="session")
def model():
    with running_model() as model:
        yield model


@pytest.fixture(scope="session")
def service():
    """A service of a tenant's, for tools: the operator has named its host."""
    with running_service() as service:
        yield service


@pytest.fixture(scope="session")
def talking_stack(model, service, tmp_path_factory):
    """The stack with that model; for tests after which it works again."""
    named = {"TOOL_ALLOWED_HOSTS": service.host}
    environment = {**BRISK, **model.environment, **named}
    var_dir = tmp_path_factory.mktemp("talking") / "var"
    with running_stack(var_dir, environment) as stack:
        yield stack


@pytest.fixture
def carrier(talking_stack):
    return Carrier(talking_stack)


@pytest.fixture
def visit(browser):
    """`visit(stack)`: a page in a fresh profile there."""
    contexts = []

    def open_page(stack):
        context = browser.new_context(base_url=stack.url, reduced_motion="reduce")
        context.set_default_timeout(ANSWER_WITHIN_MS)
        contexts.append(context)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


def pytest_terminal_summary(terminalreporter):
    recording.tell_where(terminalreporter)
