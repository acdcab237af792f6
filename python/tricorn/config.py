"""The configuration as handlers see it: ``server.cfg``, ``worker.cfg``."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tricorn import _native
from tricorn._addresses import unix_name
from tricorn._classes import load_worker_class, with_threads, worker_class_name
from tricorn._loading import Mistake, NoSetting, WrongValue, arity, import_dotted

if TYPE_CHECKING:
    import argparse

#: The environment the program was started with: this module is imported first of all.
ENVIRONMENT = dict(os.environ)


#: Attributes that are worked out of a setting when the configuration is settled.
_RESOLVED = {
    "proc_name": ("proc_name",),
    "user": ("user", "uid"),
    "group": ("group", "gid"),
}


#: The place of the first setting that a program declares: behind the server's own.
_BEHIND_OUR_OWN = 1000


class Setting:
    """One setting, as ``cfg.settings`` holds it.

    A program declares settings of its own by classes that derive from this one and have a ``name``.
    """

    name: str
    #: The place among the settings: by it they are sorted within their sections.
    order: int = 0
    value: Any = None
    default: Any = None
    section: str | None = None
    cli: Sequence[str] | None = None
    action: str | None = None
    type: Any = None
    nargs: Any = None
    const: Any = None
    meta: str | None = None
    short: str | None = None
    desc: str | None = None
    validator: Callable[[Any], Any] | None = None

    #: The classes of settings that programs have declared.
    declared: ClassVar[list[type[Setting]]] = []

    def __init_subclass__(cls, is_known: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" in vars(cls) and not is_known:
            cls.order = _BEHIND_OUR_OWN + len(Setting.declared)
            Setting.declared.append(cls)

    def __init__(self) -> None:
        if self.default is not None:
            self.set(self.default)

    def get(self) -> Any:
        """Return the value."""
        return self.value

    def set(self, value: Any) -> None:
        """Check a value and take it."""
        check = type(self).validator
        try:
            self.value = value if check is None else check(value)
        except (TypeError, ValueError) as error:
            raise WrongValue(f"setting {self.name!r}: {error}") from error

    def add_option(self, parser: argparse.ArgumentParser) -> None:
        """Add the setting's flags to a parser, if it has any."""
        if not self.cli:
            return
        text = (self.short or self.desc or "").partition("\n")[0].replace("%", "%%")
        kept: dict[str, Any] = {"dest": self.name, "default": None, "help": text}
        if self.action in _OPTIONS:
            kept |= _OPTIONS[self.action]
        else:
            named = {"action": self.action, "type": self.type, "metavar": self.meta}
            named |= {"nargs": self.nargs, "const": self.const}
            kept |= {name: value for name, value in named.items() if value is not None}
        parser.add_argument(*self.cli, **kept)

    def __lt__(self, other: Setting) -> bool:
        return self.section == other.section and self.order < other.order

    def __repr__(self) -> str:
        return f"<Setting {self.name}={_native.without_secrets(self.name, self.value)!r}>"


class ServerSetting(Setting):
    """One of the server's own settings: the server checks what it is set to."""

    def __init__(self, row: tuple[Any, ...], given: dict[str, Any]) -> None:
        self.name, self.value, self.default, self.section, option = row
        self.cli, self.action, self.meta, self.short = option
        self._given = given

    def set(self, value: Any) -> None:
        """Check a value and take it."""
        self.value = self._given[self.name] = _native.check_setting(self.name, value)


class HookSetting(ServerSetting):
    """One of the hooks: what it is set to is checked when the server starts."""

    def __init__(
        self, name: str, hooks: dict[str, Callable[..., Any]], given: dict[str, Any]
    ) -> None:
        handler = hooks[name]
        super().__init__((name, handler, handler, "Server Hooks", ((), None, None, None)), given)
        self._hooks = hooks

    def set(self, value: Any) -> None:
        """Take a handler, its dotted name, or several."""
        self.value = self._hooks[self.name] = self._given[self.name] = value


#: What argparse is told of the flags of each kind.
_OPTIONS: dict[str | None, dict[str, Any]] = {
    "store": {},
    "store_true": {"action": "store_true"},
    "store_false": {"action": "store_const", "const": False},
    "append": {"action": "append"},
    "count": {"type": int},
    "switch": {"nargs": "?", "const": "auto"},
}


class Config:
    """The configuration: every setting is an attribute, and so is every hook."""

    settings: dict[str, Setting]
    hooks: dict[str, Callable[..., Any]]
    env_orig: dict[str, str]

    def __init__(self, usage: str | None = None, prog: str | None = None) -> None:
        self._fill(*_native.default_settings())
        self.usage: str | None = usage
        self.prog: str | None = prog or os.path.basename(sys.argv[0])

    @classmethod
    def _of(
        cls,
        settings: Iterable[tuple[Any, ...]],
        hooks: Mapping[str, Callable[..., Any]],
        resolved: Mapping[str, Any],
    ) -> Config:
        """Make the object of a configuration that is settled."""
        made = cls.__new__(cls)
        made._fill(settings, hooks, resolved)
        made.usage = None
        made.prog = None
        return made

    def _fill(
        self,
        settings: Iterable[tuple[Any, ...]],
        hooks: Mapping[str, Callable[..., Any]],
        resolved: Mapping[str, Any],
    ) -> None:
        #: What a program has set, by name.
        given: dict[str, Any] = {}
        object.__setattr__(self, "_given", given)
        own: dict[str, Setting] = {row[0]: ServerSetting(row, given) for row in settings}
        declared = {each.name: each() for each in Setting.declared if each.name not in own}
        callables = dict(hooks)
        named: dict[str, Setting] = {
            name: HookSetting(name, callables, given) for name in callables
        }
        for order, setting in enumerate((own | named).values()):
            setting.order = order
        object.__setattr__(self, "settings", own | named | declared)
        object.__setattr__(self, "hooks", callables)
        object.__setattr__(self, "_resolved", dict(resolved))
        object.__setattr__(self, "env_orig", dict(ENVIRONMENT))

    def _inherit(self, former: Config) -> None:
        """Keep what a program has set, and what it has hung on the object before."""
        self.__class__ = type(former)
        self._given.update(former._given)
        self.settings.update(former._declared())
        for name, value in vars(former).items():
            if name not in self.__dict__:
                object.__setattr__(self, name, value)
        self.usage, self.prog = former.usage, former.prog

    def _declared(self) -> dict[str, Setting]:
        """Return the settings that programs have declared."""
        settings = self.settings.items()
        return {name: each for name, each in settings if not isinstance(each, ServerSetting)}

    def _preset(self) -> dict[str, Any]:
        """Return what a program has set that is a setting of the server's, and no hook."""
        given = self._given.items()
        known = self.settings.keys() - self.hooks.keys()
        return {name: value for name, value in given if name in known}

    def _take_over(
        self, former: Config, left: tuple[dict[str, Any], list[str]], flags: Mapping[str, Any]
    ) -> None:
        """Have the hooks and the settings of a program, by what the config file and flags say."""
        self.__class__ = type(former)
        declared = former._declared()
        self.settings.update(declared)
        names, hooks_of_file = left
        said = {name: names[name] for name in declared if name in names} | dict(flags)
        own = former._given.keys() & self.hooks.keys() - set(hooks_of_file)
        for name, value in {**said, **{name: former._given[name] for name in own}}.items():
            self.set(name, value)

    def __str__(self) -> str:
        width = max(len(name) for name in self.settings)
        rows = sorted((name, setting.value) for name, setting in self.settings.items())
        return "\n".join(f"{name:{width}} = {_shown(name, value)}" for name, value in rows)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        resolved = self.__dict__["_resolved"]
        if name in resolved:
            return resolved[name]
        if name in self.hooks:
            return self.hooks[name]
        if name in self.settings:
            return self.settings[name].value
        raise AttributeError(f"there is no setting {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.settings or name in self.hooks:
            raise AttributeError(f"use cfg.set({name!r}, ...)")
        object.__setattr__(self, name, value)

    def set(self, name: str, value: Any) -> None:
        """Set a setting, as the config file would."""
        if name in self.settings:
            self.settings[name].set(value)
            for stale in _RESOLVED.get(name, ()):
                self.__dict__["_resolved"].pop(stale, None)
        else:
            raise NoSetting(name, _native.nearly_a_setting(name))

    @property
    def statsd_host(self) -> tuple[str, int] | str | None:
        """Where metrics go: a host and a port, or the path of a socket."""
        given = cast("str | None", self.settings["statsd_host"].value)
        if not given:
            return None
        if given.startswith("unix:"):
            return unix_name(given.removeprefix("unix:").removeprefix("//"))
        host, colon, port = given.rpartition(":")
        return (host, int(port)) if colon else (given, 8125)

    @property
    def env(self) -> dict[str, str]:
        """The variables of ``raw_env``, as a dict."""
        pairs = (item.partition("=") for item in self.raw_env if item)
        return {name: value for name, _, value in pairs}

    @property
    def address(self) -> list[Any]:
        """The addresses to listen on: (host, port), a path, or a descriptor."""
        return _native.parse_addresses(self.bind)

    def parser(self) -> argparse.ArgumentParser:
        """Return a parser of the command line; what it does not find is None."""
        import argparse

        parser = argparse.ArgumentParser(usage=self.usage, prog=self.prog)
        version = f"%(prog)s (version {_native.__version__})"
        parser.add_argument("-v", "--version", action="version", version=version)
        parser.add_argument("args", nargs="*", help=argparse.SUPPRESS)
        for setting in self.settings.values():
            setting.add_option(parser)
        return parser

    def _declared_flags(self, arguments: list[str]) -> tuple[dict[str, Any], list[str]]:
        """Return what the flags of settings say that programs have declared, and what is left."""
        declared = self._declared().values()
        if not declared:
            return {}, arguments
        import argparse

        parser = argparse.ArgumentParser(
            prog=self.prog, add_help=False, allow_abbrev=False, exit_on_error=False
        )
        for setting in declared:
            setting.add_option(parser)
        try:
            found, rest = parser.parse_known_args(arguments)
        except argparse.ArgumentError as error:
            raise Mistake(str(error), "see --help") from error
        return {name: value for name, value in vars(found).items() if value is not None}, rest

    def get_cmd_args_from_env(self) -> list[str]:
        """Return the arguments in the variable ``GUNICORN_CMD_ARGS``."""
        import shlex

        return shlex.split(os.environ.get("GUNICORN_CMD_ARGS", ""))

    @property
    def worker_class(self) -> Any:
        """The class of the workers."""
        return load_worker_class(self.settings["worker_class"].value, self.threads)

    @property
    def logger_class(self) -> Any:
        """The class of the logger."""
        from tricorn._logger import logger_class

        return logger_class(self)

    @property
    def uid(self) -> int:
        """The user that workers run as, by number."""
        return cast("int", self.__dict__["_resolved"].get("uid", self.user))

    @property
    def gid(self) -> int:
        """The group that workers run as, by number."""
        return cast("int", self.__dict__["_resolved"].get("gid", self.group))

    def forwarded_allow_networks(self) -> list[Any]:
        """Return the networks of ``forwarded_allow_ips``; ``*`` is none of them."""
        return _networks(self.forwarded_allow_ips)

    def proxy_allow_networks(self) -> list[Any]:
        """Return the networks of ``proxy_allow_ips``; ``*`` is none of them."""
        return _networks(self.proxy_allow_ips)

    @property
    def paste_global_conf(self) -> dict[str, str]:
        """The pairs of ``raw_paste_global_conf``."""
        import re

        pairs = (re.split(r"(?<!\\)=", item, maxsplit=1) for item in self.raw_paste_global_conf)
        plain = ([part.replace("\\=", "=") for part in pair] for pair in pairs)
        return {pair[0]: pair[1] if len(pair) > 1 else "" for pair in plain}

    @property
    def ssl_options(self) -> dict[str, Any]:
        """The settings of TLS."""
        section = self.settings["certfile"].section
        return {name: item.value for name, item in self.settings.items() if item.section == section}

    @property
    def worker_class_str(self) -> str:
        """The name of the worker class."""
        return worker_class_name(with_threads(self.settings["worker_class"].value, self.threads))

    @property
    def is_ssl(self) -> bool:
        """Whether TLS is on."""
        return bool(self.certfile or self.keyfile)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Give what only programs ask for: checks of values, and a class for each setting."""
        if name.startswith("__"):
            raise AttributeError(name)
        from tricorn.compat import settings

        try:
            return getattr(settings, name)
        except AttributeError:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


#: What stands on ``Config`` itself; what a program sets there besides counts as under gunicorn.
_PLAIN = dict(vars(Config))
_CONFIG = Config


class ClassHook:
    """A hook that a program has set on the class ``Config``, in place of the site's own.

    It is looked up at each call, as gunicorn does: it may be a property, or be set anew.
    """

    cfg: Any = None

    def __init__(self, name: str, arguments: list[str]) -> None:
        import inspect

        kind = inspect.Parameter.POSITIONAL_ONLY
        parameters = [inspect.Parameter(each, kind) for each in arguments]
        self.__signature__ = inspect.Signature(parameters)
        self.name = self.__name__ = name
        self.__qualname__ = f"Config.{name}"
        self.__module__ = "gunicorn.config"

    def __call__(self, *args: Any) -> Any:
        """Call what stands on the class now, with the configuration first where it takes that."""
        plain = vars(type(self.cfg)).get(self.name)
        is_hook = isinstance(plain, FunctionType) and arity(plain) == len(args)
        hook = plain if is_hook else getattr(self.cfg, self.name)
        return cast("Callable[..., Any]", hook)(*args)


def changed_defaults() -> dict[str, Any]:
    """Return what programs have set as ``default`` on the classes of settings."""
    settings = sys.modules.get("tricorn.compat.settings")
    return settings.changed_defaults() if settings else {}


def set_on_class(cls: type[Config]) -> tuple[list[str], dict[str, ClassHook]]:
    """Return the settings and the hooks that programs have set on a class of configurations."""
    found = {
        name
        for each in cls.__mro__[: cls.__mro__.index(_CONFIG) + 1]
        for name, value in vars(each).items()
        if each is not _CONFIG or _PLAIN.get(name, ClassHook) is not value
    }
    rows = _native.default_settings()[0] if found else ()
    settings = [row[0] for row in rows if row[0] in found]
    events = ((event[0], event[1]) for event in _native.known_events())
    return settings, {name: ClassHook(name, args) for name, args in events if name in found}


def _shown(name: str, value: Any) -> Any:
    if hasattr(value, "__qualname__"):
        return f"<{value.__qualname__}()>"
    return _native.without_secrets(name, value)


def _networks(items: Iterable[str]) -> list[Any]:
    return [ipaddress.ip_network(item) for item in items if item != "*"]


def hook_callable(name: str, configured: Any) -> Callable[..., Any]:
    """Return what ``cfg.<hook>`` is: the handler, several in one, or one that does nothing."""
    if callable(configured):
        return cast("Callable[..., Any]", configured)
    given = configured if isinstance(configured, list | tuple) else [configured]
    handlers = [import_dotted(item) if isinstance(item, str) else item for item in given if item]

    def call_all(*args: Any) -> None:
        for handler in handlers:
            handler(*args)

    call_all.__name__ = call_all.__qualname__ = name
    return call_all
