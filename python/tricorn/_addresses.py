"""How addresses are written."""

from __future__ import annotations

#: What stands before an abstract name: as systemd shows it, as the kernel has it, and as a command
#: line has that.
_MARKS = ("@", "\0", "\\0")


def is_abstract(name: str) -> bool:
    """Say whether the name of a unix socket is an abstract one, for which there is no file."""
    return name.startswith(_MARKS)


def unix_name(name: str) -> str:
    """Return the name of a unix socket as `socket` takes it."""
    for mark in _MARKS:
        if name.startswith(mark):
            return f"\0{name.removeprefix(mark)}"
    return name
