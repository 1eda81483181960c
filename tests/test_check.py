"""`make test` itself: groups side by side, their output whole, one verdict."""

import asyncio
import sys

import pytest

from scripts import check


@pytest.fixture
def programs(monkeypatch):
    """What runs in place of the groups, by their names: little programs."""
    found = {}
    monkeypatch.setattr(
        check,
        "_command_of",
        lambda name, processes: [sys.executable, "-c", found[name]],
    )
    monkeypatch.setattr(check, "AT_A_TIME", 2)
    return found


def test_groups_side_by_side_end_in_one_table_and_one_line(
    programs, monkeypatch, capsys
):
    ended = {
        "style": check.Group("style", check.Count(2), seconds=0.5, cpu_s=0.7),
        "imports": check.Group("imports", check.Count(1, 0, 1), seconds=1.5, cpu_s=0.9),
    }
    lines = {name: str(group) for name, group in ended.items()}
    for name, line in lines.items():
        programs[name] = f"print('{name} begins'); print({line!r})"
    monkeypatch.setattr(sys, "argv", ["check", "style", "imports"])

    status = check.main()

    printed = capsys.readouterr().out
    assert status == 0
    assert printed.splitlines()[-3:] == [
        *lines.values(),
        "3 passed, 0 failed, 1 skipped",
    ]
    for name, line in lines.items():
        assert f"{name} begins\n{line}\n" in printed


def test_unknown_group_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["check", "styles"])

    with pytest.raises(SystemExit) as ended:
        check.main()

    assert ended.value.code == 2
    assert "unknown: styles; of style, imports" in capsys.readouterr().err


def test_group_that_ended_without_its_line_has_failed():
    group = check.Group("sqlite")

    group.read("== sqlite ===\nTraceback (most recent call last):\n")

    assert group.count == check.Count(failed=1)


def test_first_red_group_interrupts_the_others(programs, tmp_path):
    """Groups here are little programs: one fails when the other is at work."""
    started, put_away = tmp_path / "started", tmp_path / "put-away"
    programs |= {
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
    groups = [check.Group(name) for name in programs]

    asyncio.run(check._run_side_by_side(groups, processes=1))

    assert [str(group).split()[1] for group in groups] == ["not", "FAILED", "not"]
    assert put_away.exists()
