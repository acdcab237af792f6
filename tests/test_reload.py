"""``reload``: workers that leave when a file of the application changes."""

from __future__ import annotations

import os

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
    assert "reload does nothing" in server.log
