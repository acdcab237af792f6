"""Settings in a module: the application's own, and what HUP makes of a module that has changed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from ast import literal_eval
from pathlib import Path

import pytest

from tests.harness import eventually
from tests.harness.server import run

CONFIGS = Path(__file__).parent / "fixtures" / "configs"
IN_APPLICATION = "hooks_in_application"

#: An application that answers with the settings in force, and holds them itself.
SITE = """
{settings}

_cfg = None


def post_worker_init(worker):
    global _cfg
    _cfg = worker.cfg


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    start_response("200 OK", [])
    return [repr(_cfg.settings[name].value if name in _cfg.settings else globals()[name]).encode()]
"""


def write(server, settings):
    """Write the site's module, or write it anew."""
    server.write("site_/__init__.py", "")
    path = server.write("site_/wsgi.py", SITE.format(settings=settings))
    # A compiled file is taken for the one of a source that is as old in seconds, and as long.
    shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)


def start(server, settings, *arguments):
    write(server, settings)
    return server.start("site_.wsgi", "-c", "python:site_.wsgi", *arguments)


def in_force(server, name):
    return literal_eval(server.get(f"/{name}").text)


@pytest.mark.parametrize("named", [[], [IN_APPLICATION], [f"{IN_APPLICATION}:application"]])
def test_the_applications_module_may_hold_settings_and_hooks(server, named):
    shutil.copy(CONFIGS / f"{IN_APPLICATION}.py", server.folder)
    server.spawn("-b", "127.0.0.1:0", "-c", f"python:{IN_APPLICATION}", *named)
    server.wait_for_log("Listening at: ")
    told = f"production, forked under python:{IN_APPLICATION}, asked for /page"
    assert server.get("/page").text == told
    assert "Warning" not in server.log


def test_a_module_inside_a_package_may_hold_them(server):
    start(server, "timeout = 71")
    assert in_force(server, "timeout") == 71


def test_preloading_finds_the_module_that_was_read(server):
    start(server, "timeout = 71\npid = __import__('os').getpid()", "--preload")
    assert in_force(server, "timeout") == 71
    assert in_force(server, "pid") == server.pid


def test_hup_reads_the_module_again(server):
    start(server, "timeout = 71\nrelease = 'one'")
    write(server, "timeout = 72\nrelease = 'two'")
    server.send_signal(signal.SIGHUP)
    eventually(lambda: in_force(server, "timeout") == 72, "the new time-out")
    assert in_force(server, "release") == "two"


def test_a_setting_that_is_gone_from_the_module_is_not_set_any_more(server):
    start(server, "timeout = 71\nkeepalive = 9")
    write(server, "timeout = 72")
    server.send_signal(signal.SIGHUP)
    eventually(lambda: in_force(server, "timeout") == 72, "the new time-out")
    assert in_force(server, "keepalive") == 2


def test_a_module_that_raises_on_hup_leaves_the_old_one_in_force(server):
    start(server, "timeout = 71\nrelease = 'one'")
    (old,) = eventually(server.workers, "a worker")
    write(server, "timeout = 72\nrelease = 'two'\nraise ValueError('half-way')")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("half-way")
    assert in_force(server, "release") == "one"
    # Whatever replaces a worker now has what the old ones had.
    os.kill(old, signal.SIGKILL)
    eventually(lambda: server.workers() not in ([], [old]), "another worker")
    assert in_force(server, "release") == "one"
    assert in_force(server, "timeout") == 71


def test_what_the_module_imports_is_loaded_anew_where_the_program_is(server):
    server.write("site_/parts.py", "part = 'old'\n")
    start(server, "from site_.parts import part", "--preload", "--preload-reload")
    assert in_force(server, "part") == "old"
    server.write("site_/parts.py", "part = 'renewed'\n")
    server.send_signal(signal.SIGHUP)
    eventually(lambda: in_force(server, "part") == "renewed", "the part that is imported")


def test_a_module_that_was_mended_is_read_by_the_next_hup(server):
    start(server, "timeout = 71")
    write(server, "timeout = = 72")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("syntax error")
    write(server, "timeout = 73")
    server.send_signal(signal.SIGHUP)
    eventually(lambda: in_force(server, "timeout") == 73, "the new time-out")


def test_what_becomes_of_a_site_in_a_module_can_be_told(tmp_path):
    shutil.copy(CONFIGS / f"{IN_APPLICATION}.py", tmp_path)
    done = run(tmp_path, "migrate", "--json", f"python:{IN_APPLICATION}")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    names = [row["name"] for row in found["settings"] + found["hooks"]]
    assert names == ["config", "wsgi_app", "timeout", "raw_env", "post_fork", "pre_request"]
    assert found["application"] == IN_APPLICATION
