"""Compiled plugins under test: the project's own, and fixtures, compiled when first asked for."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FIXTURES = ROOT / "tests" / "fixtures" / "plugins"
INCLUDE = ROOT / "hooks-api" / "include"


def built(crate: str) -> Path:
    """Return the shared object of a crate of the workspace, as `make plugins` leaves it."""
    path = ROOT / "target" / "debug" / f"lib{crate.replace('-', '_')}.so"
    assert path.exists(), f"{path} is missing: run make plugins"
    return path


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="tricorn-fixtures-"))


@functools.cache
def compiled(name: str, *flags: str) -> Path:
    """Compile a fixture that is written in C."""
    path = _folder() / f"{name}{len(flags)}{abs(hash(flags))}.so"
    compile_c(FIXTURES / f"{name}.c", path, *flags)
    return path


def compile_c(source: Path, path: Path, *flags: str) -> None:
    """Compile a plugin in C, with every warning an error."""
    command = ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    includes = [f"-I{INCLUDE}", f"-I{FIXTURES}"]
    subprocess.run([*command, *includes, *flags, "-o", str(path), str(source)], check=True)
