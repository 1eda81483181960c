"""Fill static/vendor from node_modules, as package-lock.json pins it.

    npm ci --ignore-scripts && python -m scripts.vendor_static [--check]

The copies are committed, so nobody needs Node to run VoiceOps. `--check` changes
nothing and exits 1 when the committed files are not what the lock file says.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NODE_MODULES = ROOT / "node_modules"
VENDOR = ROOT / "static" / "vendor"

# A source map that is not served makes collectstatic's manifest storage fail.
SOURCE_MAP = re.compile(rb"\s*(//[#@]\s*sourceMappingURL=\S+|/\*[#@].*?\*/)\s*\Z")


@dataclass(frozen=True)
class Asset:
    package: str
    source: str
    name: str


ASSETS = (
    Asset("chart.js", "dist/chart.umd.min.js", "chart.min.js"),
    Asset("chart.js", "LICENSE.md", "chart.LICENSE.txt"),
    Asset("htmx.org", "dist/htmx.min.js", "htmx.min.js"),
    Asset("htmx.org", "LICENSE", "htmx.LICENSE.txt"),
    Asset(
        "@fontsource-variable/inter",
        "files/inter-latin-wght-normal.woff2",
        "inter-latin-wght-normal.woff2",
    ),
    Asset("@fontsource-variable/inter", "LICENSE", "inter.LICENSE.txt"),
)


def contents(asset: Asset) -> bytes:
    data = (NODE_MODULES / asset.package / asset.source).read_bytes()
    if asset.name.endswith((".js", ".css")):
        return SOURCE_MAP.sub(b"", data) + b"\n"
    return data


def integrity(data: bytes) -> str:
    """The Subresource Integrity value of `data` (W3C SRI 3.1)."""
    return "sha384-" + base64.b64encode(hashlib.sha384(data).digest()).decode()


def locked(package: str) -> dict:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    return lock["packages"][f"node_modules/{package}"]


def installed_version(package: str) -> str:
    return json.loads((NODE_MODULES / package / "package.json").read_text())["version"]


def expected_files() -> dict[str, bytes]:
    """Every file of static/vendor by name, the manifest included."""
    files, manifest = {}, {}
    for asset in ASSETS:
        lock = locked(asset.package)
        if installed_version(asset.package) != lock["version"]:
            raise SystemExit(f"{asset.package} is not {lock['version']}: run `npm ci`.")
        files[asset.name] = contents(asset)
        manifest[asset.name] = {
            "package": asset.package,
            "version": lock["version"],
            "license": lock["license"],
            "integrity": integrity(files[asset.name]),
        }
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    return {**files, "manifest.json": text.encode()}


def differences(expected: dict[str, bytes]) -> list[str]:
    present = {path.name: path.read_bytes() for path in VENDOR.iterdir()}
    names = sorted(expected.keys() | present.keys())
    return [name for name in names if expected.get(name) != present.get(name)]


def write(expected: dict[str, bytes]) -> None:
    VENDOR.mkdir(parents=True, exist_ok=True)
    for path in VENDOR.iterdir():
        if path.name not in expected:
            path.unlink()
    for name, data in expected.items():
        (VENDOR / name).write_bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    if not NODE_MODULES.is_dir():
        raise SystemExit("node_modules is missing: run `npm ci --ignore-scripts`.")
    expected = expected_files()
    if not arguments.check:
        write(expected)
        return 0
    changed = differences(expected)
    for name in changed:
        print(f"static/vendor/{name} is not what package-lock.json says")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
