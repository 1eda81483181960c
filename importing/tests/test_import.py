import pytest
from importing.models import Origin

pytestmark = pytest.mark.django_db


def test_look(bring_in, filled, capsys):
    lines = bring_in()
    for key, value in lines.items():
        print(key, value)
    print(Origin.unscoped.count())
    assert 0
