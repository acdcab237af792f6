"""What ``import gunicorn`` gives."""

from __future__ import annotations

#: The version of gunicorn whose behaviour is answered with.
version_info = (27, 0, 1)
__version__ = ".".join(map(str, version_info))
SERVER = "gunicorn"
SERVER_SOFTWARE = f"{SERVER}/{__version__}"

#: What programs set to change what answers say of the server. The server does not ask it.
UNHEARD = {"SERVER": SERVER}

_UNCHANGED = SERVER_SOFTWARE


def named_software() -> str | None:
    """Return what a program has set for ``environ["SERVER_SOFTWARE"]``, if it has."""
    return SERVER_SOFTWARE if SERVER_SOFTWARE != _UNCHANGED else None
