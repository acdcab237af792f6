"""Building the wheel: maturin's, with the SDK's sources and the first-party plugins packed in.

``pip install .`` calls this. What is packed is put into the package's folder for the time of the
build, and taken away again, but for plugins that were there before: those of the checkout itself,
which ``make build`` leaves there (``python tools/backend.py PROFILE``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import maturin
from maturin import (  # noqa: F401
    build_editable,
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "tricorn"
SDK = PACKAGE / "_sdk"
PLUGINS = PACKAGE / "_plugins"

#: Sections of the workspace's manifest that the SDK's crates refer to.
SHARED = ("[workspace.package]", "[workspace.dependencies]", "[workspace.lints")


def build_wheel(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel that has everything in it."""
    with packed():
        return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


@contextmanager
def packed() -> Iterator[None]:
    """Have the SDK and the plugins in the package's folder."""
    passing = [SDK] if PLUGINS.exists() else [SDK, PLUGINS]
    try:
        pack_sdk()
        pack_plugins("fast")
        yield
    finally:
        for folder in passing:
            shutil.rmtree(folder, ignore_errors=True)


def pack_sdk() -> None:
    """Copy the sources of the SDK, as a workspace of their own."""
    source = ROOT / "hooks-api"
    shutil.rmtree(SDK, ignore_errors=True)
    for part in ("abi", "sdk", "include"):
        ignored = shutil.ignore_patterns("tests", "target", "layout.txt")
        shutil.copytree(source / part, SDK / part, ignore=ignored)
    (SDK / "Cargo.toml").write_text(manifest((ROOT / "Cargo.toml").read_text()))
    abi = SDK / "abi" / "Cargo.toml"
    abi.write_text(
        abi.read_text().partition("[dev-dependencies]")[0] + "[lints]\nworkspace = true\n"
    )


def manifest(workspace: str) -> str:
    """Return the manifest of a workspace that has the SDK's two crates only."""
    sections = ['[workspace]\nresolver = "3"\nmembers = ["abi", "sdk"]\n']
    for section in ("\n" + workspace).split("\n[")[1:]:
        section = "[" + section.rstrip() + "\n"
        if section.startswith(SHARED):
            sections.append(section)
    text = "\n".join(sections)
    for name, place in (("tricorn-abi", "abi"), ("tricorn-hooks", "sdk")):
        text = text.replace(
            f'{name} = {{ path = "hooks-api/{place}" }}', f'{name} = {{ path = "{place}" }}'
        )
    return "\n".join(line for line in text.splitlines() if 'path = "core/' not in line) + "\n"


def pack_plugins(profile: str) -> None:
    """Build the first-party plugins in a profile of cargo's, and copy them."""
    names = sorted(path.parent.name for path in (ROOT / "plugins").glob("*/Cargo.toml"))
    if not names:
        return
    crates = [argument for name in names for argument in ("-p", f"tricorn-plugin-{name}")]
    cargo = os.environ.get("CARGO", "cargo")
    command = [cargo, "build", "--quiet", "--locked", "--profile", profile, *crates]
    subprocess.run(command, cwd=ROOT, check=True)
    folder = "debug" if profile == "dev" else profile
    target = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / folder
    PLUGINS.mkdir(exist_ok=True)
    for name in names:
        file = f"libtricorn_plugin_{name.replace('-', '_')}.so"
        # A server that reads the file meanwhile sees the old one or the new one, whole.
        shutil.copy(target / file, PLUGINS / f"{file}.new")
        (PLUGINS / f"{file}.new").replace(PLUGINS / file)


if __name__ == "__main__":
    pack_plugins(sys.argv[1])
