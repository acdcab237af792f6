"""``wsgi.file_wrapper``: the kernel sends a file only where ``read`` would give the same."""

from __future__ import annotations

import pytest

from tests.apps.files import CONTENT, READ_BY_HAND, SENT_BY_THE_KERNEL
from tests.harness.server import running

FILES = "tests.apps.files:application"


@pytest.fixture(scope="module", params=["sync", "gthread"])
def shared(request, tmp_path_factory):
    """A server of each worker class for all tests that leave it as it was."""
    with running(tmp_path_factory.mktemp("shared")) as server:
        arguments = ("--threads", "2") if request.param == "gthread" else ()
        yield server.start(FILES, "-k", request.param, *arguments)


@pytest.mark.parametrize("name", [*SENT_BY_THE_KERNEL, *READ_BY_HAND])
def test_whatever_is_sent_is_what_it_reads(shared, name):
    by_hand = shared.get(f"/{name}?by-hand")
    wrapped = shared.get(f"/{name}")
    assert wrapped.status == by_hand.status == 200
    assert wrapped.body == by_hand.body


@pytest.mark.parametrize("name", SENT_BY_THE_KERNEL)
def test_plain_files_are_sent_by_the_kernel(shared, name):
    assert shared.get(f"/{name}?watched").header("Content-Length")
    assert int(shared.get("/position").body) < len(CONTENT), "it was read"


def test_a_file_is_read_where_sending_is_turned_off(server):
    server.start(FILES, "--no-sendfile")
    assert server.get("/file?watched").body == CONTENT
    assert int(server.get("/position").body) == len(CONTENT)


def test_a_subclass_of_the_wrapper_gives_what_it_iterates_over(shared):
    assert shared.get("/file?plain").body == CONTENT
    doubled = shared.get("/file?doubling").body
    assert len(doubled) == 2 * len(CONTENT)
    assert doubled[:8192] == CONTENT[:4096] * 2


def test_a_file_of_text_is_an_error_and_never_sent_raw(shared):
    assert shared.get("/text").status == 500
    shared.wait_for_log("the application must give bytes, not str")
