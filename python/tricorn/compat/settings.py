"""What programs ask of ``gunicorn.config`` besides ``Config``: checks, and classes of settings.

The server checks its own settings in the compiled core. The checks here are for the settings that
programs declare.
"""

from __future__ import annotations

import functools
import glob
import grp
import inspect
import ipaddress
import os
import pwd
from collections.abc import Callable, Collection, Iterable
from typing import Any

from tricorn import _loading, _native
from tricorn._addresses import unix_name
from tricorn.compat.errors import ConfigError
from tricorn.config import Setting

#: The classes of settings whose names are not made of the settings' own in the usual way.
_NAMES = {
    "accesslog": "AccessLog",
    "asgi_disconnect_grace_period": "ASGIDisconnectGracePeriod",
    "asgi_lifespan": "ASGILifespan",
    "asgi_loop": "ASGILoop",
    "ca_certs": "CACerts",
    "casefold_http_method": "CasefoldHTTPMethod",
    "certfile": "CertFile",
    "check_config": "ConfigCheck",
    "config": "ConfigFile",
    "enable_backlog_metric": "BacklogMetric",
    "errorlog": "ErrorLog",
    "forwarded_allow_ips": "ForwardedAllowIPS",
    "http2_cleartext": "HTTP2Cleartext",
    "http2_initial_window_size": "HTTP2InitialWindowSize",
    "http2_max_concurrent_streams": "HTTP2MaxConcurrentStreams",
    "http2_max_frame_size": "HTTP2MaxFrameSize",
    "http2_max_header_list_size": "HTTP2MaxHeaderListSize",
    "http_protocols": "HTTPProtocols",
    "keyfile": "KeyFile",
    "logconfig": "LogConfig",
    "logconfig_dict": "LogConfigDict",
    "logconfig_json": "LogConfigJson",
    "nworkers_changed": "NumWorkersChanged",
    "permit_unconventional_http_method": "PermitUnconventionalHTTPMethod",
    "permit_unconventional_http_version": "PermitUnconventionalHTTPVersion",
    "post_fork": "Postfork",
    "pre_fork": "Prefork",
    "proc_name": "Procname",
    "proxy_allow_ips": "ProxyAllowFrom",
    "pythonpath": "PythonPath",
    "raw_env": "Env",
    "raw_paste_global_conf": "PasteGlobalConf",
    "secure_scheme_headers": "SecureSchemeHeader",
    "ssl_context": "NewSSLContext",
    "ssl_version": "SSLVersion",
    "suppress_ragged_eofs": "SuppressRaggedEOFs",
    "syslog_addr": "SyslogTo",
    "threads": "WorkerThreads",
    "uwsgi_allow_ips": "UWSGIAllowFrom",
    "websocket_max_message_size": "WebSocketMaxMessageSize",
    "wsgi_app": "WSGIApp",
}


#: What ``default`` is on each of the classes of the server's own settings when it is made.
_FIRST_DEFAULTS: dict[str, Any] = {}


def _class_name(setting: str) -> str:
    return _NAMES.get(setting) or "".join(part.capitalize() for part in setting.split("_"))


@functools.cache
def _classes() -> dict[str, type[Setting]]:
    """Make a class for each of the server's settings and hooks."""
    rows, hooks, _ = _native.default_settings()
    made = {}
    for name, _, default, section, (cli, action, meta, short) in rows:
        attributes = {"cli": list(cli) or None, "action": action, "meta": meta, "short": short}
        made[name] = {"section": section, "default": default, "desc": short, **attributes}
    for name, handler in hooks.items():
        made[name] = {"section": "Server Hooks", "default": staticmethod(handler), "type": callable}
    return {
        _class_name(name): _known(name, {"order": order, **attributes})
        for order, (name, attributes) in enumerate(made.items())
    }


def _known(name: str, attributes: dict[str, Any]) -> type[Setting]:
    def check(value: Any) -> Any:
        return (
            value if name in _native.default_settings()[1] else _native.check_setting(name, value)
        )

    attributes |= {"name": name, "validator": staticmethod(check), "__module__": "gunicorn.config"}
    _FIRST_DEFAULTS[name] = attributes["default"]
    bases = (Setting,)
    return type(_class_name(name), bases, attributes, is_known=True)


def changed_defaults() -> dict[str, Any]:
    """Return what programs have set as ``default`` on the classes of the server's own settings."""
    # Nothing is changed on classes that nobody has asked for; and making them leads here again.
    made = _classes().values() if _classes.cache_info().currsize else ()
    return {
        each.name: each.default
        for each in made
        if vars(each)["default"] is not _FIRST_DEFAULTS[each.name]
    }


def __getattr__(name: str) -> Any:
    """Give ``KNOWN_SETTINGS``, and the class of a setting, such as ``Bind``."""
    if name == "KNOWN_SETTINGS":
        return [*_classes().values(), *Setting.declared]
    if name[:1] != "_" and name in _classes():
        return _classes()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def make_settings(ignore: Collection[str] | None = None) -> dict[str, Setting]:
    """Make an object for each setting, by name."""
    every = [*_classes().values(), *Setting.declared]
    return {each.name: each() for each in every if each.name not in (ignore or ())}


def get_default_config_file() -> str | None:
    """Return the config file that is read where none is named, if it is there."""
    path = os.path.join(os.getcwd(), "gunicorn.conf.py")
    return path if os.path.exists(path) else None


def auto_int(_: Any, x: str) -> int:
    """Read a whole number; one that begins with a zero is octal."""
    if x.startswith("0") and x[1:].isdigit():
        return int(x, 8)
    return int(x, 0)


# Checks. Each returns the value as it is to be, or raises TypeError or ValueError.


def _wrong(value: Any, what: str) -> TypeError:
    return TypeError(f"{value!r} is not {what}")


def validate_bool(val: Any) -> bool | None:
    """Take a truth, also as text."""
    if val is None or isinstance(val, bool):
        return val
    if not isinstance(val, str):
        raise _wrong(val, "true or false")
    named = {"true": True, "false": False}.get(val.strip().lower())
    if named is None:
        raise ValueError(f"{val!r} is not true or false")
    return named


def validate_dict(val: Any) -> dict[Any, Any]:
    """Take a dict."""
    if not isinstance(val, dict):
        raise _wrong(val, "a dict")
    return val


def validate_pos_int(val: Any) -> int:
    """Take a whole number that is not negative, also as text."""
    if isinstance(val, str):
        number = int(val, 0)
    elif isinstance(val, int):
        number = int(val)
    else:
        raise _wrong(val, "a whole number")
    if number < 0:
        raise ValueError(f"{val!r} is negative")
    return number


def validate_string(val: Any) -> str | None:
    """Take text; white space around it is not part of it."""
    if val is None:
        return None
    if not isinstance(val, str):
        raise _wrong(val, "a string")
    return val.strip()


def validate_file_exists(val: Any) -> str | None:
    """Take the path of a file that is there."""
    path = validate_string(val)
    if path is not None and not os.path.exists(path):
        raise ValueError(f"there is no file {path!r}")
    return path


def validate_list_string(val: Any) -> list[str]:
    """Take texts, or one."""
    if not val:
        return []
    given: Iterable[Any] = [val] if isinstance(val, str) else val
    return [validate_string(item) or "" for item in given]


def validate_list_of_files_or_patterns(val: Any) -> list[str]:
    """Take paths of files that are there, and patterns."""
    paths = validate_list_string(val)
    return [path if glob.has_magic(path) else validate_file_exists(path) or "" for path in paths]


def validate_string_to_list(val: Any) -> list[str]:
    """Take texts between commas."""
    text = validate_string(val)
    return [item.strip() for item in text.split(",") if item.strip()] if text else []


def validate_string_to_addr_list(val: Any) -> list[str]:
    """Take addresses and networks between commas, or ``*``."""
    items = validate_string_to_list(val)
    for item in items:
        if item != "*":
            ipaddress.ip_network(item)
    return items


def validate_class(val: Any) -> Any:
    """Take a class, its name, or a function that gives it."""
    if inspect.isfunction(val) or inspect.ismethod(val):
        val = val()
    return val if inspect.isclass(val) else validate_string(val)


def validate_callable(arity: int) -> Callable[[Any], Any]:
    """Take something to be called with so many arguments, or its dotted name; -1 is any number."""

    def check(val: Any) -> Any:
        if isinstance(val, str):
            try:
                val = _loading.import_dotted(val)
            except _loading.Mistake as mistake:
                raise TypeError(str(mistake)) from mistake
        if not callable(val):
            raise _wrong(val, "callable")
        if arity not in (-1, _loading.arity(val)):
            raise TypeError(f"{_loading.describe(val)} does not take {arity} arguments")
        return val

    return check


def validate_post_request(val: Any) -> Any:
    """Take a handler of ``post_request``: two, three or four arguments."""
    handler = validate_callable(-1)(val)
    count = _loading.arity(handler)
    if count not in (2, 3, 4):
        raise TypeError(f"{_loading.describe(handler)} does not take 2, 3 or 4 arguments")
    return handler if count == 4 else lambda *given: handler(*given[:count])


def validate_user(val: Any) -> int:
    """Take a user, by name or number; without one, this process's."""
    if val is None:
        return os.geteuid()
    return _number(val, lambda name: pwd.getpwnam(name).pw_uid, "user")


def validate_group(val: Any) -> int:
    """Take a group, by name or number; without one, this process's."""
    if val is None:
        return os.getegid()
    return _number(val, lambda name: grp.getgrnam(name).gr_gid, "group")


def _number(val: Any, find: Callable[[str], int], what: str) -> int:
    if isinstance(val, int) or str(val).isdigit():
        return int(val)
    try:
        return find(val)
    except KeyError:
        raise ConfigError(f"there is no {what} {val!r}", "name one that there is") from None


def validate_chdir(val: Any) -> str:
    """Take a directory that is there."""
    path = validate_string(val)
    if path is None:
        raise _wrong(val, "a directory")
    if not os.path.isdir(path):
        raise ConfigError(f"there is no directory {path!r}", "name one that there is")
    return os.path.abspath(path)


def validate_statsd_address(val: Any) -> Any:
    """Take ``HOST``, ``HOST:PORT`` or ``unix://PATH``."""
    text = validate_string(val)
    if text is None:
        return None
    if text.startswith("unix://"):
        return unix_name(text.removeprefix("unix://"))
    host, _, port = text.partition(":")
    if port and not port.isdigit():
        raise _wrong(val, "HOST:PORT")
    return host, int(port or 8125)


def validate_reload_engine(val: Any) -> str:
    """Take the name of a way to notice changes."""
    from tricorn.compat.reloader import reloader_engines

    if val not in reloader_engines:
        raise ConfigError(f"{val!r} is no reload_engine", f"give {', '.join(reloader_engines)}")
    return str(val)
