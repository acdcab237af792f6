"""PasteDeploy: applications from an ini file, and the server as a runner of one."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.harness import eventually
from tests.harness.server import COMMAND, environment

MODULE = """
    def make(global_conf, **local_conf):
        def application(environ, start_response):
            start_response("200 OK", [])
            return [repr((local_conf["name"], global_conf.get("colour"))).encode()]
        return application
"""
INI = """
    [app:main]
    paste.app_factory = site_module:make
    name = main

    [app:admin]
    paste.app_factory = site_module:make
    name = admin

    [server:main]
    use = egg:tricorn#main
    host = 127.0.0.1
    port = 0
    workers = 2
    proc_name = from-the-section
"""
LOGGING = """
    [loggers]
    keys = root, error

    [handlers]
    keys = console

    [formatters]
    keys = plain

    [logger_root]
    level = INFO
    handlers = console

    [logger_error]
    level = INFO
    handlers = console
    qualname = gunicorn.error
    propagate = 0

    [handler_console]
    class = StreamHandler
    args = (sys.stderr,)
    formatter = plain

    [formatter_plain]
    format = BY-THE-FILE %(message)s
"""
RUNNER = """
    import sys
    from paste.deploy import loadapp, loadserver
    place = "config:" + sys.argv[1]
    loadserver(place, relative_to=".")(loadapp(place, relative_to="."))
"""


@pytest.fixture
def site(server):
    server.write("site_module.py", MODULE)
    server.write("site.ini", INI)
    return server


def test_the_application_is_the_files_main_one(site):
    site.spawn("-b", "127.0.0.1:0", "--paste", "site.ini")
    site.wait_for_log("Booting worker")
    assert site.get("/").body == b"('main', None)"


def test_another_is_named_behind_a_hash_and_global_values_are_given(site):
    given = ["--paste-global", "colour=red", "--paste-global", r"a\=b=c"]
    site.spawn("-b", "127.0.0.1:0", "--paste", "site.ini#admin", *given)
    site.wait_for_log("Booting worker")
    assert site.get("/").body == b"('admin', 'red')"


def test_the_config_file_may_name_it_and_sees_the_global_values(site):
    config = r"""
        paste = "site.ini"
        raw_paste_global_conf = ["colour=blue", r"a\=b=c"]
        def when_ready(server):
            server.log.info("SEEN %s %s", server.cfg.paste_global_conf, server.proc_name)
    """
    site.write("site.conf.py", config)
    site.spawn("-b", "127.0.0.1:0", "-c", "site.conf.py")
    site.wait_for_log("SEEN {'colour': 'blue', 'a=b': 'c'} site.ini")
    assert site.get("/").body == b"('main', 'blue')"


def test_the_files_own_logging_is_used(site):
    site.write("site.ini", INI + LOGGING)
    site.spawn("-b", "127.0.0.1:0", "--paste", "site.ini")
    site.wait_for_log("BY-THE-FILE Booting worker")


def test_the_application_is_loaded_before_the_fork_where_that_is_asked_for(site):
    site.spawn("-b", "127.0.0.1:0", "--paste", "site.ini", "--preload", "-w", "2")
    site.wait_for_log("Booting worker", 2)
    assert site.get("/").body == b"('main', None)"


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("none.ini", "the PasteDeploy file none.ini is not there (from command line)"),
        ("broken.ini", "cannot be read: File contains no section headers"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(site, spec, complaint):
    site.write("broken.ini", "nonsense\n")
    ended = run(site, [*COMMAND, "--paste", spec])
    (line,) = ended.stderr.splitlines()
    assert (ended.returncode, complaint in line) == (1, True), line


def test_without_the_package_the_mend_is_named(site):
    site.write("sitecustomize.py", "import sys; sys.modules['paste.deploy'] = None\n")
    ended = run(site, [*COMMAND, "--check-config", "--paste", "site.ini"])
    assert ended.returncode == 1
    assert ended.stderr.strip().endswith("install PasteDeploy")


def test_the_server_runs_by_the_files_server_section(site):
    site.start_program(RUNNER, "site.ini")
    site.wait_for_log("Booting worker", 2)
    assert site.get("/").body == b"('main', None)"
    assert len(site.workers()) == 2


def test_a_config_file_may_be_named_in_the_server_section(site):
    site.write("more.conf.py", "workers = 9\ndef when_ready(server): server.log.info('READY')\n")
    site.write("site.ini", INI + "    config = more.conf.py\n")
    site.start_program(RUNNER, "site.ini")
    site.wait_for_log("READY")
    eventually(lambda: len(site.workers()) == 2, "the section's own value")
    site.send_signal(signal.SIGHUP)
    site.wait_for_log("Booting worker", 4)
    assert site.get("/").body == b"('main', None)"


def run(server, command):
    return subprocess.run(
        command,
        cwd=server.folder,
        env=environment(PYTHONPATH=str(server.folder)),
        capture_output=True,
        text=True,
        timeout=30,
    )
