"""A logger over the standard library's, with the interface of gunicorn's, to be subclassed.

It is what a ``logger_class`` gets that subclasses ``gunicorn.glogging.Logger``, and what
``logconfig``, ``logconfig_dict`` and ``logconfig_json`` configure. The server's own, native logger
needs none of it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import logging.config
import logging.handlers
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, ClassVar, cast

from tricorn import _access, _native
from tricorn._access import SafeAtoms
from tricorn._addresses import unix_name
from tricorn._loading import Mistake

#: The forms of the error log's lines and of their times.
ERROR_FORMAT = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
TIME_FORMAT = "[%Y-%m-%d %H:%M:%S %z]"


def _stream_handler(stream: str) -> dict[str, Any]:
    return {
        "class": "logging.StreamHandler",
        "stream": f"ext://sys.{stream}",
        "formatter": "generic",
    }


def _logger_to(name: str, handler: str) -> dict[str, Any]:
    return {"qualname": name, "handlers": [handler], "level": "INFO", "propagate": True}


#: A configuration of all loggers, for ``logconfig_dict`` to be laid over. Its names are gunicorn's:
#: configurations refer to them.
CONFIG_DEFAULTS: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "generic": {
            "class": "logging.Formatter",
            "format": ERROR_FORMAT,
            "datefmt": TIME_FORMAT,
        },
    },
    "handlers": {
        "console": _stream_handler("stdout"),
        "error_console": _stream_handler("stderr"),
    },
    "loggers": {
        "gunicorn.error": _logger_to("gunicorn.error", "error_console"),
        "gunicorn.access": _logger_to("gunicorn.access", "console"),
    },
    "root": {"handlers": ["console"], "level": "INFO"},
}

#: The numbers of a syslog's facilities.
SYSLOG_FACILITIES = logging.handlers.SysLogHandler.facility_names


class Logger:
    """The server's logger."""

    LOG_LEVELS: ClassVar[dict[str, int]] = {
        "critical": logging.CRITICAL,
        "error": logging.ERROR,
        "warning": logging.WARNING,
        "info": logging.INFO,
        "debug": logging.DEBUG,
    }
    loglevel = logging.INFO

    error_fmt = ERROR_FORMAT
    datefmt = TIME_FORMAT
    access_fmt = "%(message)s"
    syslog_fmt = "[%(process)d] %(message)s"

    atoms_wrapper_class: Any = SafeAtoms

    def __init__(self, cfg: Any) -> None:
        self.error_log = logging.getLogger("gunicorn.error")
        self.error_log.propagate = False
        self.access_log = logging.getLogger("gunicorn.access")
        self.access_log.propagate = False
        self.error_handlers: list[logging.Handler] = []
        self.access_handlers: list[logging.Handler] = []
        self.logfile: Any = None
        self.lock = threading.Lock()
        self.cfg = cfg
        self.setup(cfg)

    def setup(self, cfg: Any) -> None:
        """Follow a configuration."""
        self.cfg = cfg
        self.loglevel = self.LOG_LEVELS.get(cfg.loglevel.lower(), logging.INFO)
        self.error_log.setLevel(self.loglevel)
        self.access_log.setLevel(logging.INFO)
        for log in (self.error_log, self.access_log):
            _drop_own_handlers(log)
        error_format = logging.Formatter(self.error_fmt, self.datefmt)
        access_format = logging.Formatter(self.access_fmt)
        self._set_handler(self.error_log, cfg.errorlog, error_format)
        self._set_handler(self.access_log, cfg.accesslog, access_format, stream=sys.stdout)
        if cfg.syslog:
            self._set_syslog_handler(self.error_log, cfg, self.syslog_fmt, "error")
            if not cfg.disable_redirect_access_to_syslog:
                self._set_syslog_handler(self.access_log, cfg, self.syslog_fmt, "access")
        configure(cfg)

    def critical(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at the level critical."""
        self.error_log.critical(msg, *args, **kwargs)

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at the level error."""
        self.error_log.error(msg, *args, **kwargs)

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at the level warning."""
        self.error_log.warning(msg, *args, **kwargs)

    def info(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at the level info."""
        self.error_log.info(msg, *args, **kwargs)

    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at the level debug."""
        self.error_log.debug(msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at the level error, with the traceback of the exception at hand."""
        kwargs.setdefault("exc_info", True)
        self.error_log.error(msg, *args, **kwargs)

    def log(self, lvl: int | str, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at a level, by number or name."""
        level = self.LOG_LEVELS.get(lvl.lower(), logging.INFO) if isinstance(lvl, str) else lvl
        self.error_log.log(level, msg, *args, **kwargs)

    def atoms(
        self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any
    ) -> dict[str, Any]:
        """Return what the access format may name."""
        found = _access.atoms(resp, req, environ, request_time, self.now())
        found["u"] = self._get_user(environ) or "-"
        return found

    @property
    def access_log_enabled(self) -> bool:
        """Whether requests are logged."""
        cfg = self.cfg
        to_syslog = cfg.syslog and not cfg.disable_redirect_access_to_syslog
        configured = cfg.logconfig or cfg.logconfig_dict or cfg.logconfig_json
        return bool(cfg.accesslog or configured or to_syslog)

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        """Log a request that has ended."""
        if not self.access_log_enabled:
            return
        if self.cfg.access_log_format == "json":
            self.access_log.info("%s", _access.as_json(resp, req, environ, request_time))
            return
        atoms = self.atoms_wrapper_class(self.atoms(resp, req, environ, request_time))
        try:
            self.access_log.info(access_format(self.cfg), atoms)
        except Exception:
            self.error(traceback.format_exc())

    def now(self) -> str:
        """Return the time as the common log format has it."""
        return _access.now()

    def reopen_files(self) -> None:
        """Open the files of all loggers again. One that cannot be opened stays what it was."""
        for handler in _handlers():
            if isinstance(handler, logging.FileHandler):
                try:
                    self._reopen(handler)
                except OSError as error:
                    what = "the log file %r cannot be opened again: %s"
                    self.error(what, handler.baseFilename, error.strerror)

    def _reopen(self, handler: logging.FileHandler) -> None:
        with _locked(handler):
            if not handler.stream:
                return
            fresh = handler._open()
            handler.close()
            handler.stream = fresh
            _give_away(handler, self.cfg)

    def close_on_exec(self) -> None:
        """Keep what is executed from inheriting the loggers' files."""
        for handler in _handlers():
            stream = getattr(handler, "stream", None)
            if isinstance(handler, logging.FileHandler) and stream:
                with _locked(handler):
                    os.set_inheritable(stream.fileno(), False)

    def _get_gunicorn_handler(self, log: logging.Logger) -> logging.Handler | None:
        own = [handler for handler in log.handlers if getattr(handler, "_gunicorn", False)]
        return own[0] if own else None

    def _set_handler(
        self, log: logging.Logger, output: str | None, fmt: logging.Formatter, stream: Any = None
    ) -> None:
        former = self._get_gunicorn_handler(log)
        if former:
            log.handlers.remove(former)
        if output is None:
            return
        handler: logging.Handler
        if output == "-":
            handler = logging.StreamHandler(stream)
        else:
            try:
                handler = _LogFile(output)
            except OSError as error:
                what = f"the log file {output!r} cannot be written: {error.strerror}"
                raise Mistake(what, "give a path this user may write") from error
            _give_away(handler, self.cfg)
        handler.setFormatter(fmt)
        vars(handler)["_gunicorn"] = True
        log.addHandler(handler)

    def _set_syslog_handler(self, log: logging.Logger, cfg: Any, fmt: str, name: str) -> None:
        prefix = cfg.syslog_prefix or cfg.proc_name.replace(":", ".")
        formatter = logging.Formatter(f"gunicorn.{prefix}.{name}: {fmt}")
        kind, address = parse_syslog_address(cfg.syslog_addr)
        facility = SYSLOG_FACILITIES.get(cfg.syslog_facility.lower())
        if facility is None:
            what = f"'{cfg.syslog_facility}' is not a facility of a syslog"
            raise Mistake(what, "give one such as user, daemon or local0", "syslog_facility")
        try:
            handler = logging.handlers.SysLogHandler(address, facility, kind)
        except OSError as error:
            what = f"the syslog at {cfg.syslog_addr} cannot be reached: {error}"
            raise Mistake(what, "name a syslog that runs", "syslog_addr") from error
        handler.setFormatter(formatter)
        vars(handler)["_gunicorn"] = True
        log.addHandler(handler)

    def _get_user(self, environ: dict[str, Any]) -> str | None:
        return _access.user_name(environ)


#: The presets that there are for a line of text.
_PRESETS = {
    "common": '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s',
    "combined": '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"',
}


def access_format(cfg: Any) -> str:
    """Return the format of access lines; presets have names."""
    return _PRESETS.get(cfg.access_log_format, cast("str", cfg.access_log_format))


def loggers() -> list[logging.Logger]:
    """Return all loggers that have a name."""
    known = logging.root.manager.loggerDict.values()
    return [logger for logger in known if isinstance(logger, logging.Logger)]


def _drop_own_handlers(log: logging.Logger) -> None:
    """Take away what an earlier configuration has set, and leave what others have."""
    for handler in [handler for handler in log.handlers if getattr(handler, "_gunicorn", False)]:
        log.removeHandler(handler)
        handler.close()


def _handlers() -> list[logging.Handler]:
    """Return the handlers of all loggers, the root logger's among them, each once."""
    found = {id(h): h for logger in [logging.root, *loggers()] for h in logger.handlers}
    return list(found.values())


@contextlib.contextmanager
def _locked(handler: logging.Handler) -> Any:
    handler.acquire()
    try:
        yield
    finally:
        handler.release()


_open_by_path = logging.FileHandler._open


def _open_log(handler: logging.FileHandler) -> Any:
    """Open a handler's file as the server opens its own logs, without following strangers' links.

    Modes other than those of logs are the standard library's affair.
    """
    if os.geteuid() != 0 or set(handler.mode) - set("aw"):
        return _open_by_path(handler)

    def add_to(path: str, flags: int) -> int:
        number, may_be_given = _native.open_log_file(path)
        vars(handler)["_may_be_given"] = may_be_given
        if flags & os.O_TRUNC:
            os.truncate(number, 0)
        os.set_blocking(number, True)
        return number

    path, form = handler.baseFilename, handler.encoding
    return open(path, handler.mode, encoding=form, errors=handler.errors, opener=add_to)


class _LogFile(logging.FileHandler):
    """A log file of the server's own."""

    def _open(self) -> Any:
        return _open_log(self)


def _guard_files() -> None:
    """Have the files of other handlers opened in the same way, where root opens them."""
    # Whoever has replaced the method before has his reasons.
    if os.geteuid() == 0 and logging.FileHandler._open is _open_by_path:
        vars(logging)["FileHandler"]._open = _open_log


def _give_away(handler: logging.FileHandler, cfg: Any) -> None:
    """Give a log file to the user that workers run as, where this process may do so."""
    may_be_given = getattr(handler, "_may_be_given", False)
    if os.geteuid() == 0 and (cfg.uid or cfg.gid) and handler.stream and may_be_given:
        os.fchown(handler.stream.fileno(), cfg.uid, cfg.gid)


def configure(
    cfg: Any,
    dict_config: Callable[..., None] = logging.config.dictConfig,
    file_config: Callable[..., None] = logging.config.fileConfig,
) -> None:
    """Hand the loggers to the standard library's configuration, if there is one."""
    check_files(cfg)
    _guard_files()
    if cfg.logconfig_dict:
        _from_dict("logconfig_dict", cfg.logconfig_dict, dict_config)
    elif cfg.logconfig_json:
        path = cfg.logconfig_json
        try:
            with open(path, encoding="utf-8") as file:
                given = json.load(file)
        except (OSError, ValueError) as error:
            what = f"{path!r} cannot be read: {error}"
            raise Mistake(what, "name a JSON file", "logconfig_json") from error
        _from_dict("logconfig_json", given, dict_config)
    elif cfg.logconfig:
        path = cfg.logconfig
        defaults = CONFIG_DEFAULTS | {"__file__": path, "here": os.path.dirname(path)}
        texts = {key: value for key, value in defaults.items() if isinstance(value, str)}
        try:
            file_config(path, defaults=texts, disable_existing_loggers=False)
        except Exception as error:
            what = f"{path!r} is not a logging configuration: {_reason(error)}"
            mend = "see Python's logging.config.fileConfig"
            raise Mistake(what, mend, "logconfig") from error


def _from_dict(setting: str, given: dict[str, Any], dict_config: Callable[..., None]) -> None:
    try:
        dict_config(CONFIG_DEFAULTS | given)
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        what = f"it is not a logging configuration: {_reason(error)}"
        raise Mistake(what, "see Python's logging.config.dictConfig", setting) from error


def _reason(error: BaseException) -> str:
    """Say what is wrong, and why: the standard library leaves that to the exception before."""
    reasons = [str(error)]
    while error.__cause__ is not None:
        error = error.__cause__
        if str(error) not in reasons[-1]:
            reasons.append(str(error))
    return ": ".join(reasons)


def check_files(cfg: Any) -> None:
    """Refuse a file that the configuration of the loggers is to be read from, and that is not."""
    if cfg.logconfig_dict:
        return
    setting = "logconfig_json" if cfg.logconfig_json else "logconfig"
    path = getattr(cfg, setting)
    if path and not os.path.exists(path):
        raise Mistake(f"{path!r} does not exist", "name a file that exists", setting)


def parse_syslog_address(address: str) -> tuple[socket.SocketKind | None, Any]:
    """Return the kind of socket, and the address, that ``syslog_addr`` stands for."""
    if address.startswith("unix://"):
        path, _, kind = address.removeprefix("unix://").partition("#")
        kinds = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM}
        return kinds.get(kind), unix_name(path)
    scheme, _, rest = address.partition("://")
    if scheme not in ("udp", "tcp"):
        what = f"{address!r} begins with none of udp://, tcp:// and unix://"
        raise Mistake(what, "give udp://HOST:PORT, tcp://HOST:PORT or unix://PATH", "syslog_addr")
    host, _, port = rest.rpartition(":") if ":" in rest else (rest, "", "514")
    kind_of = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}
    return kind_of[scheme], (host.strip("[]") or "localhost", int(port))
