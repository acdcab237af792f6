"""The server's own handlers of Python's loggers, and whether anybody else hears these loggers.

While nobody does, what the server logs passes Python by. A handler, a filter or another level that
an operator's code sets on ``gunicorn.error`` or ``gunicorn.access`` is noticed when it is set: the
server's own lines go through the logger from then on, and from there to the native log.
"""

from __future__ import annotations

import contextlib
import logging
from types import FunctionType
from typing import Any

from tricorn import _native

#: The attribute of a record that has the line which an operator's own formatter has made.
LINE = "access_line"

#: What of a logger or a handler, once it is set, may make somebody hear or silence it.
_TELLING = frozenset(("disabled", "filters", "formatter", "handlers", "level", "propagate"))


class _Noticed:
    """What is set on it is noticed."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _TELLING:
            look()

    def addFilter(self, filter: Any) -> None:  # noqa: N802, A002
        """Add a filter."""
        super().addFilter(filter)  # type: ignore[misc]
        look()

    def removeFilter(self, filter: Any) -> None:  # noqa: N802, A002
        """Remove a filter."""
        super().removeFilter(filter)  # type: ignore[misc]
        look()


class _NoticedLogger(_Noticed):
    """A logger whose handlers are noticed, too."""

    def addHandler(self, hdlr: logging.Handler) -> None:  # noqa: N802
        """Add a handler."""
        super().addHandler(hdlr)  # type: ignore[misc]
        look()

    def removeHandler(self, hdlr: logging.Handler) -> None:  # noqa: N802
        """Remove a handler."""
        super().removeHandler(hdlr)  # type: ignore[misc]
        look()


class NativeHandler(_Noticed, logging.Handler):
    """Gives the records of a Python logger to the server's log.

    Applications take it over from the logger ``gunicorn.error`` for their own.
    """

    _gunicorn = True

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record; by a formatter of somebody's own it is a whole line."""
        try:
            line = self.format(record)
            if self.formatter is not None:
                _native.log_line(record.levelno, line)
            else:
                _native.log(record.levelno, line, bool(record.exc_info))
        except Exception:
            self.handleError(record)


class NativeAccessHandler(_Noticed, logging.Handler):
    """Gives the records of a Python logger to the server's access log, as they are."""

    _gunicorn = True

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record."""
        try:
            made = None if self.formatter else vars(record).get(LINE)
            _native.log_access(self.format(record) if made is None else made)
        except Exception:
            self.handleError(record)


class _Watch:
    """The loggers that are looked at, each with the level it has by itself."""

    errors: tuple[logging.Logger, int] | None = None
    access: tuple[logging.Logger, int] | None = None


def attend(errors: logging.Logger, level: int, access: logging.Logger) -> None:
    """Look at the loggers from now on, and whenever something is set on them."""
    for log in (errors, access):
        if not isinstance(log, _NoticedLogger):
            # One of a class of somebody's own may not allow it: it is looked at now and then.
            with contextlib.suppress(TypeError):
                log.__class__ = type(type(log).__name__, (_NoticedLogger, type(log)), {})
    _Watch.errors = errors, level
    _Watch.access = access, logging.INFO
    look()


def look() -> None:
    """Find out whether anybody hears the loggers."""
    errors, access = _Watch.errors, _Watch.access
    if errors is not None and access is not None:
        heard = _is_heard(*errors) or (_logging_is_patched() and not errors[0].disabled)
        _native.hear(heard, _is_heard(*access))


def _is_heard(log: logging.Logger, level: int) -> bool:
    """Whether a record would come to anything else than a native line.

    A logger that is disabled is so by accident: a configuration has not named it. Its lines are
    written natively all the same.
    """
    if log.disabled:
        return False
    changed = log.propagate or log.level > level or log.filters or not log.handlers
    return bool(changed) or any(_is_foreign(handler) for handler in log.handlers)


def _is_foreign(handler: logging.Handler) -> bool:
    if not isinstance(handler, NativeHandler | NativeAccessHandler):
        return True
    return bool(handler.filters or handler.formatter or handler.level)


def _logging_is_patched() -> bool:
    """Whether a tool such as Sentry hears all records by a function it has put into ``logging``."""
    own = vars(logging)
    for name in ("callHandlers", "handle"):
        function = vars(logging.Logger)[name]
        if type(function) is not FunctionType or function.__globals__ is not own:
            return True
    return False
