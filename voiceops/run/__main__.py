"""`python -m voiceops.run`: the whole stack, some of it, or a command beside it."""

import argparse
import asyncio
import os
import shutil
import sys

from voiceops.run.console import Console
from voiceops.run.errors import CannotStart
from voiceops.run.installation import Installation, read_installation
from voiceops.run.plan import NAMES, make_plan
from voiceops.run.supervisor import Supervisor

DEMO_EMAIL = "demo@example.com"


def main() -> int:
    arguments = _parser().parse_args()
    try:
        installation = read_installation()
        if arguments.command:
            return _run_beside(installation, arguments.command)
        return _run_stack(installation, arguments.only)
    except CannotStart as error:
        print(f"voiceops: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m voiceops.run", description=__doc__)
    parser.add_argument(
        "--only",
        type=_names,
        default=NAMES,
        metavar="NAMES",
        help=f"start only these of {','.join(NAMES)}",
    )
    parser.add_argument(
        "command",
        nargs="*",
        help="run this with the stack's environment instead (after --)",
    )
    return parser


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - set(NAMES):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return names


def _run_beside(installation: Installation, command: list[str]) -> int:
    make_plan(installation, names=())
    os.execvpe(command[0], command, installation.environment)


def _run_stack(installation: Installation, names: tuple[str, ...]) -> int:
    installation.lock(names)
    if "web" in names:
        installation.check_port()
    plan = make_plan(installation, names)
    console = Console()
    try:
        supervisor = Supervisor(plan, console, lambda: _greet(installation, console))
        return asyncio.run(supervisor.run())
    finally:
        if plan.scratch_dir is not None:
            shutil.rmtree(plan.scratch_dir, ignore_errors=True)


def _greet(installation: Installation, console: Console) -> None:
    environment = installation.environment
    lines = [f"VoiceOps is running at {environment.get('PUBLIC_BASE_URL')}"]
    if installation.wants_simulator and not installation.is_production:
        lines += [
            f"  log in   {DEMO_EMAIL}",
            f"           {environment['DEMO_PASSWORD']}",
        ]
    lines += [f"  data     {installation.var_dir}", "  stop     Ctrl-C"]
    console.say("\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
