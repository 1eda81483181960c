"""Every check and every test, two groups at a time; stops at the first red one.

    python -m scripts.check [--processes N] [group ...]

Each group runs in a process and a scratch directory of its own; what it prints is shown
whole when it has ended. A group that is asked for alone shows it at once.

Ends with a table of the groups and one line `N passed, N failed, N skipped`: a test
counts as one, and so does each check that is not a test run.
"""

import argparse
import asyncio
import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from tests.postgres import postgres_server
from tests.processes import NEUTRAL
from tests.tables import TEMPLATE, empty_tables, make_template

PROJECT_DIR = Path(__file__).resolve().parent.parent
BIN_DIR = Path(sys.executable).parent
CORES = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
# While one group waits for processes, browsers and clocks, another can work.
AT_A_TIME = 2
INTERRUPTED_WITHIN_S = 60
NOTHING_COLLECTED = 5  # pytest's exit status when no test has the marker yet

PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "a-key-that-only-this-check-uses-and-that-is-long-enough-0123456789",
    "FIELD_ENCRYPTION_KEYS": "Y2hlY2stb25seS1maWVsZC1lbmNyeXB0aW9uLWtleSE=",
    "PUBLIC_BASE_URL": "https://voiceops.example",
    "REDIS_URL": "redis://broker.example:6379/0",
    "EMAIL_URL": "smtp+tls://mail.example:587",
    "SIMULATOR": "off",
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
class Room:
    """What a group has to itself."""

    scratch: Path  # an empty directory
    processes: int  # to share its tests among


@dataclass
class Group:
    name: str
    count: Count = field(default_factory=Count)
    seconds: float | None = None  # None: it did not run to its end
    cpu_s: float = 0  # of all its processes

    def __str__(self) -> str:
        if self.seconds is None:
            return f"{self.name:<11} not run"
        verdict = "FAILED" if self.count.failed else "ok"
        spent = f"{self.seconds:6.1f} s {self.cpu_s:6.1f} s CPU"
        return f"{self.name:<11} {verdict:<7} {spent}   {self.count}"

    def read(self, printed: str) -> None:
        """Take over the line that the group's process has printed about itself."""
        found = re.findall(GROUP_LINE % self.name, printed, re.MULTILINE)
        seconds, cpu_s, *counts = found[-1] if found else (0, 0, 0, 1, 0)
        self.seconds, self.cpu_s = float(seconds), float(cpu_s)
        self.count = Count(*map(int, counts))


# `str()` of a group that has run.
GROUP_LINE = (
    r"^%s +(?:ok|FAILED) +([\d.]+) s +([\d.]+) s CPU"
    r" +(\d+) passed, (\d+) failed, (\d+) skipped$"
)


def main() -> int:
    # A shell that starts us in the background has interrupts ignored, by all of ours.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments = _arguments()
    groups = [Group(name) for name in GROUPS if name in arguments.groups]
    try:
        if len(groups) == 1:
            _run_here(groups[0], arguments.processes)
        else:
            asyncio.run(_run_side_by_side(groups, arguments.processes))
    except KeyboardInterrupt:
        print("\ninterrupted", flush=True)
        return 130
    _print_table(groups)
    return 1 if any(group.count.failed for group in groups) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.check")
    parser.add_argument(
        "--processes", type=int, default=CORES, help="to share a group's tests among"
    )
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - GROUPS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; of {', '.join(GROUPS)}")
    arguments.groups = arguments.groups or list(GROUPS)
    return arguments


def _print_table(groups: list[Group]) -> None:
    print("\n" + "=" * 88)
    for group in groups:
        print(group)
    print(sum((group.count for group in groups), Count()), flush=True)


# -- Here, or apart and side by side ---------------------------------------------------


def _run_here(group: Group, processes: int) -> None:
    print(f"\n== {group.name} ".ljust(88, "="), flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="voiceops-check-") as scratch:
        group.count = GROUPS[group.name](Room(Path(scratch), processes))
    group.seconds = time.monotonic() - started
    spent = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    group.cpu_s = sum(usage.ru_utime + usage.ru_stime for usage in spent)


async def _run_side_by_side(groups: list[Group], processes: int) -> None:
    """At the first red group the others are interrupted, or never started."""
    lanes = asyncio.Semaphore(AT_A_TIME)
    runs = [
        asyncio.create_task(_run_apart(group, processes, lanes)) for group in groups
    ]
    try:
        for ended in asyncio.as_completed(runs):
            if (await ended).count.failed:
                break
    finally:
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)


async def _run_apart(group: Group, processes: int, lanes: asyncio.Semaphore) -> Group:
    async with lanes:
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            process = await asyncio.create_subprocess_exec(
                *_command_of(group.name, processes),
                cwd=PROJECT_DIR,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                await process.wait()
            except asyncio.CancelledError:
                await _interrupt(process)
                raise
            printed = _whole(output)
        print(printed, flush=True)
        group.read(printed)
        return group


def _command_of(name: str, processes: int) -> list[str]:
    return [sys.executable, "-m", "scripts.check", f"--processes={processes}", name]


async def _interrupt(process: asyncio.subprocess.Process) -> None:
    """It puts away what it has started; killed if that takes too long."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        await asyncio.wait_for(process.wait(), INTERRUPTED_WITHIN_S)
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)


def _whole(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


# -- Checks ----------------------------------------------------------------------------


def _style(room: Room) -> Count:
    return _tool("ruff", "check", ".") + _tool("ruff", "format", "--check", ".")


def _imports(room: Room) -> Count:
    return _tool("lint-imports", "--no-cache")


def _types(room: Room) -> Count:
    pyproject = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text())
    if "mypy" not in pyproject.get("tool", {}):
        return _skipped("mypy is not configured")
    return _tool("mypy")


def _migrations(room: Room) -> Count:
    environment = _app_environment(room.scratch)
    return _manage(environment, "makemigrations", "--check", "--dry-run")


def _deploy(room: Room) -> Count:
    environment = {**_app_environment(room.scratch), **PRODUCTION}
    return _manage(environment, "check", "--deploy", "--fail-level", "WARNING")


def _schema(room: Room) -> Count:
    """Valid, free of warnings, and the one that is committed."""
    made = room.scratch / "openapi.yaml"
    count = _manage(
        _app_environment(room.scratch),
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


def _assets(room: Room) -> Count:
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


def _sqlite(room: Room) -> Count:
    """Without the walks of all routes in every way: `postgres` has those."""
    return _pytest(room, "-m", f"{PLAIN_TESTS} and not walk")


def _postgres(room: Room) -> Count:
    """Without those that open no database or need no second one: `sqlite` has them."""
    with postgres_server() as url:
        make_template(url, room.scratch)
        options = ("--database-only", "--dist=worksteal")
        environment = {"DATABASE_URL": url, "TEST_TEMPLATE": TEMPLATE}
        return _pytest(room, "-m", PLAIN_TESTS, *options, **environment)


def _flow(room: Room) -> Count:
    options = ("-m", "flow and not browser", "--dist=loadfile")
    return _pytest(_halved(room), *options, *_files_with("flow"))


def _browser(room: Room) -> Count:
    options = ("-m", "browser and not long")
    return _pytest(_halved(room), *options, *_files_with("browser"))


def _files_with(marker: str) -> list[str]:
    """The files of these tests alone: to collect all takes a while."""
    files = [
        *PROJECT_DIR.glob("tests/**/test_*.py"),
        *PROJECT_DIR.glob("*/tests/test_*.py"),
    ]
    return sorted({str(f) for f in files if f"pytest.mark.{marker}" in f.read_text()})


def _halved(room: Room) -> Room:
    """Its tests have processes of their own: whole stacks, and browsers."""
    return replace(room, processes=max(1, room.processes // 2))


PLAIN_TESTS = "not flow and not browser"

# In this order: what waits much beside what computes much.
GROUPS: dict[str, Callable[[Room], Count]] = {
    "style": _style,
    "imports": _imports,
    "types": _types,
    "migrations": _migrations,
    "deploy": _deploy,
    "schema": _schema,
    "assets": _assets,
    "flow": _flow,
    "sqlite": _sqlite,
    "browser": _browser,
    "postgres": _postgres,
}


def _pytest(room: Room, *arguments: str, **environment: str) -> Count:
    empty_tables()  # else it is made in the time that the first test has
    report = room.scratch / "report.xml"
    command = [sys.executable, "-m", "pytest", f"--junitxml={report}", *arguments]
    if room.processes > 1:
        command.append(f"--numprocesses={room.processes}")
    status = _call(
        command,
        {
            **_app_environment(room.scratch),
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "EMAIL_URL": "memorymail://",
            **environment,
        },
    )
    if status == NOTHING_COLLECTED:
        return Count()
    count = _read_report(report)
    if status and not count.failed:  # it broke outside of any test
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
    return Count(failed=1) if _call(command, environment) else Count(passed=1)


def _call(command: list[str], environment: dict[str, str] | None = None) -> int:
    """The command's exit status. Interrupted with us, it may put away what it has."""
    process = subprocess.Popen(command, cwd=PROJECT_DIR, env=environment)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()
        raise


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
