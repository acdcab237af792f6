"""Applications from PasteDeploy files: ``--paste``, and a server runner for ``[server:main]``."""

from __future__ import annotations

import configparser
import os
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from tricorn import _native
from tricorn._loading import Mistake
from tricorn.app.base import Application, BaseApplication


def place(spec: str) -> tuple[str, str | None]:
    """Split ``FILE#NAME`` into the name and the file, found from where the server was started."""
    file, _, name = spec.partition("#")
    path = os.path.join(_native.start_directory(), file)
    if not os.path.isfile(path):
        raise Mistake(f"the PasteDeploy file {file} is not there", "check --paste")
    return path, name or None


def load(spec: str, global_conf: Mapping[str, str]) -> Callable[..., Any]:
    """Load the application that a PasteDeploy file describes."""
    path, name = place(spec)
    return get_wsgi_app(path, name, global_conf)


def get_wsgi_app(
    config_uri: str, name: str | None = None, defaults: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """Load an application of a file."""
    try:
        from paste.deploy import loadapp  # type: ignore[import-untyped]
    except ImportError as error:
        what = f"the setting paste needs a package: {error}"
        raise Mistake(what, "install PasteDeploy") from None
    uri = config_uri if ":" in config_uri else f"config:{config_uri}"
    given = dict(defaults or {})
    app: Callable[..., Any] = loadapp(uri, name=name, relative_to=os.getcwd(), global_conf=given)
    return app


def defaults(spec: str) -> dict[str, Any]:
    """Return the settings that a PasteDeploy file stands for, where nobody gives others."""
    path, _ = place(spec)
    return {"default_proc_name": spec, **_logging_of(path)}


def _logging_of(path: str) -> dict[str, Any]:
    """Have the file's own logging used, if it has any."""
    return {"logconfig": path} if has_logging_config(path) else {}


def has_logging_config(path: str) -> bool:
    """Say whether a file configures loggers too."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(path)
    except configparser.Error as error:
        first = str(error).splitlines()[0]
        raise Mistake(f"the PasteDeploy file {path} cannot be read: {first}", "mend it") from None
    return parser.has_section("loggers")


class Runner(Application):
    """A server for ``[server:main]`` with ``use = egg:tricorn#main``."""

    def __init__(
        self, app: Callable[..., Any], global_conf: Mapping[str, str], given: dict[str, str]
    ) -> None:
        self.app = app
        self.global_conf = global_conf
        self.given = given
        super().__init__()

    def load_config(self) -> None:
        """Take the section's keys for settings, over those of the file that ``config`` names."""
        given = dict(self.given)
        file = self.global_conf.get("__file__")
        better = {"default_proc_name": file, **_logging_of(file)} if file else {}
        config = given.pop("config", None)
        reading = _native.read(["--config", config] if config else [], better, list)
        if isinstance(reading, int):
            raise SystemExit(reading)
        self._reading = reading
        self.cfg = reading.cfg
        for name, value in _with_address(given).items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """Return the application that the file's other sections describe."""
        return self.app


def _with_address(given: dict[str, str]) -> dict[str, Any]:
    """Make ``bind`` of ``host`` and ``port``."""
    host, port = given.pop("host", ""), given.pop("port", "")
    if port:
        return {**given, "bind": f"{host}:{port}"}
    return {**given, "bind": host.split(",")} if host else dict(given)


def serve(app: Callable[..., Any], global_conf: Mapping[str, str], **local_conf: str) -> NoReturn:
    """Serve for ``pserve``: the entry point of the group ``paste.server_runner``."""
    runner: BaseApplication = Runner(app, global_conf, local_conf)
    runner.run()
