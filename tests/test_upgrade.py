"""USR2: the program is executed anew beside the arbiter, by gunicorn's protocol."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.harness import Client, eventually

SITE = """
    import os
    VERSION = "first"
    def application(environ, start_response):
        start_response("200 OK", [])
        return [f"{VERSION} {os.getppid()}".encode()]
"""

CONFIG = """
    import os
    pidfile = "server.pid"
    def pre_exec(server):
        server.log.info("PRE EXEC in %s for %s", os.getpid(), server.pid)
        if os.path.exists("no exec"):
            raise RuntimeError("not today")
        if os.path.exists("no program"):
            server.START_CTX[0] = "/nowhere/at/all"
    def worker_ready(server, worker):
        name, former = server.master_name, server.master_pid
        server.log.info("READY for %s %s after %s", server.pid, name, former)
    def on_exit(server): server.log.info("EXIT OF %s", server.pid)
"""


def start(server, *arguments, **options):
    server.write("app.py", SITE)
    server.start("app:application", *arguments, config=CONFIG, **options)
    server.wait_for_log("READY for")
    return server


def call(server):
    """Have a successor, and wait until it serves."""
    successor = server.call_successor()
    server.wait_for_log(f"Upgrade: the successor (pid:{successor}) serves")
    return successor


def title(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes().strip(b"\0").decode()


def test_a_successor_serves_beside_the_arbiter_and_takes_over_when_that_is_gone(server):
    start(server, "-n", "site")
    first = server.pid
    server.write("app.py", SITE.replace("first", "second"))
    successor = call(server)
    server.wait_for_log(f"READY for {successor} Master.2 after {first}")
    assert (server.folder / "server.pid").read_text() == f"{first}\n"
    assert title(first) == "gunicorn: master [site]"
    assert title(successor) == "gunicorn: master [site.2]"
    server.give_way(successor)
    assert server.get("/").text == f"second {successor}"
    eventually(lambda: title(successor) == "gunicorn: master [site]", "the title is the server's")
    assert f"EXIT OF {first}" in server.log
    server.stop()
    assert not (server.folder / "server.pid").exists()


def test_the_successor_of_a_successor_is_a_server_too(server):
    start(server)
    for _ in range(2):
        server.give_way(call(server))
    assert server.get("/").text == f"first {server.pid}"


def test_a_unix_socket_outlives_the_arbiter_that_made_it_and_goes_with_the_last(server):
    path = server.folder / "site.sock"
    start(server, bind=f"unix:{path}")
    successor = call(server)
    server.give_way(successor)
    assert Client(str(path)).get("/").text == f"first {successor}"
    server.stop()
    assert not path.exists()


def test_addresses_that_are_new_in_the_configuration_are_listened_on(server):
    config = CONFIG + "    bind = {}\n"
    first, second = server.folder / "first.sock", server.folder / "second.sock"
    server.write("app.py", SITE)
    server.start(config=config.format([f"unix:{first}"]), bind="")
    server.wait_for_log("READY for")
    server.write("server.conf.py", config.format([f"unix:{first}", f"unix:{second}"]))
    server.give_way(call(server))
    for path in first, second:
        assert Client(str(path)).get("/").text == f"first {server.pid}"


def test_a_failing_pre_exec_leaves_the_server_as_it_is(server):
    start(server)
    workers = server.workers()
    server.write("no exec", "")
    server.send_signal(signal.SIGUSR2)
    server.wait_for_log("The upgrade has failed: it exited with code 1")
    assert "RuntimeError: not today" in server.log
    assert server.get("/").text == f"first {server.pid}"
    assert server.workers() == workers
    assert (server.folder / "server.pid").exists()
    (server.folder / "no exec").unlink()
    server.give_way(call(server))


def test_a_program_that_is_not_there_leaves_the_server_as_it_is(server):
    start(server)
    server.write("no program", "")
    server.send_signal(signal.SIGUSR2)
    server.wait_for_log("The upgrade fails: the program cannot be executed")
    server.wait_for_log("The upgrade has failed: it exited with code 1")
    assert server.get("/").text == f"first {server.pid}"


def test_a_successor_that_cannot_boot_leaves_the_server_as_it_is(server):
    start(server)
    server.write("app.py", "raise RuntimeError('broken on purpose')\n")
    server.send_signal(signal.SIGUSR2)
    server.wait_for_log("The upgrade has failed: it exited with code 3")
    assert server.get("/").text == f"first {server.pid}"
    assert not (server.folder / "server.pid.2").exists()


def test_an_upgrade_is_rolled_back_by_hup_to_the_old_and_term_to_the_new(server):
    start(server)
    successor = call(server)
    server.send_signal(signal.SIGWINCH)
    eventually(lambda: server.get("/").text == f"first {successor}", "the new one serves alone")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log(f"READY for {server.pid}", 2)
    os.kill(successor, signal.SIGTERM)
    server.wait_for_log(f"The successor (pid:{successor}) is gone")
    assert server.get("/").text == f"first {server.pid}"
    assert not (server.folder / "server.pid.2").exists()


def test_a_second_upgrade_waits_for_the_end_of_the_first(server):
    start(server)
    successor = call(server)
    server.send_signal(signal.SIGUSR2)
    server.wait_for_log("No upgrade: there is a successor already")
    os.kill(successor, signal.SIGUSR2)
    server.wait_for_log("No upgrade: the server before this one still runs")


def test_a_stop_waits_until_the_successor_serves(server):
    server.write("app.py", "import os, time\nwhile os.path.exists('hold'): time.sleep(0.02)\n")
    with open(server.folder / "app.py", "a") as app:
        app.write("from tests.apps.plain import application\n")
    server.start("app:application", config=CONFIG)
    server.wait_for_log("READY for")
    hold = server.write("hold", "")
    successor = server.call_successor()
    server.send_signal(signal.SIGTERM)
    server.wait_for_log("The stop waits until the successor serves")
    assert server.get("/hello").status == 200
    hold.unlink()
    assert server.wait() == 0
    server.followed = successor
    assert server.get("/hello").status == 200


def test_the_successor_has_the_environment_of_the_first_start(server):
    told = """
    def post_fork(server, worker):
        names = ("SITE_COLOUR", "SITE_PLACE", "GUNICORN_FD", "TRICORN_READY_FD")
        worker.log.info("ENVIRONMENT %s", [os.environ.get(name) for name in names])
    """
    server.write("app.py", SITE)
    coloured = CONFIG + '    raw_env = ["SITE_COLOUR=red"]\n' + told
    server.start("app:application", config=coloured, SITE_PLACE="here")
    server.wait_for_log("ENVIRONMENT ['red', 'here', None, None]")
    server.write("server.conf.py", CONFIG + told)
    call(server)
    server.wait_for_log("ENVIRONMENT [None, 'here', None, None]")


def test_the_program_is_started_as_it_was(server):
    start(server)
    successor = call(server)
    program = Path(f"/proc/{successor}/exe").resolve()
    assert program == Path(sys.executable).resolve()
