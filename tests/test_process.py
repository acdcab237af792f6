"""The process: whom it runs as, what it inherits, what it leaves behind."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.harness import eventually
from tests.harness.server import COMMAND, environment

PLAIN = "tests.apps.plain:application"

READY = """
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.id)
"""


# Groups.


def groups_of(pid):
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("Groups:"))
    return sorted(map(int, line.split()[1:]))


@pytest.fixture
def member():
    """A user that is in a group beside its own, for as long as the test runs."""
    assert os.getuid() == 0, "users can only be made by root: run this test as root"
    name = f"tricorn-{os.getpid()}"
    subprocess.run(["useradd", "--no-create-home", "--groups", "daemon", name], check=True)
    yield pwd.getpwnam(name)
    subprocess.run(["userdel", name], check=True)


@pytest.mark.parametrize(("arguments", "all_groups"), [([], False), (["--initgroups"], True)])
def test_a_worker_has_the_groups_of_its_user_where_that_is_wanted(
    member, server, arguments, all_groups
):
    as_member = ["-u", member.pw_name, "-g", str(member.pw_gid), *arguments]
    server.start("tests.apps.loaded:application", *as_member, config=READY)
    server.wait_for_log("WORKER READY")
    daemon = 1
    expected = sorted({member.pw_gid, daemon}) if all_groups else [member.pw_gid]
    assert groups_of(server.workers()[0]) == expected


@pytest.mark.parametrize(("arguments", "all_groups"), [([], False), (["--initgroups"], True)])
def test_a_user_alone_brings_its_own_groups_and_none_of_roots(
    member, server, arguments, all_groups
):
    server.start("tests.apps.loaded:application", "-u", member.pw_name, *arguments, config=READY)
    server.wait_for_log("WORKER READY")
    (worker,) = server.workers()
    daemon = 1
    expected = sorted({member.pw_gid, daemon}) if all_groups else [member.pw_gid]
    assert groups_of(worker) == expected
    assert os.stat(f"/proc/{worker}").st_uid == member.pw_uid
    assert identities(worker, "Gid") == {member.pw_gid}
    told = f"workers run in group {member.pw_gid}, that of user {member.pw_name}, and not in root's"
    assert server.log.count(told) == 1


def test_a_user_that_there_is_not_has_nobodys_group(server):
    assert os.getuid() == 0, "only root becomes another user: run this test as root"
    server.start(PLAIN, "--preload", "-u", "54321", config=READY)
    server.wait_for_log("WORKER READY")
    (worker,) = server.workers()
    assert identities(worker, "Uid") == {54321}
    assert identities(worker, "Gid") == {65534}
    assert groups_of(worker) == [65534]
    assert "workers run in group 65534, that of nobody, as there is no user 54321" in server.log


def test_roots_group_is_kept_where_it_is_named(server):
    assert os.getuid() == 0, "only root becomes another user: run this test as root"
    server.start(PLAIN, "--preload", "-u", "54321", "-g", "0", config=READY)
    server.wait_for_log("WORKER READY")
    (worker,) = server.workers()
    assert (identities(worker, "Gid"), groups_of(worker)) == ({0}, [0])
    assert "workers run in group" not in server.log


def identities(pid, kind):
    """The real, effective, saved and file system's user or group of a process."""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith(f"{kind}:"))
    return set(map(int, line.split()[1:]))


# What belongs to the workers' user.


@pytest.fixture
def place():
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_what_is_made_for_the_workers_user_is_usable_over_reloads_and_new_logs(
    member, server, place
):
    config = f"""
        user, group, umask, workers = {member.pw_name!r}, {member.pw_gid}, 0o077, 2
        bind = ["127.0.0.1:0", "unix:{place}/site.sock"]
        accesslog, errorlog = "{place}/access.log", "{place}/error.log"
        plugins, worker_tmp_dir = ["package:request-id"], "/dev/shm"
        def when_ready(server): print("Listening at:", server.LISTENERS[0], flush=True)
        def worker_ready(server, worker): print("WORKER READY", worker.id, flush=True)
        def log_reopen(process): print("OPENED", flush=True)
    """
    server.start("tests.apps.loaded:application", config=config, bind="")
    server.wait_for_log("WORKER READY", 2)
    assert server.get("/").header("X-Request-ID")
    # Mode and owner of the socket keep everybody else out.
    assert is_let_in(place / "site.sock", member.pw_uid)
    assert not is_let_in(place / "site.sock", pwd.getpwnam("nobody").pw_uid)
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("WORKER READY", 4)
    assert server.get("/").header("X-Request-ID"), "the plugin is loaded again"
    for name in ("access.log", "error.log"):
        (place / name).rename(place / f"{name}.1")
    server.send_signal(signal.SIGUSR1)
    server.wait_for_log("OPENED", 3)
    before = (place / "access.log.1").read_text()
    assert server.get("/?after").header("X-Request-ID")
    eventually(lambda: "/?after" in (place / "access.log").read_text(), "a line in the new file")
    assert (place / "access.log.1").read_text() == before
    assert (place / "access.log").stat().st_uid == member.pw_uid
    assert server.stop() == 0
    assert "Shutting down" in (place / "error.log").read_text()


def is_let_in(path, user):
    """Whether a process of this user may connect to a unix socket."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setuid(user)
            socket.socket(socket.AF_UNIX).connect(str(path))
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


# What the fork takes along, and what it does not.


def test_what_is_preloaded_is_hidden_from_the_garbage_collector_where_that_is_wanted(server):
    config = (
        READY
        + """
    import gc
    preload_app = True
    gc_freeze = True
    def post_fork(server, worker):
        worker.log.info("FROZEN %s", gc.get_freeze_count() > 1000)
    """
    )
    server.start(PLAIN, config=config)
    server.wait_for_log("FROZEN True")


def test_python_miscounts_no_threads_when_it_forks_for_a_server_that_is_nice(server):
    config = """
    import os
    os.nice(5)
    def show():
        with open("/proc/thread-self/comm") as name:
            print("FORKS AS", name.read(), end="", flush=True)
    os.register_at_fork(before=show)
    """
    server.start(PLAIN, config=READY + config, PYTHONWARNINGS="error")
    server.wait_for_log("WORKER READY")
    server.send_signal(signal.SIGTTIN)
    server.wait_for_log("WORKER READY", 2)
    # The interpreter counts threads in a line that it takes apart at spaces.
    assert server.log.count("FORKS AS gunicorn:-maste\n") == 2
    assert "multi-threaded" not in server.log
    assert Path(f"/proc/{server.pid}/comm").read_text() == "gunicorn: maste\n"


def test_threads_that_a_preloaded_application_has_started_are_named(server):
    server.write(
        "app.py",
        """
        import threading, time
        from tests.apps.plain import application
        threading.Thread(target=time.sleep, args=(600,), name="reporter", daemon=True).start()
        """,
    )
    server.start("app:application", "--preload", config=READY)
    line = next(line for line in server.log.splitlines() if "has started threads" in line)
    assert "reporter" in line
    assert "post_fork" in line


def test_a_worker_knows_its_id_before_the_application_is_loaded(server):
    server.write(
        "app.py",
        """
        import os
        ID = os.environ["TRICORN_WORKER_ID"]
        def application(environ, start_response):
            start_response("200 OK", [])
            return [ID.encode()]
        """,
    )
    server.start("app:application", "-w", "2", config=READY)
    server.wait_for_log("WORKER READY", 2)
    assert {server.get("/").text for _ in range(30)} <= {"1", "2"}
    assert "WORKER READY 1" in server.log
    assert "WORKER READY 2" in server.log


# Leaving.


def test_atexit_handlers_run_in_workers_and_in_the_arbiter(server):
    config = (
        READY
        + """
    import atexit, os
    def say():
        with open("left", "a") as left:
            left.write(f"{os.getpid()}\\n")
    atexit.register(say)
    """
    )
    server.start(PLAIN, config=config)
    server.wait_for_log("WORKER READY")
    everybody = {server.pid, *server.workers()}
    assert server.stop() == 0
    left = {int(line) for line in (server.folder / "left").read_text().split()}
    assert left == everybody


def test_signals_do_not_cut_short_what_a_worker_does_when_it_leaves(server):
    server.write(
        "app.py",
        """
        import os, time
        from tests.apps.plain import application
        class Connection:
            def __del__(self, os=os, time=time, pid=os.getpid()):
                os.mkdir("closing")
                while os.path.exists("closing"):
                    time.sleep(0.02)
                os.mkdir("closed")
        CONNECTION = Connection()
        """,
    )
    server.start("app:application", config=READY)
    server.wait_for_log("WORKER READY")
    server.send_signal(signal.SIGWINCH)
    closing = server.folder / "closing"
    eventually(closing.exists, "the worker takes its objects down")
    server.send_signal(signal.SIGUSR1)
    server.wait_for_log("Handling signal: usr1")
    (worker,) = server.workers()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(worker, number)
    closing.rmdir()
    eventually(lambda: not server.workers(), "the worker is gone")
    assert (server.folder / "closed").exists()
    assert "was killed" not in server.log


# In the background.


@pytest.mark.parametrize(("arguments", "kept"), [([], False), (["-R"], True)])
def test_a_daemon_keeps_redirected_output_where_that_is_wanted(server, arguments, kept):
    config = (
        READY
        + """
    def post_fork(server, worker):
        print("PRINTED", flush=True)
    """
    )
    server.write("server.conf.py", config)
    logs = ["-p", "server.pid", "--error-logfile", "errors.log"]
    server.spawn("-D", "-b", "127.0.0.1:0", "-c", "server.conf.py", *logs, *arguments, PLAIN)
    assert server.wait() == 0
    server.follow()
    errors = server.folder / "errors.log"
    eventually(lambda: "WORKER READY" in errors.read_text(), "it serves")
    assert ("PRINTED" in server.log) is kept


# PID 1.


def start_as_pid_1(server, config, *arguments):
    """Start a server in a space of processes of its own, and follow it."""
    server.write("server.conf.py", config)
    alone = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child=KILL"]
    with open(server.log_path, "ab") as log:
        server.process = subprocess.Popen(
            [*alone, *COMMAND, "-c", "server.conf.py", *arguments, PLAIN],
            cwd=server.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    server.wait_for_log("WORKER READY")
    (server.followed,) = server.workers()


def test_as_pid_1_it_waits_for_orphans_and_not_for_the_subprocesses_of_hooks(server):
    config = (
        READY
        + """
    import subprocess
    def when_ready(server):
        subprocess.run(["sh", "-c", "sh -c 'exec sleep 0.2' &"])
        server.log.info("HOOK'S %s", subprocess.run(["sh", "-c", "exit 5"]).returncode)
    """
    )
    start_as_pid_1(server, config, "-b", "unix:site.sock", "--log-level", "debug")
    assert "Listening at: unix:site.sock (1)" in server.log
    assert "HOOK'S 5" in server.log
    server.wait_for_log("An orphan")
    server.stop()


def test_as_pid_1_it_stays_beside_its_successor(server):
    start_as_pid_1(server, READY, "-b", "127.0.0.1:0", "-p", "server.pid")
    server.send_signal(signal.SIGUSR2)
    server.wait_for_log(") serves\n")
    assert (server.folder / "server.pid").read_text() == "1\n"
    assert (server.folder / "server.pid.2").exists()
    server.send_signal(signal.SIGWINCH)
    server.wait_for_log("Worker exiting")
    assert server.get("/hello").status == 200, "the successor serves alone"
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("WORKER READY", 3)
    server.stop()
