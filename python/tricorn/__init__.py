"""A pre-fork server for Python web applications, written in Rust.

Run it with ``tricorn`` or ``python -m tricorn``, or from a program of your own with :func:`serve`.
From a config file or a library, add handlers to the server's events with :func:`hook`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tricorn._native import RequestTimeout, __version__
from tricorn.hooks import hook

if TYPE_CHECKING:
    from tricorn.serving import serve

__all__ = ["RequestTimeout", "__version__", "hook", "serve"]


def __getattr__(name: str) -> Any:
    """Give ``serve`` to those who ask for it: the command has no use for it."""
    if name != "serve":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tricorn.serving import serve

    return serve
