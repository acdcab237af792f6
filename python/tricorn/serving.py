"""Serving from a program of one's own: :func:`serve`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from tricorn._loading import load_application
from tricorn.app.base import BaseApplication

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tricorn.settings import Settings

#: An application, or its name: ``MODULE:NAME``.
Served = Callable[..., Any] | str


class Program(BaseApplication):
    """A program that serves one application with settings that it was given."""

    def __init__(self, app: Served, settings: Settings) -> None:
        self.app = app
        self.given = settings
        super().__init__()

    def load_config(self) -> None:
        """Set what was given."""
        for name, value in self.given.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """Return the application; one that was given by name is imported."""
        return load_application(self.app) if isinstance(self.app, str) else self.app


def serve(app: Served, **settings: Unpack[Settings]) -> NoReturn:
    """Serve an application with these settings, until the server is told to stop.

    Settings have the names and take the values that they have in a config file, hooks among them;
    no config file, flag or ``GUNICORN_CMD_ARGS`` is read. Called on the main thread. Ends by
    ``SystemExit`` with the server's code, in the arbiter and in each worker.
    """
    Program(app, settings).run()
