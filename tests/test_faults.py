"""A script of faults: whatever goes wrong, the service is there afterwards, and can be stopped."""

from __future__ import annotations

import os
import resource
import signal
import subprocess

import pytest

from tests.harness import eventually
from tests.harness.processes import alive
from tests.harness.server import COMMAND, environment

SITE = """
    import os, time
    def application(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/exit":
            os._exit(7)
        if path == "/raise":
            raise RuntimeError("raised on purpose")
        if path == "/sleep":
            time.sleep(float(environ["QUERY_STRING"]))
        start_response("200 OK", [])
        return [str(os.getpid()).encode()]
"""

READY = """
    import os
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.pid)
"""


@pytest.fixture
def site(server):
    """Start a server with two workers."""

    def start(*arguments, config="", **options):
        server.write("app.py", SITE)
        given = ["-w", "2", "--timeout", "2", "--abort-grace", "1", *arguments]
        server.start("app:application", *given, config=READY + config, **options)
        server.wait_for_log("WORKER READY", 2)
        return server

    return start


def must_hold(server, workers=2):
    """The service is there, with its workers, and can be stopped in order."""
    eventually(lambda: server.get("/").status == 200, "it serves")
    eventually(lambda: len(server.workers()) == workers, f"{workers} workers")
    assert server.stop() == 0
    assert "panicked" not in server.log
    assert server.workers() == []


# Files.


def test_the_pidfile_is_gone(site):
    server = site("-p", "server.pid")
    (server.folder / "server.pid").unlink()
    must_hold(server)


def test_the_pidfile_is_somebody_elses(site):
    server = site("-p", "server.pid")
    (server.folder / "server.pid").write_text("1\n")
    must_hold(server)
    assert (server.folder / "server.pid").read_text() == "1\n"


def test_the_file_of_the_socket_is_gone(site):
    server = site("-b", "unix:site.sock")
    (server.folder / "site.sock").unlink()
    must_hold(server)


def test_the_access_log_is_taken_away(site):
    server = site("--access-logfile", "access.log")
    (server.folder / "access.log").unlink()
    assert server.get("/").status == 200
    server.send_signal(signal.SIGUSR1)
    eventually((server.folder / "access.log").exists, "it is opened again")
    must_hold(server)


@pytest.mark.parametrize("log", ["--access-logfile", "--statsd-host"])
def test_what_is_logged_goes_nowhere(site, log):
    place = "/dev/full" if log == "--access-logfile" else "127.0.0.1:9"
    must_hold(site(log, place))


def test_the_disk_of_the_error_log_is_full(server):
    server.write("app.py", SITE)
    told_elsewhere = """
        errorlog, workers = "/dev/full", 2
        def when_ready(server): print("Listening at:", server.LISTENERS[0], flush=True)
        def worker_ready(server, worker): print("WORKER READY", worker.pid, flush=True)
    """
    server.start("app:application", config=told_elsewhere)
    server.wait_for_log("WORKER READY", 2)
    assert server.get("/raise").status == 500, "what cannot be logged is answered"
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_for_log("WORKER READY", 3)
    must_hold(server)


# Limits.


def test_a_worker_has_no_descriptors_left(site):
    server = site()
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in server.workers()}
    for pid, (_, hard) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (4, hard))
    with server.connect() as waiting:
        waiting.request("/")
        server.wait_for_log("cannot accept connections")
        for pid, limit in limits.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
        assert waiting.reply().status == 200
    must_hold(server)


def test_the_arbiter_has_no_descriptors_left(site):
    server = site()
    soft, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (4, hard))
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_for_log("cannot fork a worker")
    assert server.get("/").status == 200
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (soft, hard))
    must_hold(server)


def test_no_process_can_be_forked_for_a_while(site):
    config = """
    import errno
    real_fork, failures = os.fork, iter([True, True])
    def fork():
        if os.path.exists("no forks") and next(failures, False):
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return real_fork()
    os.fork = fork
    """
    server = site(config=config)
    server.write("no forks", "")
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_for_log("cannot fork a worker", 2)
    must_hold(server)


# Processes that stand still, or die.


def test_the_arbiter_is_stopped_and_goes_on(site):
    server = site()
    os.kill(server.pid, signal.SIGSTOP)
    assert server.get("/").status == 200, "the workers serve on"
    os.kill(server.pid, signal.SIGCONT)
    must_hold(server)


def test_a_worker_is_stopped_and_goes_on(site):
    server = site()
    before = server.workers()
    os.kill(before[0], signal.SIGSTOP)
    os.kill(before[0], signal.SIGCONT)
    assert server.get("/").status == 200
    assert server.workers() == before
    must_hold(server)


def test_a_worker_is_stopped_for_good(site):
    server = site()
    victim = server.workers()[0]
    os.kill(victim, signal.SIGSTOP)
    server.wait_for_log(f"WORKER TIMEOUT (pid:{victim})")
    server.wait_for_log("WORKER READY", 3)
    must_hold(server)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGPIPE])
def test_a_worker_gets_a_signal(site, number):
    server = site()
    os.kill(server.workers()[0], number)
    must_hold(server)


def test_a_worker_leaves_in_the_middle_of_a_request(site):
    server = site()
    with server.connect() as client:
        client.request("/exit")
        assert client.is_closed()
    must_hold(server)


def test_all_workers_are_killed_at_once(site):
    server = site()
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    server.wait_for_log("WORKER READY", 4)
    must_hold(server)


def test_a_worker_that_boots_is_killed(site):
    server = site()
    server.write("app.py", "import os\nif os.path.exists('trap'): os.kill(os.getpid(), 9)\n")
    with open(server.folder / "app.py", "a") as app:
        app.write("from tests.apps.plain import application\n")
    trap = server.write("trap", "")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("was killed by SIGKILL (crash)", 2)
    trap.unlink()
    server.wait_for_log("WORKER READY", 4)
    must_hold(server)


def test_the_arbiter_is_killed(site):
    server = site()
    workers = server.workers()
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: not any(map(alive, workers)), "the workers leave")


# The operator.


@pytest.mark.parametrize("broken", ["workers = = 2\n", "raise SystemExit(3)\n", "workers = -1\n"])
def test_the_configuration_is_broken_at_a_reload(site, broken):
    server = site()
    server.write("server.conf.py", broken)
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("The reload is given up")
    must_hold(server)


def test_the_configuration_is_gone_at_a_reload(site):
    server = site()
    (server.folder / "server.conf.py").unlink()
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("The reload is given up")
    must_hold(server)


def test_the_application_is_broken_at_a_reload(site):
    server = site()
    server.write("app.py", "import nothing_like_this\n")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("nothing_like_this")
    must_hold_with_those_that_boot(server)


def must_hold_with_those_that_boot(server):
    """The old workers serve; new ones are tried again."""
    for _ in range(5):
        assert server.get("/").status == 200
    assert server.stop() == 0
    assert "panicked" not in server.log


def test_reloads_come_in_a_flood(site):
    server = site()
    for _ in range(20):
        server.send_signal(signal.SIGHUP)
    server.wait_for_log("WORKER READY", 4)
    must_hold(server)


# Hooks that fail. Each raises when it is called.

FAILING = """
    def {name}({arguments}):
        raise RuntimeError("{name} fails")
"""

REQUESTS = {
    "pre_request": ("worker, req", 500),
    "post_request": ("worker, req, environ, resp", 200),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_hook_of_requests_fails(site, name):
    arguments, status = REQUESTS[name]
    server = site(config=FAILING.format(name=name, arguments=arguments))
    for _ in range(3):
        assert server.get("/").status == status
    assert f"RuntimeError: {name} fails" in server.log
    eventually(lambda: len(server.workers()) == 2, "two workers")
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("child_exit", "server, worker"),
        ("worker_exit", "server, worker"),
        ("worker_int", "worker"),
        ("nworkers_changed", "server, new, old"),
        ("signal_received", "server, number"),
        ("drain_start", "worker"),
        ("log_reopen", "subject"),
        ("on_exit", "server"),
    ],
)
def test_a_hook_of_the_servers_life_fails(site, name, arguments):
    server = site(config=FAILING.format(name=name, arguments=arguments))
    for number in (signal.SIGUSR1, signal.SIGTTIN, signal.SIGTTOU, signal.SIGHUP):
        server.send_signal(number)
    server.wait_for_log("WORKER READY", 4)
    eventually(lambda: len(server.workers()) == 2, "two workers")
    os.kill(server.workers()[0], signal.SIGQUIT)
    server.wait_for_log("WORKER READY", 5)
    must_hold(server)
    assert f"RuntimeError: {name} fails" in server.log


@pytest.mark.parametrize("name", ["pre_fork", "post_fork"])
def test_a_hook_of_the_fork_fails_for_a_while(site, name):
    config = f"""
    def {name}(server, worker):
        if os.path.exists("trouble"):
            raise RuntimeError("{name} fails")
    """
    server = site(config=config)
    mark = server.write("trouble", "")
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_for_log(f"{name} fails", 2)
    mark.unlink()
    must_hold(server)


def test_a_hooks_subprocess_is_waited_for_by_nobody(site):
    config = """
    import subprocess
    def when_ready(server):
        server.kept = [subprocess.Popen(["true"]) for _ in range(5)]
    """
    server = site(config=config)
    os.kill(server.workers()[-1], signal.SIGKILL)
    server.wait_for_log("WORKER READY", 3)
    assert server.get("/").status == 200
    assert server.stop() == 0


def test_a_hook_waits_for_every_child_there_is(site):
    config = """
    def child_exit(server, worker):
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
    """
    server = site(config=config)
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    server.wait_for_log("WORKER READY", 4)
    must_hold(server)


# The surroundings.


def test_nobody_reads_what_it_prints(server):
    """Its output goes to a pipe whose reader is gone."""
    server.write("app.py", SITE)
    server.write("server.conf.py", READY)
    reader, writer = os.pipe()
    server.process = subprocess.Popen(
        [*COMMAND, "-b", "unix:site.sock", "-p", "server.pid", "-w", "2", "app:application"],
        cwd=server.folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=writer,
    )
    os.close(writer)
    eventually(lambda: (server.folder / "site.sock").exists(), "it listens")
    os.close(reader)
    eventually(lambda: len(server.workers()) == 2, "two workers")
    os.kill(server.workers()[0], signal.SIGKILL)
    eventually(lambda: len(server.workers()) == 2, "two workers again")
    assert server.stop() == 0
