"""The arbiter: signals, time-outs, respawn, reload, and the code it ends with."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import ExitStack

import pytest

from tests.harness import Client, eventually
from tests.harness.client import Closed

PLAIN = "tests.apps.plain:application"


def pids(server, count):
    """Wait until there are so many workers, and return their process ids."""
    return eventually(
        lambda: set(server.workers()) if len(server.workers()) == count else None,
        f"{count} workers",
    )


def wait_until_ready(server, count):
    """Wait until so many workers serve."""
    server.wait_for_log("WORKER READY", count)


READY = """
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.pid)
"""


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# Stopping.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("worker_class", ["sync", "gthread"])
def test_a_stop_signal_ends_the_server_with_code_0(server, number, worker_class):
    server.start(PLAIN, "-w", "2", "-k", worker_class, config=READY)
    wait_until_ready(server, 2)
    workers = pids(server, 2)
    assert server.stop(number) == 0
    assert not any(map(alive, workers))
    assert "Shutting down" in server.log


@pytest.mark.parametrize("arguments", [[], ["--threads", "3"]])
def test_term_lets_running_requests_finish(server, arguments):
    server.start(PLAIN, *arguments)
    with server.connect() as client:
        client.request("/sleep/1")
        server.wait_until_asleep()
        server.send_signal(signal.SIGTERM)
        reply = client.reply()
        assert reply.status == 200
        assert reply.header("Connection") == "close"
    assert server.wait() == 0


@pytest.mark.parametrize("arguments", [[], ["--threads", "3"]])
def test_term_refuses_new_connections_while_it_drains(server, arguments):
    server.start(PLAIN, *arguments)
    with server.connect() as client:
        client.request("/sleep/1")
        server.wait_until_asleep()
        server.send_signal(signal.SIGTERM)
        eventually(lambda: refuses(server.address), "the listener is closed")
        assert client.reply().status == 200


def refuses(address):
    try:
        Client(address, timeout=1).close()
    except OSError:
        return True
    return False


def test_who_connects_after_term_is_refused_and_never_left_in_a_queue(server):
    server.start(PLAIN)
    with server.connect() as client:
        client.request("/sleep/1")
        server.wait_until_asleep()
        server.send_signal(signal.SIGTERM)
        server.wait_for_log("Handling signal: term")
        with pytest.raises(ConnectionRefusedError):
            # The worker has its copy of the socket until its request is done.
            server.connect()
        assert client.reply().status == 200


def test_an_idle_connection_is_half_closed_so_that_a_late_request_is_not_reset(server):
    server.start(PLAIN)
    with server.connect() as client:
        client.get("/hello")
        server.send_signal(signal.SIGTERM)
        assert client.is_closed()
        client.request("/hello")
        assert client.is_closed(), "an end, and no reset"
    assert server.wait() == 0


def test_idle_connections_are_closed_on_term(server):
    server.start(PLAIN)
    with server.connect() as client:
        client.get("/hello")
        server.send_signal(signal.SIGTERM)
        assert client.is_closed()
    assert server.wait() == 0


def test_int_does_not_wait_for_running_requests(server):
    server.start(PLAIN, "--graceful-timeout", "30")
    with server.connect() as client:
        client.request("/sleep/30")
        server.wait_until_asleep()
        server.send_signal(signal.SIGINT)
        assert client.reply().status == 500
    assert server.wait() == 0


def test_a_request_longer_than_graceful_timeout_is_cut(server):
    server.start(PLAIN, "--graceful-timeout", "1")
    with server.connect() as client:
        client.request("/sleep/30")
        server.wait_until_asleep()
        server.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        with pytest.raises((Closed, ConnectionResetError)):
            client.reply()


def test_workers_leave_when_the_arbiter_is_killed(server):
    server.start(PLAIN, "-w", "2", config=READY)
    wait_until_ready(server, 2)
    workers = pids(server, 2)
    server.send_signal(signal.SIGKILL)
    server.wait()
    eventually(lambda: not any(map(alive, workers)), "the workers leave")


# The number of workers.


def test_ttin_adds_a_worker_and_ttou_takes_the_oldest(server):
    server.start(PLAIN, config=READY)
    wait_until_ready(server, 1)
    (first,) = pids(server, 1)
    server.send_signal(signal.SIGTTIN)
    both = pids(server, 2)
    wait_until_ready(server, 2)
    server.send_signal(signal.SIGTTOU)
    assert pids(server, 1) == both - {first}


def test_ttou_keeps_one_worker(server):
    server.start(PLAIN, config=READY)
    wait_until_ready(server, 1)
    before = pids(server, 1)
    server.send_signal(signal.SIGTTOU)
    server.wait_for_log("Handling signal: ttou")
    assert pids(server, 1) == before
    assert server.get("/hello").status == 200


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_worker_that_is_gone_is_replaced(server, number):
    server.start(PLAIN, "-w", "2", config=READY)
    wait_until_ready(server, 2)
    before = pids(server, 2)
    victim = min(before)
    os.kill(victim, number)
    wait_until_ready(server, 3)
    after = pids(server, 2)
    assert len(after - before) == 1
    assert victim not in after
    assert server.get("/hello").status == 200


def test_a_killed_worker_is_reported_with_its_signal(server):
    server.start(PLAIN, config=READY)
    wait_until_ready(server, 1)
    (victim,) = pids(server, 1)
    os.kill(victim, signal.SIGKILL)
    line = server.wait_for_log(f"Worker (pid:{victim}) was killed by SIGKILL")
    # Where the kernel counts what it kills for want of memory, the counter has been asked.
    assert "perhaps out of memory" in line or "not by the kernel for want of memory" in line


def test_a_worker_that_exits_by_itself_is_replaced(server):
    server.write(
        "app.py",
        """
        import os
        def application(environ, start_response):
            os._exit(7)
        """,
    )
    server.start(config=READY)
    wait_until_ready(server, 1)
    with server.connect() as client:
        client.request("/")
        assert client.is_closed()
    server.wait_for_log("exited with code 7")
    wait_until_ready(server, 2)


# Time-outs.


def test_a_request_that_takes_too_long_ends_its_sync_worker(server):
    server.start(
        PLAIN,
        "--timeout",
        "1",
        config=READY
        + """
    def worker_abort(worker):
        print("ABORT HOOK", worker.pid, flush=True)
""",
    )
    wait_until_ready(server, 1)
    (slow,) = pids(server, 1)
    with server.connect() as client:
        client.request("/sleep/60")
        assert client.reply().status == 500
        assert client.is_closed()
    assert f"WORKER TIMEOUT (pid:{slow})" in server.log
    server.wait_for_log(f"ABORT HOOK {slow}")
    wait_until_ready(server, 2)
    assert server.get("/hello").status == 200


def test_a_stuck_worker_is_killed_after_the_abort(server):
    server.write(
        "app.py",
        """
        import signal
        def application(environ, start_response):
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGABRT])
            signal.sigwait([signal.SIGUSR2])
        """,
    )
    server.start("app:application", "--timeout", "1", "--abort-grace", "1", config=READY)
    wait_until_ready(server, 1)
    (stuck,) = pids(server, 1)
    with server.connect() as client:
        client.request("/")
        assert client.is_closed()
    server.wait_for_log(f"Worker (pid:{stuck}) was killed by SIGKILL")
    wait_until_ready(server, 2)


def test_an_idle_worker_is_never_timed_out(server):
    server.start(PLAIN, "--timeout", "1", config=READY)
    before = pids(server, 1)
    with server.connect() as client:
        assert client.get("/sleep/0.5").status == 200
        # Several requests that together take longer than the limit.
        for _ in range(4):
            assert client.get("/sleep/0.4").status == 200
    assert pids(server, 1) == before


def test_a_time_out_of_0_never_ends_a_worker(server):
    server.start(PLAIN, "--timeout", "0", config=READY)
    before = pids(server, 1)
    assert server.get("/sleep/1.5").status == 200
    assert pids(server, 1) == before


def test_gthread_serves_on_while_one_request_is_slow(server):
    server.start(PLAIN, "--threads", "2")
    with server.connect() as slow:
        slow.request("/sleep/1")
        server.wait_until_asleep()
        assert server.get("/hello").body == b"hello"
        assert slow.reply().status == 200


# Recycling.


@pytest.mark.parametrize("arguments", [[], ["--threads", "2"]])
def test_max_requests_recycles_a_worker_without_losing_a_request(server, arguments):
    server.start(PLAIN, "-w", "2", "--max-requests", "20", *arguments)
    seen = set()

    def ask():
        reply = server.get("/pid")
        assert reply.status == 200
        seen.add(reply.text)
        return len(seen) >= 3

    eventually(ask, "a third worker answers")


def test_a_kept_connection_is_told_when_its_worker_leaves(server):
    server.start(PLAIN, "--max-requests", "5", "--max-surge", "0")
    with server.connect() as client:
        kept = [client.get("/pid").header("Connection") for _ in range(5)]
        assert kept == [None] * 4 + ["close"]
        assert client.is_closed()
    assert server.get("/hello").status == 200


# Reloading.


VERSIONED = """
    import os
    VERSION = os.environ.get("SITE_VERSION", "?")
    def application(environ, start_response):
        start_response("200 OK", [])
        return [VERSION.encode()]
"""


def test_hup_reads_the_config_file_anew(server):
    server.write("app.py", VERSIONED)
    server.start(config='raw_env = ["SITE_VERSION=1"]\nworkers = 1\n')
    assert server.get("/").body == b"1"
    server.write("server.conf.py", 'raw_env = ["SITE_VERSION=2"]\nworkers = 3\n')
    server.send_signal(signal.SIGHUP)
    eventually(lambda: server.get("/").body == b"2", "the new configuration serves")
    pids(server, 3)


def test_a_config_file_that_was_replaced_is_forgotten(server):
    server.start(
        "tests.apps.plain:application",
        config="""
            import gc, os
            class Site:
                def __init__(self):
                    self.pid = os.getpid()
                def __del__(self):
                    if os.getpid() == self.pid:
                        print("FORGOTTEN", flush=True)
            SITE = Site()
            def on_reload(server):
                gc.collect()
            def child_exit(server, worker):
                server.log.info("GONE as %s was served", SITE)
        """,
    )
    server.wait_for_log("Booting worker")
    for count in range(1, 4):
        server.send_signal(signal.SIGHUP)
        server.wait_for_log("GONE", count)
    server.wait_for_log("FORGOTTEN")


def test_a_variable_that_raw_env_no_longer_sets_is_what_it_was(server):
    server.write("app.py", VERSIONED)
    server.start(config='raw_env = ["SITE_VERSION=1"]\n', SITE_VERSION="outer")
    assert server.get("/").body == b"1"
    server.write("server.conf.py", "")
    server.send_signal(signal.SIGHUP)
    eventually(lambda: server.get("/").body == b"outer", "the variable is back")


def test_hup_reads_the_application_anew(server):
    server.write("app.py", VERSIONED.replace('"?"', '"old"'))
    server.start()
    assert server.get("/").body == b"old"
    server.write("app.py", VERSIONED.replace('"?"', '"renewed"'))
    server.send_signal(signal.SIGHUP)
    eventually(lambda: server.get("/").body == b"renewed", "the new application serves")


@pytest.mark.parametrize("broken", ["workers = = 2\n", "workers = 'many'\n", "import nowhere_\n"])
def test_hup_with_a_broken_config_file_keeps_the_old_one(server, broken):
    server.start(PLAIN, config="workers = 1\n")
    before = server.get("/pid").body
    server.write("server.conf.py", broken)
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("The reload is given up")
    assert "server.conf.py" in server.log
    assert server.get("/pid").body == before


def test_hup_with_a_broken_application_keeps_the_old_workers(server):
    server.write("app.py", VERSIONED.replace('"?"', '"old"'))
    server.start()
    assert server.get("/").body == b"old"
    server.write("app.py", "raise RuntimeError('broken on purpose')\n")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("RuntimeError: broken on purpose")
    for _ in range(5):
        assert server.get("/").body == b"old"
    server.write("app.py", VERSIONED.replace('"?"', '"mended"'))
    server.send_signal(signal.SIGHUP)
    eventually(lambda: server.get("/").body == b"mended", "the mended application serves")


def ask_anew(server, stop, outcomes):
    """Ask on a new connection each time."""
    while not stop.is_set():
        outcomes.append(server.get("/hello").status)


def ask_on(server, stop, outcomes):
    """Keep each connection until the server says that it will be closed."""
    while not stop.is_set():
        with server.connect() as client:
            kept = True
            while kept and not stop.is_set():
                reply = client.get("/hello")
                outcomes.append(reply.status)
                kept = reply.header("Connection") != "close"


@pytest.mark.parametrize("ask", [ask_anew, ask_on])
@pytest.mark.parametrize("worker_class", ["sync", "gthread"])
def test_hup_loses_no_request(server, worker_class, ask):
    server.start(PLAIN, "-w", "2", "-k", worker_class, config=READY)
    wait_until_ready(server, 2)
    stop = threading.Event()
    outcomes = []

    def run():
        try:
            ask(server, stop, outcomes)
        except Exception as error:  # what it was is shown by the assertion
            outcomes.append(repr(error))

    askers = [threading.Thread(target=run) for _ in range(4)]
    for asker in askers:
        asker.start()
    for round_number in range(1, 6):
        server.send_signal(signal.SIGHUP)
        wait_until_ready(server, 2 + 2 * round_number)
    stop.set()
    for asker in askers:
        asker.join()
    assert set(outcomes) == {200}


def test_hup_moves_to_a_new_address(server):
    first, second = server.folder / "first.sock", server.folder / "second.sock"
    server.write("server.conf.py", f'bind = "unix:{first}"\n')
    server.spawn("-c", "server.conf.py", PLAIN)
    server.wait_for_log("Listening at: ")
    assert Client(str(first)).get("/hello").status == 200
    server.write("server.conf.py", f'bind = "unix:{second}"\n')
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("Listening at: ", 2)
    assert Client(str(second)).get("/hello").status == 200
    eventually(lambda: not first.exists(), "the old socket is gone")


# Preloading.


COUNTER = """
    import os
    LOADED_BY = os.getpid()
    def application(environ, start_response):
        start_response("200 OK", [])
        return [f"{LOADED_BY} {os.getpid()}".encode()]
"""


@pytest.mark.parametrize(("arguments", "shared"), [([], False), (["--preload"], True)])
def test_preload_loads_the_application_once_in_the_arbiter(server, arguments, shared):
    server.write("app.py", COUNTER)
    server.start("app:application", "-w", "2", *arguments)
    loaded_by, served_by = map(int, server.get("/").body.split())
    assert served_by != server.pid
    assert loaded_by == (server.pid if shared else served_by)


# Codes.


@pytest.mark.parametrize(
    ("app", "source", "code"),
    [
        ("app:application", "raise RuntimeError('cannot boot')", 3),
        ("app:application", "import not_there_at_all_", 3),
        ("nowhere_:application", "", 4),
        ("app:nothing", "application = None", 4),
        ("app:application", "application = 5", 4),
    ],
)
def test_a_site_that_never_boots_ends_the_server(server, app, source, code):
    server.write("app.py", source + "\n")
    server.spawn("-b", "127.0.0.1:0", "-w", "2", app)
    assert server.wait() == code
    assert server.log.count("Traceback") <= 2


def test_a_preloaded_site_that_does_not_load_ends_the_server(server):
    server.write("app.py", "raise RuntimeError('cannot boot')\n")
    server.spawn("-b", "127.0.0.1:0", "--preload", "app:application")
    assert server.wait() in (1, 3)
    assert "RuntimeError: cannot boot" in server.log


# The pidfile.


def test_the_pidfile_holds_the_arbiters_pid_and_goes_with_it(server):
    server.start(PLAIN, "-p", "server.pid")
    pidfile = server.folder / "server.pid"
    assert pidfile.read_text() == f"{server.pid}\n"
    server.stop()
    assert not pidfile.exists()


def test_a_pidfile_of_a_living_process_is_refused(server):
    pidfile = server.write("server.pid", f"{os.getpid()}\n")
    server.spawn("-b", "127.0.0.1:0", "-p", str(pidfile), PLAIN)
    assert server.wait() == 1
    assert str(pidfile) in server.log
    assert pidfile.read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("content", ["", "999999999\n", "not a number\n"])
def test_a_stale_pidfile_is_taken_over(server, content):
    pidfile = server.write("server.pid", content)
    server.start(PLAIN, "-p", str(pidfile))
    assert pidfile.read_text() == f"{server.pid}\n"


# What hooks start in the arbiter.


GREENLETS = """
            from gevent import monkey
            monkey.patch_all()
"""


@pytest.mark.parametrize("patches", ["", GREENLETS], ids=["threads", "greenlets"])
def test_threads_of_the_config_file_run_on_while_the_arbiter_sleeps(server, patches):
    config = """
            import threading, time
            def tick():
                for count in range(1000):
                    with open("ticks", "w") as ticks:
                        ticks.write(str(count))
                    time.sleep(0.01)
            def when_ready(server):
                threading.Thread(target=tick, daemon=True).start()
    """
    server.start(PLAIN, config=patches + config)
    ticks = server.folder / "ticks"
    eventually(lambda: ticks.exists() and int(ticks.read_text() or 0) > 50, "it ticks on")
    server.send_signal(signal.SIGTTIN)
    pids(server, 2)


def test_a_subprocess_of_a_hook_is_the_hooks_own_to_wait_for(server):
    server.start(
        PLAIN,
        config="""
            import subprocess
            def when_ready(server):
                code = subprocess.run(["sh", "-c", "exit 5"]).returncode
                server.log.info("SUBPROCESS %s", code)
            def worker_ready(server, worker):
                code = subprocess.run(["sh", "-c", "exit 6"]).returncode
                server.log.info("SUBPROCESS %s", code)
        """,
    )
    server.wait_for_log("SUBPROCESS 5")
    server.wait_for_log("SUBPROCESS 6")
    assert server.get("/hello").status == 200


# What a reload that is given up leaves behind: nothing.


def test_a_reload_that_on_reload_refuses_leaves_the_logs_where_they_were(server):
    server.write("server.conf.py", "errorlog = 'old.log'\naccesslog = 'old.acc'\nworkers = 1\n")
    server.spawn("-c", "server.conf.py", "-b", "unix:s.sock", PLAIN)
    old = server.folder / "old.log"
    eventually(lambda: old.exists() and "Booting" in old.read_text(), "it serves")
    server.write(
        "server.conf.py",
        """
        errorlog = 'new.log'
        accesslog = 'new.acc'
        workers = 4
        bind = ["unix:s.sock", "unix:n.sock"]
        def on_reload(server): raise ValueError("no")
        """,
    )
    server.send_signal(signal.SIGHUP)
    eventually(lambda: "The reload is given up" in old.read_text(), "it is told in the old log")
    server.send_signal(signal.SIGUSR1)
    eventually(lambda: "Handling signal: usr1" in old.read_text(), "the old log is written to")
    assert not (server.folder / "n.sock").exists()


def test_a_system_exit_in_on_reload_ends_the_server_in_order(server):
    server.start(PLAIN, config="import sys\ndef on_reload(server): sys.exit(6)\n")
    server.send_signal(signal.SIGHUP)
    assert server.wait() == 6
    assert "Shutting down" in server.log


def test_hup_writes_a_pidfile_again_that_is_gone(server):
    server.start(PLAIN, "-p", "pid")
    path = server.folder / "pid"
    path.unlink()
    server.send_signal(signal.SIGHUP)
    eventually(path.exists, "the pidfile is back")
    assert path.read_text().strip() == str(server.pid)


def test_a_system_exit_in_drain_start_is_the_workers_code(server):
    server.start(
        PLAIN,
        config="""
        import sys
        def drain_start(worker): sys.exit(6)
        def child_exit(server, worker): server.log.info("CODE %s", worker.exitcode)
        """,
    )
    server.wait_for_log("Booting worker")
    eventually(server.workers, "there is a worker")
    server.get("/hello")
    os.kill(server.workers()[0], signal.SIGTERM)
    server.wait_for_log("CODE 6")


def test_a_worker_that_leaves_at_once_is_not_replaced_at_once(server):
    server.start(PLAIN, config="def post_worker_init(worker): worker.alive = False\n")
    server.wait_for_log("Booting worker")
    began = time.monotonic()
    count = server.log.count("Booting worker")
    server.wait_for_log("Booting worker", count=count + 3)
    # A quarter, a half, and a whole second.
    assert time.monotonic() - began > 1


# gevent at the top of the config file


def test_gthread_serves_and_stops_under_a_config_file_that_has_patched_everything(server):
    server.start(PLAIN, "--threads", "4", config="from gevent import monkey\nmonkey.patch_all()\n")
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()).request("/sleep/1") for _ in range(4)]
        began = time.monotonic()
        assert [client.reply().status for client in clients] == [200] * 4
        assert time.monotonic() - began < 3
    assert server.stop() == 0
