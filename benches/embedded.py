"""Serves an application with a peer that has no command of its own: NAME APP PORT."""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    """Serve until killed."""
    name, app, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    application = getattr(importlib.import_module("benches.apps"), app)
    server = importlib.import_module(name)
    if name == "fastwsgi":
        server.run(application, host="127.0.0.1", port=port, loglevel=0)
    elif name == "bjoern":
        server.run(application, "127.0.0.1", port)
    elif name == "freastal":
        server.serve(application, host="127.0.0.1", port=port)
    else:
        sys.exit(f"{name} is not a server this knows to start")


if __name__ == "__main__":
    main()
