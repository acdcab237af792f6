"""A file that holds a process id."""

from __future__ import annotations

import contextlib
import os
import tempfile


class Pidfile:
    """A file that names a process, for as long as that process is the one it names."""

    def __init__(self, fname: str | None) -> None:
        self.fname = fname
        self.pid: int | None = None

    def create(self, pid: int) -> None:
        """Write the file, unless another living process has it."""
        other = self.validate()
        if other is not None and other != os.getpid():
            raise RuntimeError(f"the pidfile {self.fname} is of process {other}, which runs")
        self.pid = pid
        directory = os.path.dirname(self.fname) if self.fname else None
        if directory and not os.path.isdir(directory):
            raise RuntimeError(f"the directory {directory} of the pidfile is not there")
        made, path = tempfile.mkstemp(dir=directory or None)
        with open(made, "w") as file:
            file.write(f"{pid}\n")
        if self.fname:
            os.replace(path, self.fname)
        else:
            self.fname = path
        os.chmod(self.fname, 0o644)

    def rename(self, path: str) -> None:
        """Write the file elsewhere, and take this one away."""
        self.unlink()
        self.fname = path
        self.create(self.pid or os.getpid())

    def unlink(self) -> None:
        """Remove the file, if it still names the process it was written for."""
        if self.fname and self.pid is not None and _read(self.fname) == self.pid:
            with contextlib.suppress(OSError):
                os.unlink(self.fname)

    def validate(self) -> int | None:
        """Return the process that the file names, if it lives."""
        pid = _read(self.fname) if self.fname else None
        if not pid or pid < 0:
            return None
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return pid


def _read(path: str) -> int | None:
    """Return the number in a file; None where there is neither."""
    try:
        with open(path) as file:
            return int(file.read() or 0)
    except (FileNotFoundError, ValueError):
        return None
