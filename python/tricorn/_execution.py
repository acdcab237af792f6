"""Executing the program anew: for an upgrade, beside the arbiter that runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tricorn._objects import Arbiter

#: What one arbiter passes to the next, and is never passed on.
PASSED = (
    "GUNICORN_PID",
    "GUNICORN_FD",
    "TRICORN_READY_FD",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
)


def execute(server: Arbiter, variables: Mapping[str, str]) -> None:
    """Become the program that ``server.START_CTX`` names, in the environment of the first start.

    Handlers of ``pre_exec`` may have changed what is started, and where.
    """
    environment = {name: value for name, value in server.cfg.env_orig.items() if name not in PASSED}
    environment.update(variables)
    if "WATCHDOG_PID" in environment:
        environment["WATCHDOG_PID"] = str(os.getpid())
    os.chdir(server.START_CTX["cwd"])
    program = server.START_CTX[0]
    os.execvpe(program, [program, *server.START_CTX["args"]], environment)
