"""What is served, as ``server.app`` and ``worker.app``, and what programs that serve derive from.

A program of one's own names its settings and gives its application::

    class Site(BaseApplication):
        def load_config(self):
            self.cfg.set("bind", "127.0.0.1:8000")

        def load(self):
            return application

    Site().run()

``Application`` reads the command line, the environment and a config file besides.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from tricorn import _loading, _native, _standin
from tricorn.config import Config

if TYPE_CHECKING:
    import argparse

    from tricorn.arbiter import Arbiter


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Give the server's class, which programs set here too; importing it takes its time."""
        if name != "Arbiter":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from tricorn.arbiter import Arbiter

        return Arbiter


class BaseApplication:
    """A program that serves: its settings come from ``load_config()``, and from nowhere else."""

    #: The class of the object ``server``, where it is not ``tricorn.arbiter.Arbiter``.
    _server_class: type[Arbiter] | None = None

    def __init__(self, usage: str | None = None, prog: str | None = None) -> None:
        self.usage = usage
        self.prog = prog
        self.cfg: Config
        self.callable: Callable[..., Any] | None = None
        self.logger: Any = None
        self.do_load_config()

    def do_load_config(self) -> None:
        """Load the configuration; a mistake in it ends the program, with one line and code 1."""
        try:
            self.load_default_config()
            self.load_config()
        except Exception as error:
            sys.stderr.write(f"Error: {_native.explain(error)}\n")
            sys.exit(1)

    def load_default_config(self) -> None:
        """Begin with the defaults."""
        self.cfg = Config(self.usage, prog=self.prog)

    def load_config(self) -> None:
        """Set settings, by ``self.cfg.set(name, value)``."""
        raise NotImplementedError(f"{type(self).__name__}.load_config() is not there")

    def init(
        self, parser: argparse.ArgumentParser, opts: argparse.Namespace, args: list[str]
    ) -> Mapping[str, Any] | None:
        """Return settings that are better defaults than the server's."""
        raise NotImplementedError(f"{type(self).__name__}.init() is not there")

    def load(self) -> Callable[..., Any]:
        """Return the application."""
        raise NotImplementedError(f"{type(self).__name__}.load() is not there")

    def reload(self) -> None:
        """Load the configuration anew, as HUP has it done."""
        self.load_default_config()
        self.load_config()

    def wsgi(self) -> Callable[..., Any]:
        """Return the application, loaded at the first call."""
        if self.callable is None:
            self.callable = self.load()
        return self.callable

    def run(self) -> NoReturn:
        """Serve until the server is to end, and leave with its code."""
        _standin.announce()
        sys.exit(_native.serve(self))


class Application(BaseApplication):
    """A program that serves as the command does: with flags, variables and a config file."""

    #: What the command line, the variables and the config file say.
    _reading: _native.Reading | None = None

    def load_config(self) -> None:
        """Read the command line, the variables and the config file."""
        parser = self.cfg.parser()
        opts, _ = parser.parse_known_args()
        better = dict(self.init(parser, opts, opts.args) or {})
        former = self.cfg
        for name in (former._declared().keys() | former.hooks.keys()) & better.keys():
            former.set(name, better.pop(name))
        flags, rest = former._declared_flags(sys.argv[1:])
        flags_in_variables: dict[str, Any] = {}

        def take(words: list[str]) -> list[str]:
            found, left = former._declared_flags(words)
            flags_in_variables.update(found)
            return left

        reading = _native.read(rest, {**former._preset(), **better}, take)
        if isinstance(reading, int):
            # Help, the version, or what is wrong with the command line: it has been printed.
            sys.exit(reading)
        self._reading = reading
        self.cfg = reading.cfg
        self.cfg._take_over(former, reading.left, flags_in_variables | flags)

    def get_config_from_filename(self, filename: str) -> dict[str, Any]:
        """Run a config file, and return the names it leaves."""
        return _loading.read_file(os.path.abspath(filename), os.getcwd())

    def get_config_from_module_name(self, module_name: str) -> dict[str, Any]:
        """Import a config module, and return its names."""
        return _loading.read_module(module_name, os.getcwd())

    def load_config_from_module_name_or_filename(self, location: str) -> dict[str, Any]:
        """Set what a config file or module (``python:MODULE``) leaves that is a setting."""
        if location.startswith("python:"):
            left = self.get_config_from_module_name(location.removeprefix("python:"))
        else:
            left = self.get_config_from_filename(location.removeprefix("file:"))
        for name, value in left.items():
            if name in self.cfg.settings or name in self.cfg.hooks:
                self.cfg.set(name, value)
        return left

    def load_config_from_file(self, filename: str) -> dict[str, Any]:
        """Set what a config file leaves that is a setting."""
        return self.load_config_from_module_name_or_filename(filename)

    def chdir(self) -> None:
        """Change to the configured directory, and import from it."""
        os.chdir(self.cfg.chdir)
        if self.cfg.chdir not in sys.path:
            sys.path.insert(0, self.cfg.chdir)
