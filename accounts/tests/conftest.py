import pytest

from tests.people import join
from voiceops.celery import app


@pytest.fixture
def queue(django_capture_on_commit_callbacks):
    """`with queue():` does the work that its body left to the worker, right after."""

    def run():
        return django_capture_on_commit_callbacks(execute=True)

    before = app.conf.task_always_eager, app.conf.task_eager_propagates
    app.conf.task_always_eager, app.conf.task_eager_propagates = True, True
    yield run
    app.conf.task_always_eager, app.conf.task_eager_propagates = before


@pytest.fixture
def team(alice):
    """Alice's workspace with a person of every other role, by the name of the role."""
    people = {role: join(alice, role, role) for role in ("admin", "member", "viewer")}
    return {"owner": alice, **people}
