"""HUP with ``preload_reload``: the same process, the same sockets, other code."""

from __future__ import annotations

import os
import signal
import textwrap

from tests.harness import eventually
from tests.harness.waiting import pause

SITE = """
    import os
    VERSION, LOADED_BY = "first", os.getpid()
    def application(environ, start_response):
        start_response("200 OK", [])
        return [f"{VERSION} {LOADED_BY}".encode()]
"""

CONFIG = """
    import os
    preload_app = True
    preload_reload = True
    workers = 2
    pidfile = "server.pid"
    def on_starting(server):
        server.log.info("ON STARTING")
        if os.path.exists("trouble"):
            raise RuntimeError("trouble at the start")
    def on_reload(server): server.log.info("ON RELOAD")
    def pre_exec(server):
        server.log.info("PRE EXEC %s", server.pid)
        if os.path.exists("no exec"):
            raise RuntimeError("not today")
    def worker_ready(server, worker): server.log.info("WORKER READY %s", worker.pid)
    def child_exit(server, worker):
        server.log.info("GONE %s id=%s cause=%s", worker.pid, worker.id, worker.exit_cause)
"""


def start(server, *arguments):
    server.write("app.py", SITE)
    server.start("app:application", *arguments, config=CONFIG)
    server.wait_for_log("WORKER READY", 2)


def serves(server, version):
    return server.get("/").text == f"{version} {server.pid}"


def deploy(server, version):
    server.write("app.py", SITE.replace("first", version))
    server.send_signal(signal.SIGHUP)


def test_hup_loads_a_preloaded_application_anew_in_the_same_process(server):
    start(server)
    assert serves(server, "first")
    old = server.workers()
    deploy(server, "second")
    eventually(lambda: serves(server, "second"), "the new code serves")
    server.wait_for_log("GONE", 2)
    assert all(f"GONE {pid} id={place}" in server.log for place, pid in enumerate(sorted(old), 1))
    assert (server.folder / "server.pid").read_text() == f"{server.pid}\n"
    order = ["ON RELOAD", "PRE EXEC", "ON STARTING"]
    found = [server.log.rindex(word) for word in order]
    assert found == sorted(found)
    assert server.stop() == 0
    assert not (server.folder / "server.pid").exists()


def test_it_can_be_done_again_and_again(server):
    start(server)
    for version in ["second", "third", "fourth"]:
        deploy(server, version)
        eventually(lambda version=version: serves(server, version), f"{version} serves")
    server.wait_for_log("GONE", 6)
    eventually(lambda: len(server.workers()) == 2, "no worker is left over")
    descriptors = len(os.listdir(f"/proc/{server.pid}/fd"))
    deploy(server, "fifth")
    eventually(lambda: serves(server, "fifth"), "fifth serves")
    server.wait_for_log("GONE", 8)
    assert len(os.listdir(f"/proc/{server.pid}/fd")) <= descriptors, "none is left open"


def test_new_code_that_cannot_be_loaded_is_found_out_before(server):
    start(server)
    server.write("app.py", "raise RuntimeError('broken on purpose')\n")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("The reload is given up: the new code cannot be loaded")
    assert "RuntimeError: broken on purpose" in server.log
    assert serves(server, "first")
    deploy(server, "mended")
    eventually(lambda: serves(server, "mended"), "the mended code serves")


def test_new_code_that_never_gets_loaded_is_given_up(server):
    start(server, "--boot-timeout", "1")
    server.write("app.py", "import time\ntime.sleep(600)\n")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("it takes longer than boot_timeout")
    assert serves(server, "first")


def test_a_reload_that_is_asked_for_while_one_fails_is_done_after_it(server):
    start(server)
    server.write("app.py", "import time\ntime.sleep(1)\nraise RuntimeError('broken')\n")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("Loading the new code")
    eventually(lambda: "sleep" not in server.log and slept(server), "the probe reads the file")
    deploy(server, "second")
    eventually(lambda: serves(server, "second"), "the new code serves")


def slept(server):
    """Whether the child that tries the code sleeps in it."""
    return server._sleepers() > 0


def test_a_pre_exec_that_fails_leaves_everything_as_it_is(server):
    start(server)
    old = server.workers()
    server.write("no exec", "")
    deploy(server, "second")
    server.wait_for_log("The reload is given up: pre_exec handler")
    assert serves(server, "first")
    assert server.workers() == old


def test_a_program_that_cannot_come_up_again_leaves_the_workers_serving_and_is_tried_again(server):
    start(server)
    trouble = server.write("trouble", "")
    deploy(server, "second")
    server.wait_for_log("The workers serve on; HUP has the program tried again")
    assert "RuntimeError: trouble at the start" in server.log
    assert serves(server, "first")
    trouble.unlink()
    server.send_signal(signal.SIGHUP)
    eventually(lambda: serves(server, "second"), "the new code serves")
    server.wait_for_log("GONE", 2)
    assert server.stop() == 0


def test_a_server_that_cannot_come_up_again_can_be_stopped(server):
    start(server)
    server.write("trouble", "")
    deploy(server, "second")
    server.wait_for_log("The workers serve on; HUP has the program tried again")
    assert server.stop() == 0
    assert server.workers() == []


def test_signals_that_come_while_the_program_is_executed_are_not_lost(server):
    start(server)
    server.write("app.py", "import time\ntime.sleep(0.5)\n" + SITE.replace("\n    ", "\n"))
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("Executing the program anew")
    server.send_signal(signal.SIGTTIN)
    server.wait_for_log("Handling signal: ttin")
    eventually(lambda: len(server.workers()) == 3, "a third worker")


def test_without_it_a_reload_keeps_the_preloaded_application_and_says_so(server):
    server.write("app.py", SITE)
    server.start("app:application", "--preload", config=CONFIG.replace("preload_reload = True", ""))
    server.wait_for_log("WORKER READY", 2)
    deploy(server, "second")
    server.wait_for_log("WORKER READY", 4)
    assert "preload_app: the application stays as it was loaded" in server.log
    server.wait_for_log("GONE", 2)
    assert serves(server, "first")


def test_no_signal_ends_a_server_that_tries_to_come_up_again(server):
    start(server)
    trouble = server.write("trouble", "")
    deploy(server, "second")
    server.wait_for_log("The workers serve on; HUP has the program tried again")
    while server.log.count("HUP has the program tried again") < 5:
        server.send_signal(signal.SIGHUP)
        pause(0.002)
        assert server.is_there(), server.log
    assert serves(server, "first")
    trouble.unlink()
    server.send_signal(signal.SIGHUP)
    eventually(lambda: serves(server, "second"), "the new code serves")


def hold_new_code(server):
    """Reload code that is loaded as soon as the file is gone that is given back."""
    held = "import os, time\nwhile os.path.exists('hold'): time.sleep(0.02)\n"
    hold = server.write("hold", "")
    server.write("app.py", held + textwrap.dedent(SITE.replace("first", "second")))
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("Loading the new code")
    return hold


def test_workers_that_are_asked_for_while_new_code_is_tried_are_there_after_it(server):
    start(server)
    hold = hold_new_code(server)
    server.send_signal(signal.SIGTTIN)
    server.wait_for_log("WORKER READY", 3)
    hold.unlink()
    server.wait_for_log("GONE", 3)
    eventually(lambda: len(server.workers()) == 3, "there are three workers")
    assert serves(server, "second")


def test_a_server_that_is_to_have_no_workers_has_none_after_new_code_was_tried(server):
    start(server)
    hold = hold_new_code(server)
    server.send_signal(signal.SIGWINCH)
    server.wait_for_log("GONE", 2)
    hold.unlink()
    server.wait_for_log("ON STARTING", 2)
    server.send_signal(signal.SIGTTIN)
    server.wait_for_log("WORKER READY", 3)
    assert serves(server, "second")
    assert len(server.workers()) == 1


def test_an_upgrade_that_begins_while_new_code_is_tried_goes_first(server):
    start(server)
    hold = hold_new_code(server)
    server.send_signal(signal.SIGUSR2)
    server.wait_for_log("Upgrade: the successor is process")
    hold.unlink()
    server.wait_for_log("The reload is given up: an upgrade is under way")
    server.wait_for_log("Upgrade: the successor (pid:")
    successor = server.named_in("server.pid.2")
    assert successor
    server.give_way(successor)
    assert serves(server, "second")
