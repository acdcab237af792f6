"""The end of a worker in which threads still run requests.

The interpreter ends such threads where they next wake, with all that is on their stacks; those that
have native code on theirs would take the process with them. So it is not finalised: what it would
do for the application is done here, and then the process ends.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import threading
from typing import Any


def prepare() -> None:
    """Do what the interpreter would: wait for threads, call exit handlers, flush."""
    shutdown: Any = threading
    shutdown._shutdown()
    run: Any = atexit
    run._run_exitfuncs()
    for thing in gc.get_objects():
        if issubclass(type(thing), io.IOBase):
            flush(thing)


def flush(file: Any) -> None:
    """Write what a file holds back."""
    with contextlib.suppress(Exception):
        if not file.closed and file.writable():
            file.flush()
