"""Shows what is in force in the worker.

``/NAME`` is answered with a setting's value, ``/variable/NAME`` with a variable's.
"""

from __future__ import annotations

import os

#: The configuration, once the hook has seen it.
_settings: dict = {}


def keep(worker):
    """Keep the worker's settings: a handler of ``post_worker_init``."""
    _settings.update(worker.cfg.settings)


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    shown = repr(_settings[name].value) if name in _settings else "served"
    if name.startswith("variable/"):
        shown = os.environ[name.removeprefix("variable/")]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [shown.encode()]
