"""The configuration of the standard library's loggers, tried out without its handlers.

Handlers open files and connect to hosts when they are made: here their classes are found, and
others that do nothing stand in their places.
"""

from __future__ import annotations

import configparser
import functools
import logging
import logging.config
from typing import Any

from tricorn import glogging

#: What of a handler's entry is kept: it names other entries.
KEPT = ("level", "formatter", "filters")


def configure(cfg: Any) -> None:
    """Refuse what the logger would refuse, once the server starts."""
    glogging.configure(cfg, _dict_config, _file_config)


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
