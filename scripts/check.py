"""Every check and every test, group by group; stops after the first red one.

    python -m scripts.check [group ...]

Ends with a table of the groups and one line `N passed, N failed, N skipped`: a test
counts as one, and so does each check that is not a test run.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.postgres import postgres_server
from tests.processes import NEUTRAL

PROJECT_DIR = Path(__file__).resolve().parent.parent
BIN_DIR = Path(sys.executable).parent
XDIST_PROCESSES = "2"
NOTHING_COLLECTED = 5  # pytest's exit status when no test has the marker yet

PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "a-key-that-only-this-check-uses-and-that-is-long-enough-0123456789",
    "FIELD_ENCRYPTION_KEYS": "Y2hlY2stb25seS1maWVsZC1lbmNyeXB0aW9uLWtleSE=",
    "PUBLIC_BASE_URL": "https://voiceops.example",
    "REDIS_URL": "redis://broker.example:6379/0",
    "RATE_LIMITS": "on",
    "LOG_FORMAT": "json",
}


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass
class Group:
    name: str
    run: Callable[[Path], Count]  # given an empty scratch directory
    count: Count = field(default_factory=Count)
    seconds: float | None = None  # None: it did not run


def main() -> int:
    chosen = sys.argv[1:] or list(GROUPS)
    if unknown := set(chosen) - GROUPS.keys():
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
        return 2
    groups = [Group(name, GROUPS[name]) for name in GROUPS if name in chosen]
    for group in groups:
        if not _run(group):
            break
    _print_table(groups)
    return 1 if any(group.count.failed for group in groups) else 0


def _run(group: Group) -> bool:
    print(f"\n== {group.name} ".ljust(88, "="), flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="voiceops-check-") as scratch:
        group.count = group.run(Path(scratch))
    group.seconds = time.monotonic() - started
    return not group.count.failed


def _print_table(groups: list[Group]) -> None:
    print("\n" + "=" * 88)
    for group in groups:
        if group.seconds is None:
            print(f"{group.name:<11} not run")
        else:
            verdict = "FAILED" if group.count.failed else "ok"
            print(
                f"{group.name:<11} {verdict:<7} {group.seconds:6.1f} s   {group.count}"
            )
    print(sum((group.count for group in groups), Count()), flush=True)


# -- Checks ----------------------------------------------------------------------------


def _style(scratch: Path) -> Count:
    return _tool("ruff", "check", ".") + _tool("ruff", "format", "--check", ".")


def _imports(scratch: Path) -> Count:
    return _tool("lint-imports", "--no-cache")


def _types(scratch: Path) -> Count:
    pyproject = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text())
    if "mypy" not in pyproject.get("tool", {}):
        return _skipped("mypy is not configured")
    return _tool("mypy")


def _migrations(scratch: Path) -> Count:
    environment = _app_environment(scratch)
    return _manage(environment, "makemigrations", "--check", "--dry-run")


def _deploy(scratch: Path) -> Count:
    environment = {**_app_environment(scratch), **PRODUCTION}
    return _manage(environment, "check", "--deploy", "--fail-level", "WARNING")


def _schema(scratch: Path) -> Count:
    """Valid, free of warnings, and the one that is committed."""
    made = scratch / "openapi.yaml"
    count = _manage(
        _app_environment(scratch),
        *("spectacular", "--validate", "--fail-on-warn", "--file", str(made)),
    )
    committed = PROJECT_DIR / "docs" / "openapi.yaml"
    if count.failed or not committed.exists():
        return count
    if made.read_text() == committed.read_text():
        return count + Count(passed=1)
    print("docs/openapi.yaml is not the schema of this code. Make it anew with")
    print("  .venv/bin/python manage.py spectacular --file docs/openapi.yaml")
    return count + Count(failed=1)


def _isolation(scratch: Path) -> Count:
    """No workspace sees or changes what is another's, by the operators' own command."""
    environment = _app_environment(scratch)
    migrated = _manage(environment, "migrate", "-v0")
    return migrated + _manage(environment, "check_isolation", "--all")


def _assets(scratch: Path) -> Count:
    """The stylesheet and the vendored files are what their sources make."""
    if shutil.which("npm") is None:
        return _skipped("npm is not on this machine")
    fetched = (PROJECT_DIR / "node_modules" / "daisyui").exists()
    if not fetched and _command(["npm", "ci", "--silent", "--no-audit"]).failed:
        return _skipped("npm cannot fetch what package-lock.json names")
    scripts = ("scripts/build_css.py", "scripts/vendor_static.py")
    checks = [_command([sys.executable, script, "--check"]) for script in scripts]
    return sum(checks, Count())


# -- Test runs -------------------------------------------------------------------------


def _sqlite(scratch: Path) -> Count:
    return _pytest(_app_environment(scratch), scratch, *PLAIN_TESTS)


def _postgres(scratch: Path) -> Count:
    with postgres_server() as url:
        environment = {**_app_environment(scratch), "DATABASE_URL": url}
        return _pytest(environment, scratch, *PLAIN_TESTS)


def _flow(scratch: Path) -> Count:
    return _pytest(_app_environment(scratch), scratch, "-m", "flow and not browser")


def _browser(scratch: Path) -> Count:
    return _pytest(_app_environment(scratch), scratch, "-m", "browser")


PLAIN_TESTS = ("-m", "not flow and not browser", "-n", XDIST_PROCESSES)

GROUPS: dict[str, Callable[[Path], Count]] = {
    "style": _style,
    "imports": _imports,
    "types": _types,
    "migrations": _migrations,
    "deploy": _deploy,
    "schema": _schema,
    "isolation": _isolation,
    "assets": _assets,
    "sqlite": _sqlite,
    "postgres": _postgres,
    "flow": _flow,
    "browser": _browser,
}


def _pytest(environment: dict[str, str], scratch: Path, *arguments: str) -> Count:
    report = scratch / "report.xml"
    environment = {
        **environment,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "EMAIL_URL": "memorymail://",
    }
    command = [sys.executable, "-m", "pytest", f"--junitxml={report}", *arguments]
    ended = subprocess.run(command, cwd=PROJECT_DIR, env=environment)
    if ended.returncode == NOTHING_COLLECTED:
        return Count()
    count = _read_report(report)
    if ended.returncode and not count.failed:  # it broke outside of any test
        return count + Count(failed=1)
    return count


def _read_report(path: Path) -> Count:
    with contextlib.suppress(FileNotFoundError, ElementTree.ParseError):
        suites = ElementTree.parse(path).getroot().iter("testsuite")
        return sum(map(_count_suite, suites), Count())
    return Count()


def _count_suite(suite: ElementTree.Element) -> Count:
    total, failures, errors, skipped = (
        int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
    )
    failed = failures + errors
    return Count(total - failed - skipped, failed, skipped)


# -- Commands --------------------------------------------------------------------------


def _tool(name: str, *arguments: str) -> Count:
    return _command([str(BIN_DIR / name), *arguments])


def _manage(environment: dict[str, str], *arguments: str) -> Count:
    return _command([sys.executable, "manage.py", *arguments], environment)


def _command(command: list[str], environment: dict[str, str] | None = None) -> Count:
    ended = subprocess.run(command, cwd=PROJECT_DIR, env=environment)
    return Count(failed=1) if ended.returncode else Count(passed=1)


def _skipped(reason: str) -> Count:
    print(f"skipped: {reason}")
    return Count(skipped=1)


def _app_environment(scratch: Path) -> dict[str, str]:
    """Ours alone: no `.env`, no shell and no earlier run decides what is tested."""
    return {
        **os.environ,
        **NEUTRAL,
        "VAR_DIR": str(scratch),
        "DATABASE_URL": f"sqlite:///{scratch / 'voiceops.sqlite3'}",
        "PUBLIC_BASE_URL": "http://localhost:8000",
    }


if __name__ == "__main__":
    sys.exit(main())
