"""What ``import gunicorn`` gives."""

from __future__ import annotations

import sys
from typing import Any

#: The version of gunicorn whose behaviour is answered with.
version_info = (27, 0, 1)
__version__ = ".".join(map(str, version_info))
SERVER = "gunicorn"
SERVER_SOFTWARE = f"{SERVER}/{__version__}"

#: What both are where no program has set them.
UNCHANGED = {"SERVER": SERVER, "SERVER_SOFTWARE": SERVER_SOFTWARE}


def changed(name: str) -> list[Any]:
    """Return what programs have set a name to, here and in ``gunicorn.http.wsgi``, which counts."""
    http = sys.modules.get("tricorn.compat.http.wsgi")
    places = [place for place in (http, sys.modules[__name__]) if place is not None]
    given = [getattr(place, name, UNCHANGED[name]) for place in places]
    return [value for value in given if value != UNCHANGED[name]]


def named_software() -> str | None:
    """Return what a program has set for ``environ["SERVER_SOFTWARE"]``, if it has."""
    given = changed("SERVER_SOFTWARE")
    return str(given[0]) if given else None
