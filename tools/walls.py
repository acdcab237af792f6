"""The walls between the parts of the project, checked: run by ``make walls`` and by CI.

Each check yields one line for each breach, naming the file and the mend. What the walls are stands
in ARCHITECTURE.md; the ranks of the server's modules are read from the table in its ``lib.rs``, so
that the documentation is what is enforced.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: What each crate of ours may depend on, of our own crates. A plugin sees the SDK alone.
ARROWS = {
    "tricorn-http": set(),
    "tricorn-abi": set(),
    "tricorn-hooks": {"tricorn-abi"},
    "tricorn-server": {"tricorn-http", "tricorn-abi"},
    "tricorn-python": {"tricorn-server", "tricorn-http"},
}
PLUGIN_ARROWS = {"tricorn-hooks"}

#: The one crate that knows the interpreter.
BINDING = "tricorn-python"
INTERPRETER = {"pyo3", "pyo3-ffi"}

#: The most lines that a source file may have.
CEILING = 500
SOURCES = ("*.rs", "*.py", "*.pyi", "*.c", "*.h")
GENERATED = {"hooks-api/include/tricorn.h"}

#: What sans-IO means for the HTTP crate: nothing of these may be named in its sources.
OUTSIDE_HTTP = re.compile(r"\bstd::(net::(Tcp|Udp)|fs|io|thread|time|process|os)\b|\bunsafe\b")


def main() -> int:
    """Run every check; return 1 if there is a breach."""
    checks = (arrows, interpreter, ranks, sizes, sans_io)
    breaches = [breach for check in checks for breach in check()]
    for breach in breaches:
        print(breach)
    print(f"walls: {len(breaches)} breaches" if breaches else "walls: they stand")
    return 1 if breaches else 0


def packages() -> list[dict]:
    """Return what cargo says of the workspace's own crates."""
    command = ["cargo", "metadata", "--no-deps", "--format-version=1", "--locked"]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)["packages"]


def arrows() -> Iterator[str]:
    """Our crates depend on each other along the drawn arrows only."""
    ours = {package["name"] for package in packages()}
    for package in packages():
        name, manifest = package["name"], Path(package["manifest_path"]).relative_to(ROOT)
        outside = manifest.parts[0] in ("plugins", "examples")
        allowed = PLUGIN_ARROWS if outside else ARROWS.get(name)
        if allowed is None and manifest.parts[0] != "tests":
            yield f"{manifest}: the crate {name} has no place in the drawing; add it to ARROWS"
            continue
        used = {found["name"] for found in package["dependencies"] if found["kind"] != "dev"}
        for other in sorted((used & ours) - (allowed or ours)):
            yield f"{manifest}: {name} may not depend on {other}"


def interpreter() -> Iterator[str]:
    """Only the binding depends on PyO3."""
    for package in packages():
        used = {found["name"] for found in package["dependencies"]} & INTERPRETER
        if used and package["name"] != BINDING:
            manifest = Path(package["manifest_path"]).relative_to(ROOT)
            yield f"{manifest}: {package['name']} may not depend on {', '.join(sorted(used))}"


def drawn_ranks(library: Path) -> dict[str, int]:
    """Read the table of ranks from a ``lib.rs``."""
    found = {}
    for line in library.read_text().splitlines():
        row = re.match(r"//! \| (\d+) \| ([^|]*) \|", line)
        if row:
            found |= dict.fromkeys(re.findall(r"\[`(\w+)`\]", row[2]), int(row[1]))
    return found


def ranks() -> Iterator[str]:
    """A module of the server uses modules of lower ranks only."""
    source = ROOT / "core/server/src"
    rank = drawn_ranks(source / "lib.rs")
    for path in sorted(source.rglob("*.rs")):
        module = path.relative_to(source).parts[0].removesuffix(".rs")
        if module == "lib":
            continue
        where = path.relative_to(ROOT)
        if module not in rank:
            yield f"{where}: the module {module} has no rank in lib.rs"
            continue
        for number, used in used_modules(path):
            if used != module and used in rank and rank[used] >= rank[module]:
                yield (
                    f"{where}:{number}: {module} (rank {rank[module]}) may not use "
                    f"{used} (rank {rank[used]})"
                )


def used_modules(path: Path) -> Iterator[tuple[int, str]]:
    """Give each line that names a module of the crate, comments aside."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        code = line.split("//")[0]
        for grouped in re.findall(r"\bcrate::\{([^}]*)\}", code):
            for name in re.findall(r"(?:^|,)\s*(\w+)", grouped):
                yield number, name
        for name in re.findall(r"\bcrate::(\w+)", code):
            yield number, name


def tracked() -> list[Path]:
    """Return the files that the project keeps, and those about to be added."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *SOURCES]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in answer.stdout.split("\0") if name and (ROOT / name).exists()]


def sizes() -> Iterator[str]:
    """No source file is longer than the ceiling, tests aside."""
    for path in tracked():
        where = path.relative_to(ROOT)
        if where.parts[0] == "tests" or str(where) in GENERATED:
            continue
        lines = path.read_text().count("\n")
        if lines > CEILING:
            yield f"{where}: {lines} lines, the ceiling is {CEILING}; split it by what it owns"


def sans_io() -> Iterator[str]:
    """The HTTP crate knows no socket, file, clock or thread, and has no unsafe code."""
    for path in sorted((ROOT / "core/http/src").rglob("*.rs")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = OUTSIDE_HTTP.search(line.split("//")[0].replace("forbid(unsafe_code)", ""))
            if found:
                where = f"{path.relative_to(ROOT)}:{number}"
                yield f"{where}: {found[0]} has no place in a crate without I/O"


if __name__ == "__main__":
    sys.exit(main())
