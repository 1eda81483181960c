"""`make test` itself: groups side by side, their output whole, one verdict."""

import asyncio
import re
import subprocess
import sys

from scripts import check
from voiceops.run.children import PROJECT_DIR


def run_check(*arguments):
    command = [sys.executable, "-m", "scripts.check", *arguments]
    return subprocess.run(command, cwd=PROJECT_DIR, capture_output=True, text=True)


def test_groups_side_by_side_end_in_one_table_and_one_line():
    ended = run_check("style", "imports")

    *_, style, imports, total = ended.stdout.splitlines()
    assert re.fullmatch(r"style +ok +[\d.]+ s +[\d.]+ s CPU   2 passed, .*", style)
    assert re.fullmatch(r"imports +ok +[\d.]+ s +[\d.]+ s CPU   1 passed, .*", imports)
    assert total == "3 passed, 0 failed, 0 skipped"
    assert ended.returncode == 0
    for name in ("style", "imports"):
        whole = ended.stdout.split(f"\n== {name} =")[1].split("\n== ")[0]
        assert f"\n{name} " in whole


def test_unknown_group_is_refused():
    ended = run_check("styles")

    assert ended.returncode == 2
    assert "unknown: styles; of style, imports" in ended.stderr


def test_group_that_ended_without_its_line_has_failed():
    group = check.Group("sqlite")

    group.read("== sqlite ===\nTraceback (most recent call last):\n")

    assert group.count == check.Count(failed=1)


def test_first_red_group_interrupts_the_others(monkeypatch, tmp_path):
    """Groups here are little programs: one fails when the other is at work."""
    started, put_away = tmp_path / "started", tmp_path / "put-away"
    programs = {
        "slow": f"""
import pathlib, time
try:
    pathlib.Path({str(started)!r}).touch()
    time.sleep(60)
finally:
    pathlib.Path({str(put_away)!r}).touch()
""",
        "red": f"""
import pathlib, time
while not pathlib.Path({str(started)!r}).exists():
    time.sleep(0.02)
print("red         FAILED     0.1 s    0.1 s CPU   1 passed, 1 failed, 0 skipped")
""",
        "later": "raise SystemExit('never started')",
    }
    commands = {name: [sys.executable, "-c", text] for name, text in programs.items()}
    monkeypatch.setattr(check, "_command_of", lambda name, processes: commands[name])
    monkeypatch.setattr(check, "AT_A_TIME", 2)
    groups = [check.Group(name) for name in programs]

    asyncio.run(check._run_side_by_side(groups, processes=1))

    assert [str(group).split()[1] for group in groups] == ["not", "FAILED", "not"]
    assert put_away.exists()
