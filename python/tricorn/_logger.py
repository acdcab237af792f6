"""The server's logger as handlers see it: ``server.log``, ``worker.log``."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tricorn import _native

if TYPE_CHECKING:
    from tricorn._config import Config


class Logger:
    """The server's logger, with the methods of gunicorn's."""

    LOG_LEVELS: ClassVar[dict[str, int]] = {
        "critical": logging.CRITICAL,
        "error": logging.ERROR,
        "warning": logging.WARNING,
        "info": logging.INFO,
        "debug": logging.DEBUG,
    }

    def __init__(self, cfg: Config) -> None:
        self.error_log = logging.getLogger("gunicorn.error")
        self.access_log = logging.getLogger("gunicorn.access")
        self.error_log.propagate = False
        self.error_log.handlers = [NativeHandler()]
        self.setup(cfg)

    def setup(self, cfg: Config) -> None:
        """Follow a configuration."""
        self.cfg = cfg
        self.loglevel = self.LOG_LEVELS.get(cfg.loglevel, logging.INFO)
        self.error_log.setLevel(self.loglevel)

    @property
    def access_log_enabled(self) -> bool:
        """Whether requests are logged."""
        return bool(self.cfg.accesslog)

    def critical(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log at the level critical."""
        self.log(logging.CRITICAL, msg, *args, **kwargs)

    def error(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log at the level error."""
        self.log(logging.ERROR, msg, *args, **kwargs)

    def warning(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log at the level warning."""
        self.log(logging.WARNING, msg, *args, **kwargs)

    def info(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log at the level info."""
        self.log(logging.INFO, msg, *args, **kwargs)

    def debug(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log at the level debug."""
        self.log(logging.DEBUG, msg, *args, **kwargs)

    def exception(self, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log at the level error, with the traceback of the exception at hand."""
        kwargs.setdefault("exc_info", True)
        self.log(logging.ERROR, msg, *args, **kwargs)

    def log(self, lvl: int | str, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log at a level, by number or name."""
        level = self.LOG_LEVELS.get(lvl.lower(), logging.INFO) if isinstance(lvl, str) else lvl
        if not _native.log_enabled(level):
            return
        try:
            text = _formatted(msg, args)
        except Exception:
            # A slip in a log line must not end what it tells of.
            sys.stderr.write(f"--- Logging error ---\n{traceback.format_exc()}")
            text = f"{msg} {args}"
        trace = _trace(kwargs.get("exc_info"))
        _native.log(level, f"{text}\n{trace}" if trace else text)

    def reopen_files(self) -> None:
        """Open the log files again."""
        _native.log_reopen()

    def close_on_exec(self) -> None:
        """Do nothing: the log files are never inherited by what is executed."""


class NativeHandler(logging.Handler):
    """Gives the records of a Python logger to the server's log.

    Applications take it over from the logger ``gunicorn.error`` for their own.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record."""
        try:
            _native.log(record.levelno, self.format(record))
        except Exception:
            self.handleError(record)


def _formatted(msg: object, args: tuple[Any, ...]) -> str:
    text = str(msg)
    if not args:
        return text
    # As the standard library has it: one mapping fills named places.
    single = len(args) == 1 and isinstance(args[0], Mapping) and args[0]
    return text % (args[0] if single else args)


def _trace(exc_info: Any) -> str:
    if not exc_info:
        return ""
    if isinstance(exc_info, BaseException):
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    elif not isinstance(exc_info, tuple):
        exc_info = sys.exc_info()
    if exc_info[1] is None:
        return ""
    return "".join(traceback.format_exception(*exc_info)).rstrip()
