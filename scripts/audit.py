"""Known weaknesses of what we depend on, by pip-audit: a report, sometimes a verdict.

    python -m scripts.audit

Where the advisories cannot be reached, pip-audit finds nothing in anything. So it is
first asked about an old version that is known to be weak: when nothing is told of that,
nothing can be said of ours either, and the exit status is 0. It is 1 only when
advisories name a version that we have pinned.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parent.parent
PINNED = PROJECT_DIR / "requirements-dev.txt"  # has requirements.txt in it
KNOWN_TO_BE_WEAK = "jinja2==2.10"
WITHIN_S = 600

Findings = list[tuple[str, str, list[str]]]  # name, version, advisories


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        probe = Path(scratch, "requirements.txt")
        probe.write_text(KNOWN_TO_BE_WEAK + "\n")
        can_tell = bool(ask(probe))
    lines, status = verdict(can_tell, ask(PINNED) if can_tell else None)
    print("\n".join(lines))
    return status


def ask(requirements: Path) -> Findings | None:
    """What advisories name, of these versions as they are pinned; None: no answer."""
    command = [sys.executable, "-m", "pip_audit", "--format=json", "--no-deps"]
    command += ["--disable-pip", "--progress-spinner=off", "--timeout=15"]
    try:
        ran = subprocess.run(
            [*command, f"--requirement={requirements}"],
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
        )
        return list(weak_ones(json.loads(ran.stdout)))
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None


def weak_ones(report: dict) -> Iterator[tuple[str, str, list[str]]]:
    for package in report["dependencies"]:
        advisories = [found["id"] for found in package.get("vulns", [])]
        if advisories:
            yield package["name"], package["version"], advisories


def verdict(can_tell: bool, found: Findings | None) -> tuple[list[str], int]:
    """What to print, and the exit status."""
    if not can_tell or found is None:
        return ["Advisories cannot be reached: nothing is claimed."], 0
    if not found:
        return ["No advisory names a version that is pinned."], 0
    lines = [
        f"{name} {version}: {', '.join(advisories)}"
        for name, version, advisories in found
    ]
    return ["Advisories name versions that are pinned:", *lines], 1


if __name__ == "__main__":
    sys.exit(main())
