"""The server's own logger as handlers see it: ``server.log``, ``worker.log``.

What is logged here and by the standard library's loggers ``gunicorn.error`` and ``gunicorn.access``
goes where the server's own lines go.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tricorn import _classes, _loading, _native, glogging
from tricorn._handlers import LINE, NativeAccessHandler, NativeHandler, attend

if TYPE_CHECKING:
    from tricorn.config import Config

#: Names of the server's own logger.
OWN = ("native", "simple", "gunicorn.glogging.Logger")


class Logger(glogging.Logger):
    """The native logger, with gunicorn's interface."""

    # Programs compare the class's name as text.
    __module__ = "gunicorn.glogging"

    def setup(self, cfg: Config) -> None:
        """Follow a configuration. The files are the server's own affair."""
        self.cfg = cfg
        self.loglevel = self.LOG_LEVELS.get(cfg.loglevel.lower(), logging.INFO)
        self.error_log.setLevel(self.loglevel)
        self.access_log.setLevel(logging.INFO)
        _take(self.error_log, NativeHandler())
        _take(self.access_log, NativeAccessHandler())
        if not (_is_plugin(cfg.settings["logger_class"].value) or _is_log4rs(cfg)):
            attend(self.error_log, self.loglevel, self.access_log)

    def info(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at the level info."""
        self.log(logging.INFO, msg, *args, **kwargs)

    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at the level debug."""
        self.log(logging.DEBUG, msg, *args, **kwargs)

    def log(self, lvl: int | str, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at a level, by number or name. ``extra`` may name a metric for a statsd."""
        extra = kwargs.get("extra") or {}
        if "metric" in extra and "value" in extra:
            _native.metric(str(extra["metric"]), str(extra["value"]), str(extra.get("mtype")))
        if msg:
            super().log(lvl, msg, *args, **kwargs)

    def _access(
        self, line: str, resp: Any, req: Any, environ: dict[str, Any], request_time: Any
    ) -> None:
        """Log a request whose line an operator's own formatter has made."""
        atoms = self.atoms_wrapper_class(self.atoms(resp, req, environ, request_time))
        self.access_log.info(glogging.access_format(self.cfg), atoms, extra={LINE: line})

    def reopen_files(self) -> None:
        """Open the log files again."""
        _native.log_reopen()

    def _reopen_handlers(self) -> None:
        """Open the files again that handlers of somebody's own write."""
        super().reopen_files()


def _is_plugin(given: Any) -> bool:
    return isinstance(given, str) and given.startswith("plugin:")


def _is_log4rs(cfg: Config) -> bool:
    return str(cfg.logconfig).endswith((".yaml", ".yml", ".toml", ".json"))


def _take(log: logging.Logger, handler: logging.Handler) -> None:
    """Set the server's own handler, in place of an earlier one."""
    kept = [other for other in log.handlers if not getattr(other, "_gunicorn", False)]
    log.handlers = [handler, *kept]


def logger_class(cfg: Config) -> type[Any]:
    """Return the class of the logger that a configuration asks for."""
    given = cfg.settings["logger_class"].value
    is_own = given is None or given in OWN
    if _is_plugin(given):
        return Logger
    by_file = cfg.logconfig and not _is_log4rs(cfg)
    if is_own and not (by_file or cfg.logconfig_dict or cfg.logconfig_json):
        return Logger
    if is_own:
        # Only the standard library's loggers can be configured so.
        from tricorn import statsd

        return statsd.Statsd if cfg.statsd_host else glogging.Logger
    return _classes.load_logger_class(given)


def formatter(cfg: Config) -> Callable[..., Any] | None:
    """Return the operator's own formatter of access lines, if there is one in Python."""
    given = cfg.access_log_formatter
    if given is None or _is_plugin(given):
        return None
    setting = "access_log_formatter"
    found = _loading.import_setting(setting, given) if isinstance(given, str) else given
    if not (callable(found) and _takes_one(found)):
        what = f"{given!r} is not callable" + (" with one argument" if callable(found) else "")
        mend = "give a callable that takes the atoms and returns the line"
        raise _loading.Mistake(what, mend, setting)
    return found  # type: ignore[no-any-return]


def _takes_one(function: Callable[..., Any]) -> bool:
    """Whether a callable can be called with one argument, as far as anybody can tell."""
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def check(cfg: Config, is_rehearsal: bool) -> None:
    """Find the classes, callables and files that the logs' settings name.

    What the standard library is to be configured with is found out when the server starts; where
    it does not, it is rehearsed.
    """
    formatter(cfg)
    made = logger_class(cfg)
    if issubclass(made, glogging.Logger) and made is not Logger:
        glogging.check_files(cfg)
        if is_rehearsal:
            from tricorn import _rehearsal

            _rehearsal.configure(cfg)
    given = cfg.settings["logger_class"].value
    if is_rehearsal and given is not None and given not in OWN and not _is_plugin(given):
        from tricorn import _rehearsal

        _rehearsal.make(made, cfg)
