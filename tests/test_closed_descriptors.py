"""Descriptors of the server that somebody else has closed, and ends that none of them tells of."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.harness import eventually
from tests.harness.processes import alive

READY = """
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.pid)
"""

APP = """
    import os, socket, threading, time

    def application(environ, start_response):
        name = environ["PATH_INFO"].strip("/") or "hello"
        globals().get(name, lambda: None)()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(os.getpid()).encode()]

    def names():
        for name in os.listdir("/proc/self/fd"):
            try:
                yield int(name), os.readlink(f"/proc/self/fd/{name}")
            except OSError:
                pass

    def all():
        # Not before the answer has left: its connection is closed as well.
        def close():
            while not os.path.exists("answered"):
                time.sleep(0.01)
            os.closerange(3, 4096)
            os.close(os.open("closed", os.O_CREAT))
        threading.Thread(target=close, daemon=True).start()

    def epoll():
        [os.close(fd) for fd, name in names() if name == "anon_inode:[eventpoll]"]

    def pipes():
        [os.close(fd) for fd, name in names() if name.startswith("pipe:") and fd > 2]

    def listeners():
        for fd, name in names():
            if name.startswith("socket:"):
                with socket.socket(fileno=os.dup(fd)) as it:
                    if it.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                        os.close(fd)
"""


def start(server, *arguments, config=""):
    server.write("app.py", APP)
    server.start("app:application", "--timeout", "3", *arguments, config=READY + config)
    server.wait_for_log("WORKER READY")


@pytest.mark.parametrize("what", ["all", "epoll", "listeners"])
def test_a_worker_whose_descriptors_are_closed_ends_with_one_line(server, arguments, what):
    start(server, *arguments)
    (worker,) = server.workers()
    assert server.get(f"/{what}").text == str(worker)
    if what == "all":
        server.write("answered", "")
        eventually((server.folder / "closed").exists, "they are closed")
    # Whoever comes next has it notice.
    server.connect().close()
    server.wait_for_log("WORKER READY", 2)
    eventually(lambda: not alive(worker), "it is gone")
    lines = [line for line in server.log.splitlines() if "has closed" in line]
    assert len(lines) == 1, lines
    assert f"[{worker}]" in lines[0]
    assert server.get("/hello").status == 200
    assert server.stop() == 0


def test_a_worker_ends_with_its_arbiter_although_it_has_no_pipe_of_it(server, arguments):
    start(server, *arguments)
    (worker,) = server.workers()
    assert server.get("/pipes").text == str(worker)
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: not alive(worker), "it is gone")


def test_a_worker_ends_with_its_arbiter_although_a_child_holds_the_pipe(server, arguments):
    config = """
    import os, time
    def worker_ready(server, worker):
        if os.fork() == 0:
            while os.path.exists("hold"):
                time.sleep(0.02)
            os._exit(0)
        server.log.info("WORKER READY %s", worker.pid)
    """
    hold = server.write("hold", "")
    start(server, *arguments, config=config)
    (worker,) = [int(it) for it in re.findall(r"WORKER READY (\d+)", server.log)]
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: not alive(worker), "it is gone")
    assert "The arbiter is gone: stopping" in server.log
    hold.unlink()


def test_a_worker_that_has_a_handler_of_its_own_for_term_ends_with_its_arbiter(server, arguments):
    config = """
    import signal
    def post_worker_init(worker):
        signal.signal(signal.SIGTERM, lambda *_: None)
    """
    start(server, *arguments, config=config)
    (worker,) = server.workers()
    assert server.get("/pipes").text == str(worker)
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: not alive(worker), "it is gone")


def test_an_arbiter_whose_descriptors_are_closed_ends_with_one_line(server):
    config = """
    import os
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.pid)
        os.closerange(3, 4096)
    """
    start(server, config=config)
    (worker,) = [int(it) for it in re.findall(r"WORKER READY (\d+)", server.log)]
    assert server.wait() == 1
    eventually(lambda: not alive(worker), "its worker is gone")
    lines = [line for line in server.log.splitlines() if "has closed" in line]
    assert len(lines) == 1, server.log
    assert f"[{server.pid}]" in lines[0]
