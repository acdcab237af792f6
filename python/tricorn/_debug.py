"""Aids for development."""

from __future__ import annotations

import linecache
import sys
from types import FrameType
from typing import Any


def spew() -> None:
    """Print every line of Python that runs from now on."""
    sys.settrace(_trace)


def _trace(frame: FrameType, event: str, _argument: Any) -> Any:
    if event == "line":
        code, number = frame.f_code, frame.f_lineno
        text = linecache.getline(code.co_filename, number).rstrip()
        name = frame.f_globals.get("__name__", "?")
        sys.stderr.write(f"{name}:{number}: {text}\n")
    return _trace
