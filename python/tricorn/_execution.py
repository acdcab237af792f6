"""Executing the program anew: for an upgrade, beside the arbiter that runs."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tricorn._objects import Arbiter


def execute(server: Arbiter, variables: Mapping[str, str], former: Container[str]) -> None:
    """Become the program that ``server.START_CTX`` names, in the environment of the first start.

    ``variables`` are added to it; ``former`` are those that this process was passed itself.
    Handlers of ``pre_exec`` may have changed what is started, and where.
    """
    start = server.cfg.env_orig
    environment = {name: value for name, value in start.items() if name not in former}
    environment.update(variables)
    if "WATCHDOG_PID" in environment:
        environment["WATCHDOG_PID"] = str(os.getpid())
    os.chdir(server.START_CTX["cwd"])
    program = server.START_CTX[0]
    os.execvpe(program, [program, *server.START_CTX["args"]], environment)  # noqa: S606
