"""What is written about the environment is true: names that exist, none left out."""

import ast
import re
from pathlib import Path

from tests.deployment import compose

PROJECT_DIR = Path(__file__).resolve().parent.parent
SETTINGS = PROJECT_DIR / "voiceops" / "settings.py"
NAME = re.compile(r"`([A-Z][A-Z0-9_]+)`")
# Made by the first run for the demo and the simulator: nobody sets them.
MADE_BY_US = {"DEMO_PASSWORD", "SIMULATOR_ACCOUNT_SID", "SIMULATOR_AUTH_TOKEN"}
# Read by what starts the processes (voiceops.run), not by the settings.
OF_THE_SUPERVISOR = {"HOST"}
OF_CELERY = {"SIGN_OF_LIFE"}  # read by voiceops/celery.py, for containers
OF_METRICS = {"PROMETHEUS_MULTIPROC_DIR"}  # read by prometheus_client


def read_by_settings() -> set[str]:
    """Every name that settings.py asks the environment for."""
    calls = (
        node
        for node in ast.walk(ast.parse(SETTINGS.read_text()))
        if isinstance(node, ast.Call) and _asks_environment(node.func)
    )
    return {
        call.args[0].value
        for call in calls
        if call.args and isinstance(call.args[0], ast.Constant)
    }


def _asks_environment(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        is_env = isinstance(function.value, ast.Name) and function.value.id == "env"
        return is_env and function.attr != "read_env"
    return isinstance(function, ast.Name) and function.id == "env"


def offered_by_example() -> set[str]:
    example = (PROJECT_DIR / ".env.example").read_text()
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))


def in_table_of(document: str) -> set[str]:
    """The names in the first column of the table whose head is `name | meaning`."""
    _, _, rest = (PROJECT_DIR / document).read_text().partition("| name | meaning |")
    rows = rest.partition("\n\n")[0].splitlines()[2:]
    return {name for row in rows for name in NAME.findall(row.split("|")[1])}


def test_the_settings_are_read_from_the_environment_by_names_that_are_found():
    assert {"SECRET_KEY", "DATABASE_URL", "RATE_LIMITS"} <= read_by_settings()


def test_the_example_of_an_environment_names_what_can_be_set_and_nothing_else():
    can_be_set = read_by_settings() - MADE_BY_US | OF_THE_SUPERVISOR

    assert offered_by_example() == can_be_set


def test_the_operators_table_names_what_can_be_set_and_nothing_else():
    can_be_set = read_by_settings() - MADE_BY_US | OF_THE_SUPERVISOR

    assert in_table_of("docs/operating.md") == can_be_set


def test_the_readme_names_nothing_that_is_not_there():
    named = in_table_of("README.md")

    assert "PORT" in named
    assert named - read_by_settings() == set()


def test_the_containers_set_nothing_that_is_not_there():
    ours = [s for s in compose()["services"].values() if s["image"] == "voiceops"]
    given = {name for service in ours for name in service.get("environment", {})}
    settings = {name.removesuffix("_FILE") for name in given}

    assert (
        settings - OF_CELERY - OF_METRICS - OF_THE_SUPERVISOR - read_by_settings()
        == set()
    )


def test_the_image_sets_nothing_that_is_not_there():
    text = (PROJECT_DIR / "Dockerfile").read_text()
    given = set(re.findall(r"\b([A-Z][A-Z_]+)=", text))
    of_python = {name for name in given if name.startswith("PYTHON")} | {"PATH"}

    assert "ENVIRONMENT" in given
    assert given - of_python - read_by_settings() == set()


def test_every_rule_of_security_is_held_by_tests_that_exist():
    rules = (PROJECT_DIR / "docs" / "security.md").read_text()
    rules = rules.partition("## The rules")[2].partition("\n## ")[0]
    rows = [line for line in rules.splitlines() if line.startswith("| ")][2:]
    named = set(re.findall(r"`([\w/]+\.py)::(\w+)`", rules))

    missing = {test for path, test in named if test not in names_of_tests(path)}

    assert len(rows) > 30
    assert [row for row in rows if "::test_" not in row] == []
    assert missing == set()


def names_of_tests(path: str) -> set[str]:
    body = ast.parse((PROJECT_DIR / path).read_text()).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}
