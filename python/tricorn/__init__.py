"""A pre-fork server for Python web applications, written in Rust.

Run it with ``tricorn`` or ``python -m tricorn``. From a config file or a library, add handlers to
the server's events with :func:`hook`.
"""

from tricorn._native import RequestTimeout, __version__
from tricorn.hooks import hook

__all__ = ["RequestTimeout", "__version__", "hook"]
