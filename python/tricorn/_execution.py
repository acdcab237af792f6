"""Executing the program anew: beside the arbiter that runs, or in its place."""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, NoReturn

from tricorn._loading import Mistake
from tricorn.config import ENVIRONMENT

if TYPE_CHECKING:
    from tricorn.arbiter import Arbiter

#: Why this process's program is not to be executed, if it is not.
refusal: Mistake | None = None


def execute(server: Arbiter, variables: Mapping[str, str], former: Container[str]) -> NoReturn:
    """Become the program that ``server.START_CTX`` names, in the environment of the first start.

    ``variables`` are added to it; ``former`` are those that this process was passed itself.
    Handlers of ``pre_exec`` may have changed what is started, and where.
    """
    if refusal is not None:
        raise refusal
    start = server.cfg.env_orig
    environment = {name: value for name, value in start.items() if name not in former}
    environment.update(variables)
    if "WATCHDOG_PID" in environment:
        environment["WATCHDOG_PID"] = str(os.getpid())
    program = server.START_CTX[0]
    here = os.getcwd()
    os.chdir(server.START_CTX["cwd"])
    try:
        os.execvpe(program, [program, *server.START_CTX["args"]], environment)  # noqa: S606
    finally:
        # Only if that has failed.
        os.chdir(here)


def execute_again(variable: str, value: str) -> NoReturn:
    """Become the program that this process is, with this variable."""
    environment = {**ENVIRONMENT, variable: value}
    os.execvpe(sys.executable, sys.orig_argv, environment)  # noqa: S606
