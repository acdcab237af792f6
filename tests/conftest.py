"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.server import Server, running


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
