"""The whole product as processes, its model and its carrier, each once."""

import pytest

from tests.browser import recording
from tests.flow.carrier import Carrier
from tests.flow.model import running_model
from tests.processes import running_stack

# People talk four times as fast as in life: a call of six turns takes seconds.
BRISK = {"SIMULATOR_SPEED": "0.25"}


@pytest.fixture(scope="session")
def model():
    with running_model() as model:
        yield model


@pytest.fixture(scope="session")
def talking_stack(model, tmp_path_factory):
    """The stack with that model; for tests after which it works again."""
    environment = {**BRISK, **model.environment}
    var_dir = tmp_path_factory.mktemp("talking") / "var"
    with running_stack(var_dir, environment) as stack:
        yield stack


@pytest.fixture
def carrier(talking_stack):
    return Carrier(talking_stack)


def pytest_terminal_summary(terminalreporter):
    if recording.IS_ON:
        terminalreporter.line(f"Pictures and films: {recording.directory()}")
