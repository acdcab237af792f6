"""Aids for development."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Collection
from types import FrameType
from typing import Any


class Spew:
    """Prints every line of Python that runs, once it is the process's trace function."""

    def __init__(
        self, trace_names: Collection[str] | None = None, show_values: bool = True
    ) -> None:
        self.trace_names = trace_names
        self.show_values = show_values

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Print a line that is about to run."""
        name = frame.f_globals.get("__name__", "?")
        if event == "line" and (self.trace_names is None or name in self.trace_names):
            code, number = frame.f_code, frame.f_lineno
            text = linecache.getline(code.co_filename, number).rstrip()
            sys.stderr.write(f"{name}:{number}: {text}\n")
            if self.show_values:
                self._show_values(frame)
        return self

    def _show_values(self, frame: FrameType) -> None:
        """Print the variables that stand in the line."""
        names = (*frame.f_code.co_varnames, *frame.f_code.co_names)
        known = {name: frame.f_locals[name] for name in names if name in frame.f_locals}
        if known:
            shown = " ".join(f"{name}={value!r}" for name, value in known.items())
            sys.stderr.write(f"\t{shown}\n")


def spew(trace_names: Collection[str] | None = None, show_values: bool = False) -> None:
    """Print every line of Python that runs from now on, of these modules or of all."""
    sys.settrace(Spew(trace_names, show_values))


def unspew() -> None:
    """Print no more lines."""
    sys.settrace(None)
