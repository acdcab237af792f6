"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.plugins import built
from tests.harness.server import Server, running

#: The application of tests that are not about one.
PLAIN = "tests.apps.plain:application"


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Give servers, each with a folder of its own."""
    with ExitStack() as stack:
        made: list[Server] = []

        def make() -> Server:
            folder = tmp_path / f"server{len(made)}"
            folder.mkdir()
            made.append(stack.enter_context(running(folder)))
            return made[-1]

        yield make


@pytest.fixture
def server(make_server: Callable[[], Server]) -> Server:
    """Give a server to start."""
    return make_server()


@pytest.fixture(params=["sync", "gthread"])
def arguments(request):
    """The arguments of each worker class."""
    return ("-k", request.param, *(("--threads", "4") if request.param == "gthread" else ()))


@pytest.fixture
def probe(server, arguments):
    """Start a server with the probe in it, under each worker class."""

    def start(*more, app=PLAIN, config=None, **options):
        text = f"plugins = [{{'path': {str(built('fixture-probe'))!r}, 'options': {options!r}}}]\n"
        return server.start(app, *arguments, *more, config=text + (config or ""))

    return start
