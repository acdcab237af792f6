"""Waiting for something to become true, and not for time to pass."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: How long anything may take on a machine that is busy with other things.
PATIENCE = 20.0


def eventually(probe: Callable[[], T], what: str = "", patience: float = PATIENCE) -> T:
    """Return what `probe` returns, as soon as it is true; fail with `what` if it never is."""
    deadline = time.monotonic() + patience
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"it never came to be: {what or probe}")
        pause()


def pause(seconds: float = 0.01) -> None:
    """Let others run for a moment."""
    select.select([], [], [], seconds)
