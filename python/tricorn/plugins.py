"""The compiled plugins that come with tricorn, for ``plugins = ["package:NAME"]``."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent
#: Where they stand: in the package, and, in a checkout, where cargo leaves them.
_PLACES = [_HERE / "_plugins", *(_HERE.parents[1] / "target" / kind for kind in ("fast", "debug"))]


def _find(name: str) -> str:
    file = f"libtricorn_plugin_{name.replace('-', '_')}.so"
    built = [place / file for place in _PLACES if (place / file).is_file()]
    if not built:
        raise FileNotFoundError(f"{file} was not built: run make build in the checkout")
    # After `make plugins` the one in the package is an earlier one.
    return str(max(built, key=lambda path: path.stat().st_mtime))


def auth_basic() -> str:
    """Return the file of the plugin that asks for a user name and a password."""
    return _find("auth-basic")


def health() -> str:
    """Return the file of the plugin that answers probes of liveness and readiness."""
    return _find("health")


def json_log() -> str:
    """Return the file of the plugin that writes both logs as JSON lines."""
    return _find("json-log")


def metrics() -> str:
    """Return the file of the plugin that shows the server's numbers as Prometheus text."""
    return _find("metrics")


def rate_limit() -> str:
    """Return the file of the plugin that refuses clients which send too much."""
    return _find("rate-limit")


def request_id() -> str:
    """Return the file of the plugin that gives every request an id."""
    return _find("request-id")


def static() -> str:
    """Return the file of the plugin that serves files under a prefix."""
    return _find("static")
