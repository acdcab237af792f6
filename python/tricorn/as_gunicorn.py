"""Runs a program that is written for gunicorn: ``python -m tricorn.as_gunicorn SCRIPT [ARGS]``.

The program imports ``gunicorn.app.base``, derives from ``BaseApplication`` or ``Application``, and
calls ``run()``; here it gets tricorn's. gunicorn need not be installed.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
from typing import NoReturn

from tricorn import _standin

HELP = """\
Usage: python -m tricorn.as_gunicorn SCRIPT [ARGS]
       python -m tricorn.as_gunicorn -m MODULE [ARGS]

Runs a Python program that imports gunicorn and serves by it, such as one with a class derived from
gunicorn.app.base.BaseApplication. Its imports of gunicorn are answered with parts of tricorn.

  -m MODULE   run a module, as `python -m` does
  -h, --help  print this
"""


def main() -> None:
    """Run the program that the command line names."""
    arguments = sys.argv[1:]
    if not arguments:
        _refuse("no program is named; give SCRIPT, or -m MODULE")
    if arguments[0] in ("-h", "--help"):
        sys.stdout.write(HELP)
        return
    _stand_in()
    if arguments[0] == "-m":
        _run_module(arguments[1:])
    elif arguments[0].startswith("-"):
        _refuse(f"there is no flag {arguments[0]}; give SCRIPT, or -m MODULE")
    else:
        _run_script(arguments)


def _stand_in() -> None:
    """Have imports of gunicorn answered."""
    _standin.install()
    if not _standin.is_installed():
        place = getattr(sys.modules["gunicorn"], "__file__", None) or "somewhere"
        what = f"gunicorn has been imported from {place} before the program runs"
        _refuse(f"{what}; find out what imports it so early (sitecustomize, a .pth file)")


def _run_module(arguments: list[str]) -> None:
    """Run a module as the program."""
    if not arguments:
        _refuse("-m names no module; give -m MODULE")
    module = arguments[0]
    sys.path.insert(0, os.getcwd())
    try:
        is_there = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError as error:
        if not module.startswith(f"{error.name}."):
            raise
        is_there = False
    except ValueError:
        is_there = False
    if not is_there:
        _refuse(f"there is no module {module}; check the name, and PYTHONPATH")
    sys.argv = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _run_script(arguments: list[str]) -> None:
    """Run a file as the program."""
    script = arguments[0]
    try:
        with open(script, "rb"):
            pass
    except IsADirectoryError:
        # One with a __main__.py can be run.
        if not os.path.exists(os.path.join(script, "__main__.py")):
            _refuse(f"{script} is a directory without a __main__.py; name a file")
    except OSError as error:
        _refuse(f"{script} cannot be read: {error.strerror}; check the path")
    sys.argv = arguments
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    runpy.run_path(script, run_name="__main__")


def _refuse(what: str) -> NoReturn:
    sys.stderr.write(f"Error: {what}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
