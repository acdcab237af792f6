"""The configuration as handlers see it: ``server.cfg``, ``worker.cfg``."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from tricorn import _native
from tricorn._loading import import_dotted

#: The environment the program was started with: this module is imported first of all.
ENVIRONMENT = dict(os.environ)


class Setting:
    """One setting, as ``cfg.settings`` holds it."""

    def __init__(self, name: str, value: Any, default: Any, section: str) -> None:
        self.name = name
        self.value = value
        self.default = default
        self.section = section

    def get(self) -> Any:
        """Return the value."""
        return self.value

    def set(self, value: Any) -> None:
        """Check a value and take it."""
        self.value = _native.check_setting(self.name, value)

    def __repr__(self) -> str:
        return f"<Setting {self.name}={self.value!r}>"


class Config:
    """The configuration: every setting is an attribute, and so is every hook."""

    settings: dict[str, Setting]
    hooks: dict[str, Callable[..., Any]]
    env_orig: dict[str, str]

    def __init__(
        self,
        settings: Iterable[tuple[str, Any, Any, str]],
        hooks: Mapping[str, Callable[..., Any]],
        resolved: Mapping[str, Any],
    ) -> None:
        made = {row[0]: Setting(*row) for row in settings}
        object.__setattr__(self, "settings", made)
        object.__setattr__(self, "hooks", dict(hooks))
        object.__setattr__(self, "_resolved", dict(resolved))
        object.__setattr__(self, "env_orig", dict(ENVIRONMENT))

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
        if name in self.hooks:
            self.hooks[name] = value
        elif name in self.settings:
            self.settings[name].set(value)
            self.__dict__["_resolved"].pop(name, None)
        else:
            raise AttributeError(f"there is no setting {name!r}")

    @property
    def env(self) -> dict[str, str]:
        """The variables of ``raw_env``, as a dict."""
        pairs = (item.partition("=") for item in self.raw_env if item)
        return {name: value for name, _, value in pairs}

    @property
    def address(self) -> list[Any]:
        """The addresses to listen on: (host, port), a path, or a descriptor."""
        return _native.parse_addresses(self.bind)

    @property
    def worker_class(self) -> Any:
        """The class of the workers."""
        from tricorn._objects import CLASSES

        return CLASSES[self.worker_class_str]

    @property
    def logger_class(self) -> Any:
        """The class of the logger."""
        from tricorn._logger import logger_class

        return logger_class(self)

    def forwarded_allow_networks(self) -> list[Any]:
        """Return the networks of ``forwarded_allow_ips``; ``*`` is none of them."""
        return _networks(self.forwarded_allow_ips)

    def proxy_allow_networks(self) -> list[Any]:
        """Return the networks of ``proxy_allow_ips``; ``*`` is none of them."""
        return _networks(self.proxy_allow_ips)

    @property
    def paste_global_conf(self) -> dict[str, str]:
        """The pairs of ``raw_paste_global_conf``."""
        pairs = (item.partition("=") for item in self.raw_paste_global_conf or [])
        return {name.replace("\\=", "="): value for name, _, value in pairs}

    @property
    def ssl_options(self) -> dict[str, Any]:
        """The settings of TLS."""
        section = self.settings["certfile"].section
        return {name: item.value for name, item in self.settings.items() if item.section == section}

    @property
    def worker_class_str(self) -> str:
        """The name of the worker class."""
        return cast("str", self.__dict__["_resolved"]["worker_class_str"])

    @property
    def is_ssl(self) -> bool:
        """Whether TLS is on."""
        return bool(self.certfile or self.keyfile)


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
