"""``reload``: workers that leave when a file of the application changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.harness import eventually

SITE = """
    from page import TEXT
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [TEXT.encode()]
"""


def rewrite(server, name, text):
    """Write a file anew, in a way that no clock is too coarse to show."""
    path = server.write(name, text)
    later = path.stat().st_mtime + 10
    os.utime(path, (later, later))


def body(server):
    return server.get("/").body


def test_a_changed_module_is_loaded_again(server):
    server.write("page.py", "TEXT = 'first'\n")
    server.write("app.py", SITE)
    server.start("app:application", "--reload")
    assert body(server) == b"first"
    rewrite(server, "page.py", "TEXT = 'second'\n")
    eventually(lambda: body(server) == b"second", "the change is seen")
    assert "page.py has changed" in server.log


def test_worker_int_fires_before_a_worker_reloads(server):
    server.write("page.py", "TEXT = 'first'\n")
    server.write("app.py", SITE)
    server.start(
        "app:application",
        config="reload = True\ndef worker_int(worker): worker.log.info('INTERRUPTED')\n",
    )
    assert body(server) == b"first"
    rewrite(server, "page.py", "TEXT = 'second'\n")
    server.wait_for_log("INTERRUPTED")


def test_an_application_that_cannot_be_loaded_shows_why_until_it_is_mended(server):
    server.write("page.py", "TEXT = = 'broken'\n")
    server.write("app.py", SITE)
    server.start("app:application", "--reload")
    reply = server.get("/")
    assert reply.status == 500
    assert "SyntaxError" in reply.text
    rewrite(server, "page.py", "TEXT = 'mended'\n")
    eventually(lambda: body(server) == b"mended", "the mended application")


def test_a_file_besides_the_modules_is_watched_where_it_is_named(server):
    server.write("page.py", "TEXT = open('text.html').read()\n")
    server.write("app.py", SITE)
    server.write("text.html", "first")
    server.start("app:application", "--reload", "--reload-extra-file", "*.html")
    assert body(server) == b"first"
    rewrite(server, "text.html", "second")
    eventually(lambda: body(server) == b"second", "the change is seen")


def test_reload_with_preload_is_pointed_out(server):
    server.write("app.py", SITE)
    server.write("page.py", "TEXT = 'first'\n")
    server.start("app:application", "--reload", "--preload")
    server.wait_for_log("reload does nothing")


# How changes are noticed.


@pytest.fixture(params=["auto", "poll", "inotify"])
def engine(request):
    """Each way."""
    return ("--reload", "--reload-engine", request.param)


def test_a_change_is_noticed_by_every_engine(server, engine):
    server.write("page.py", "TEXT = 'first'\n")
    server.write("app.py", SITE)
    server.start("app:application", *engine)
    assert body(server) == b"first"
    rewrite(server, "page.py", "TEXT = 'second'\n")
    eventually(lambda: body(server) == b"second", "the change is seen")


def test_a_file_that_another_one_replaces_is_noticed_by_every_engine(server, engine):
    server.write("page.py", "TEXT = 'first'\n")
    server.write("app.py", SITE)
    server.start("app:application", *engine)
    assert body(server) == b"first"
    rewrite(server, "page.py.new", "TEXT = 'second'\n")
    (server.folder / "page.py.new").rename(server.folder / "page.py")
    eventually(lambda: body(server) == b"second", "the change is seen")


def test_a_link_that_is_switched_to_another_release_is_noticed_by_every_engine(server, engine):
    for release in ("first", "second"):
        server.write(f"{release}/page.py", f"TEXT = '{release}'\n")
        server.write(f"{release}/app.py", SITE)
    current = Path(server.folder / "current")
    current.symlink_to("first")
    server.start("app:application", *engine, "--chdir", str(current))
    assert body(server) == b"first"
    Path(server.folder / "next").symlink_to("second")
    (server.folder / "next").rename(current)
    eventually(lambda: body(server) == b"second", "the other release serves")


def test_only_watched_files_count(server, engine):
    server.write("page.py", "TEXT = open('text.html').read()\n")
    server.write("app.py", SITE)
    server.write("text.html", "first")
    server.start("app:application", *engine, "--reload-extra-file", "*.html")
    assert body(server) == b"first"
    for _ in range(3):
        rewrite(server, "notes.txt", "nobody reads this")
        rewrite(server, "text.html~", "nor this")
    rewrite(server, "text.html", "second")
    eventually(lambda: body(server) == b"second", "the change is seen")
    assert server.log.count("has changed") == 1


def test_a_file_that_comes_to_match_a_pattern_is_watched(server):
    server.write("page.py", "import glob\nTEXT = str(sorted(glob.glob('*.html')))\n")
    server.write("app.py", SITE)
    server.start("app:application", "--reload", "--reload-extra-file", "*.html")
    assert body(server) == b"[]"
    rewrite(server, "late.html", "first")
    # It is known from the next look on.
    eventually(lambda: changes_after(server, "late.html"), "it is watched")
    eventually(lambda: body(server) == b"['late.html']", "the worker was replaced")


def changes_after(server, name):
    """Rewrite a file, and say whether that was noticed."""
    path = server.folder / name
    later = path.stat().st_mtime + 10
    os.utime(path, (later, later))
    return f"{name} has changed" in server.log
