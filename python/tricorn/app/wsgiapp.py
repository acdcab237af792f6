"""The program that the command runs: an application by its name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from tricorn import _standin
from tricorn._loading import load_application
from tricorn.app.base import Application

if TYPE_CHECKING:
    import argparse

    from tricorn.config import Config


class WSGIApplication(Application):
    """What ``MODULE:NAME`` stands for."""

    app_uri: str | None = None

    @classmethod
    def _of(cls, cfg: Config, uri: str | None) -> WSGIApplication:
        """Make the object of a command line that has been read already."""
        _standin.announce()
        made = cls.__new__(cls)
        made.usage = made.prog = None
        made.cfg, made.app_uri = cfg, uri
        made.callable = made.logger = None
        return made

    def init(
        self, parser: argparse.ArgumentParser, opts: argparse.Namespace, args: list[str]
    ) -> Mapping[str, Any] | None:
        """Take the application's name from the command line."""
        self.app_uri = args[0] if args else None
        return None

    def load_wsgiapp(self) -> Callable[..., Any]:
        """Import the application."""
        return load_application(self.app_uri or self.cfg.wsgi_app)

    def load_pasteapp(self) -> Callable[..., Any]:
        """Load the application that a PasteDeploy file describes."""
        from tricorn.app import pasterapp

        return pasterapp.load(self.cfg.paste, self.cfg.paste_global_conf)

    def load(self) -> Callable[..., Any]:
        """Load the application."""
        return self.load_pasteapp() if self.cfg.paste else self.load_wsgiapp()


def run(prog: str | None = None) -> NoReturn:
    """Run the command, with the arguments of this process."""
    from tricorn.__main__ import main

    if prog is not None:
        sys.argv[0] = prog
    main()
    sys.exit(0)


if __name__ == "__main__":
    run()
