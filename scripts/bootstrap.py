"""Make `.venv` and install what the named requirements files pin; quick when done.

    python3 scripts/bootstrap.py requirements.txt [requirements-dev.txt]

Only the standard library, and nothing newer than an old Python can read up to the
check of its version.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parent.parent
VENV_DIR = PROJECT_DIR / ".venv"
PYTHON = VENV_DIR / "bin" / "python"
STAMPS_DIR = VENV_DIR / "installed"
OLDEST_PYTHON = (3, 11)

NO_VENV = """\
voiceops: this Python cannot make a virtual environment: {reason}
  Debian, Ubuntu:  apt install python3-venv
  or choose another interpreter:  make run PYTHON=/path/to/python3.11"""


def main(names):
    if sys.version_info < OLDEST_PYTHON:
        wanted, found = ".".join(map(str, OLDEST_PYTHON)), sys.version.split()[0]
        sys.exit(
            f"voiceops: Python {wanted} or newer is needed, {sys.executable} is {found}"
            " (another one: make run PYTHON=python3.12)"
        )
    make_venv()
    for name in names:
        install(name)


def make_venv():
    """A virtual environment that works; one whose Python is gone is made anew."""
    if works(PYTHON, "import pip") or (
        works(PYTHON, "pass") and works(sys.executable, "import pip")
    ):
        return
    print("Making .venv ...", flush=True)
    shutil.rmtree(VENV_DIR, ignore_errors=True)
    # Debian's Python has venv without ensurepip; there an installed pip serves.
    without_pip = not works(sys.executable, "import ensurepip")
    if without_pip and not works(sys.executable, "import pip"):
        sys.exit(NO_VENV.format(reason="it has neither ensurepip nor pip"))
    command = [sys.executable, "-m", "venv", str(VENV_DIR)]
    made = subprocess.run(
        command + ["--without-pip"] * without_pip, capture_output=True, text=True
    )
    if made.returncode != 0:
        shutil.rmtree(VENV_DIR, ignore_errors=True)
        reason = (made.stderr or made.stdout).strip().splitlines() or ["no reason"]
        sys.exit(NO_VENV.format(reason=reason[-1]))


def works(python, code):
    try:
        found = subprocess.run([str(python), "-c", code], capture_output=True)
    except OSError:
        return False
    return found.returncode == 0


def install(name):
    """Install a requirements file unless exactly this one is installed already."""
    digest = fingerprint(name)
    stamp = STAMPS_DIR / name
    if stamp.exists() and stamp.read_text() == digest:
        return
    print(f"Installing {name} into .venv ...", flush=True)
    pip = [str(PYTHON), "-m", "pip"]
    if not works(PYTHON, "import pip"):
        pip = [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    options = ["--quiet", "--disable-pip-version-check", "-r", str(PROJECT_DIR / name)]
    installed = subprocess.run(pip + ["install"] + options)
    if installed.returncode != 0:
        sys.exit(f"voiceops: {name} could not be installed; pip's reason is above")
    STAMPS_DIR.mkdir(exist_ok=True)
    stamp.write_text(digest)


def fingerprint(name):
    """Of the file and of the files that it includes."""
    text = (PROJECT_DIR / name).read_text()
    included = [line[3:].strip() for line in text.splitlines() if line[:3] == "-r "]
    parts = [text] + [fingerprint(other) for other in included]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1:])
