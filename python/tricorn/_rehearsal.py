"""The loggers of an operator's, tried out.

The configuration of the standard library's loggers is tried without its handlers, which open files
and connect to hosts when they are made: here their classes are found, and others that do nothing
stand in their places. A class of the operator's is made in a child, with files that are none.
"""

from __future__ import annotations

import configparser
import functools
import logging
import logging.config
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

from tricorn import glogging
from tricorn._loading import Mistake

#: What of a handler's entry is kept: it names other entries.
KEPT = ("level", "formatter", "filters")


def configure(cfg: Any) -> None:
    """Refuse what the logger would refuse, once the server starts."""
    glogging.configure(cfg, _dict_config, _file_config)


#: Seconds in which a logger must be made.
PATIENCE = 30


def make(logger_class: type[Any], cfg: Any) -> None:
    """Refuse a class whose logger the server could not make, once it starts."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _make_and_leave(logger_class, cfg)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 0:
        return
    ended = (
        "the traceback is above" if code == 1 else f"the process that tried it ended with {code}"
    )
    raise Mistake("the logger cannot be made", ended, "logger_class")


def _make_and_leave(logger_class: type[Any], cfg: Any) -> NoReturn:
    """Make the logger in a process that has nothing else to do. What ends it by itself is no 0."""
    code = 2
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE)
        errors = os.dup(2)
        glogging._open_log = _open_nothing
        vars(logging)["FileHandler"]._open = _open_nothing
        try:
            logger_class(cfg)
            code = 0
        except BaseException:
            os.write(errors, traceback.format_exc().encode(errors="replace"))
            code = 1
    finally:
        os._exit(code)


def _open_nothing(handler: logging.FileHandler) -> Any:
    return open(os.devnull, handler.mode, encoding=handler.encoding, errors=handler.errors)


def _dict_config(given: dict[str, Any]) -> None:
    handlers = given.get("handlers", {})
    tame = {name: _tamed(name, entry) for name, entry in handlers.items()}
    logging.config.dictConfig({**given, "handlers": tame})


def _tamed(name: str, entry: Any) -> Any:
    """Put a class that does nothing into a handler's entry."""
    maker = entry.get("()", entry.get("class")) if isinstance(entry, dict) else None
    if maker is None:
        return entry
    if isinstance(maker, str):
        try:
            logging.config.DictConfigurator({}).resolve(maker)
        except ValueError as error:
            raise ValueError(f"Unable to configure handler {name!r}") from error
    kept = {key: value for key, value in entry.items() if key in KEPT}
    return {"class": "logging.NullHandler", **kept}


def _file_config(path: str, defaults: dict[str, str], disable_existing_loggers: bool) -> None:
    parser = configparser.ConfigParser(defaults)
    parser.read(path)
    names = parser.get("handlers", "keys", fallback="").split(",")
    for section in (f"handler_{name.strip()}" for name in names):
        if parser.has_option(section, "class"):
            _find(parser.get(section, "class"))
            parser[section].update({"class": "NullHandler", "args": "()", "kwargs": "{}"})
    logging.config.fileConfig(parser, defaults, disable_existing_loggers)


def _find(name: str) -> None:
    """Look for a handler's class, as the standard library does: in its own module first."""
    try:
        functools.reduce(getattr, name.split("."), logging)
    except AttributeError:
        logging.config.DictConfigurator({}).resolve(name)
