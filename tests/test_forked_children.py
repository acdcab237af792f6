"""Children that the application forks: what they share with the server, and how they leave."""

from __future__ import annotations

import signal

import pytest

from tests.harness import eventually
from tests.harness.processes import alive

READY = """
    def worker_ready(server, worker):
        server.log.info("WORKER READY %s", worker.pid)
"""

#: Each path forks in another way, and the child comes back into the server in another.
FORKING = """
    import atexit, multiprocessing, os, sys, time, threading

    def note(text):
        line = f"{text} {os.getpid()}\\n".encode()
        file = os.open("notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line)
        os.close(file)

    atexit.register(note, "ATEXIT")
    HOLD = multiprocessing.get_context("fork")

    def hold():
        while os.path.exists("hold"):
            time.sleep(0.02)

    def application(environ, start_response):
        name = environ["PATH_INFO"].strip("/") or "hello"
        return globals()[name](environ, start_response)

    def answer(start_response, body, *headers):
        start_response("200 OK", [("Content-Type", "text/plain"), *headers])
        return [body]

    def hello(environ, start_response):
        return answer(start_response, str(os.getpid()).encode())

    def returns(environ, start_response):
        pid = os.fork()
        note("FORKED" if pid == 0 else "FORKER")
        if pid == 0:
            return answer(start_response, b"CHILD'S", ("Content-Length", "7"))
        return answer(start_response, b"PARENT'S", ("Content-Length", "8"))

    def raises(environ, start_response):
        if os.fork() == 0:
            note("FORKED")
            raise RuntimeError("RAISED IN THE CHILD")
        return answer(start_response, b"PARENT'S", ("Content-Length", "8"))

    def exits(environ, start_response):
        if os.fork() == 0:
            note("FORKED")
            print("PRINTED BY THE CHILD")
            sys.exit(7)
        return answer(start_response, b"PARENT'S", ("Content-Length", "8"))

    def yields(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"one "
        if os.fork() == 0:
            note("FORKED")
            yield b"CHILD'S "
        yield b"two"

    def writes(environ, start_response):
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        if os.fork() == 0:
            note("FORKED")
            write(b"CHILD'S")
        return [b"PARENT'S"]

    def closes(environ, start_response):
        class Answer(list):
            def close(self):
                if os.fork() == 0:
                    note("FORKED")
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "8")])
        return Answer([b"PARENT'S"])

    def lives_on(environ, start_response):
        if os.fork() == 0:
            note("FORKED")
            hold()
            return []
        start_response("200 OK", [("Content-Type", "text/plain"), ("Connection", "close")])
        return iter([b"PARENT'S"])

    def works(environ, start_response):
        child = HOLD.Process(target=note, args=("FORKED",))
        child.start()
        child.join()
        return answer(start_response, str(child.exitcode).encode())

    def terminates(environ, start_response):
        child = HOLD.Process(target=time.sleep, args=(600,))
        child.start()
        child.terminate()
        child.join()
        return answer(start_response, str(child.exitcode).encode())
"""


def notes(server, word):
    """Return the processes that have noted this word."""
    path = server.folder / "notes"
    lines = path.read_text().splitlines() if path.exists() else []
    return [int(line.split()[1]) for line in lines if line.startswith(word)]


def start(server, *arguments, config=""):
    server.write("app.py", FORKING)
    server.start("app:application", *arguments, config=READY + config)
    server.wait_for_log("WORKER READY")


def is_over(server):
    """Whether every child that was forked has left."""
    forked = notes(server, "FORKED")
    return forked and not any(alive(pid) for pid in forked)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("returns", "PARENT'S"),
        ("raises", "PARENT'S"),
        ("exits", "PARENT'S"),
        ("yields", "one two"),
        ("writes", "PARENT'S"),
        ("closes", "PARENT'S"),
        ("works", "0"),
        ("terminates", "-15"),
    ],
)
def test_a_child_that_comes_back_into_the_server_leaves_it_to_its_parent(
    server, arguments, path, body
):
    config = """
    accesslog = "access.log"
    def worker_exit(server, worker):
        import os
        print("WORKER EXIT", os.getpid(), flush=True)
    """
    start(server, *arguments, config=config)
    (worker,) = server.workers()
    with server.connect() as client:
        client.request(f"/{path}")
        assert client.reply().text == body
        if path != "terminates":
            eventually(lambda: is_over(server), "the child is gone")
    for _ in range(6):
        assert server.get("/hello").text == str(worker)
    assert server.stop() == 0
    assert notes(server, "ATEXIT") == [worker]
    assert server.log.count("WORKER EXIT") == 1
    lines = (server.folder / "access.log").read_text().splitlines()
    assert len(lines) == 7
    assert ("RAISED IN THE CHILD" in server.log) is (path == "raises")
    assert server.log.count("PRINTED BY THE CHILD") == (path == "exits")


def test_an_answer_ends_for_its_client_although_a_child_holds_the_connection(server, arguments):
    start(server, *arguments)
    server.write("hold", "")
    with server.connect() as client:
        client.send("GET /lives_on HTTP/1.0\r\n\r\n")
        assert client.reply().text == "PARENT'S"
        eventually(lambda: notes(server, "FORKED"), "a child")
    assert not is_over(server)
    (server.folder / "hold").unlink()
    eventually(lambda: is_over(server), "the child is gone")
    assert server.get("/hello").status == 200


def test_a_kept_connection_ends_with_its_worker_although_a_child_holds_it(server, arguments):
    start(server, *arguments, "--keep-alive", "60")
    server.write("hold", "")
    with server.connect() as kept:
        kept.request("/hello")
        assert kept.reply().status == 200
        with server.connect() as client:
            client.send("GET /lives_on HTTP/1.0\r\n\r\n")
            assert client.reply().text == "PARENT'S"
        server.send_signal(signal.SIGQUIT)
        assert kept.is_closed()
    (server.folder / "hold").unlink()
    eventually(lambda: is_over(server), "the child is gone")


def serving(server):
    """Return the one worker that is alive: a child that nobody has waited for is none."""
    (worker,) = [pid for pid in server.workers() if alive(pid)]
    return worker


@pytest.mark.parametrize(
    "hook", ["when_ready(server)", "pre_fork(server, worker)", "worker_ready(server, worker)"]
)
def test_a_child_that_comes_out_of_an_arbiters_hook_is_no_second_arbiter(server, hook):
    config = f"""
    import os
    def {hook}:
        if not os.path.exists("notes") and os.fork() == 0:
            with open("notes", "a") as notes:
                notes.write(f"FORKED {{os.getpid()}}\\n")
        while not os.path.exists("notes"):
            pass
    def on_exit(server):
        print("ON EXIT", flush=True)
    """
    server.write("app.py", FORKING)
    server.start("app:application", config=config)
    eventually(lambda: is_over(server), "the child is gone")
    assert server.get("/hello").text == str(serving(server))
    assert server.stop() == 0
    assert server.log.count("ON EXIT") == 1


@pytest.mark.parametrize(
    "hook",
    [
        "post_fork(server, worker)",
        "post_worker_init(worker)",
        "pre_request(worker, req)",
        "post_request(worker, req, environ, resp)",
    ],
)
def test_a_child_that_comes_out_of_a_workers_hook_is_no_second_worker(server, hook):
    config = f"""
    import os
    def {hook}:
        if not os.path.exists("notes") and os.fork() == 0:
            with open("notes", "a") as notes:
                notes.write(f"FORKED {{os.getpid()}}\\n")
        while not os.path.exists("notes"):
            pass
    """
    start(server, config=config)
    (worker,) = server.workers()
    assert server.get("/hello").text == str(worker)
    eventually(lambda: is_over(server), "the child is gone")
    assert {server.get("/hello").text for _ in range(6)} == {str(worker)}


@pytest.mark.parametrize("arguments", [["--preload"], []])
@pytest.mark.parametrize("end", ["pass", "sys.exit(5)", "raise RuntimeError('CHILD')"])
def test_a_child_that_is_forked_while_the_application_is_loaded_serves_nothing(
    server, arguments, end
):
    forks = f"""
    if not os.path.exists("notes") and os.fork() == 0:
        note("FORKED")
        {end}
    else:
        while not os.path.exists("notes"):
            time.sleep(0.01)
    """
    server.write("app.py", FORKING + forks)
    server.start("app:application", *arguments, config=READY)
    server.wait_for_log("WORKER READY")
    eventually(lambda: is_over(server), "the child is gone")
    assert {server.get("/hello").text for _ in range(6)} == {str(serving(server))}
    assert server.log.count("Listening at") == 1
    assert server.stop() == 0


def test_a_child_that_the_arbiter_forks_can_be_told_to_leave(server):
    config = """
    import multiprocessing, time
    def when_ready(server):
        server.helper = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
        server.helper.start()
        print("HELPER", server.helper.pid, flush=True)
    def on_exit(server):
        server.helper.terminate()
        server.helper.join()
        print("HELPER ENDED", server.helper.exitcode, flush=True)
    """
    start(server, config=config)
    assert server.stop() == 0
    assert "HELPER ENDED -15" in server.log


def test_what_was_printed_before_a_fork_is_printed_once(server):
    server.write(
        "app.py",
        FORKING
        + """
    def prints(environ, start_response):
        print("BEFORE THE FORK")
        if os.fork() == 0:
            note("FORKED")
            print("AFTER THE FORK")
            return []
        return answer(start_response, b"PARENT'S")
    """,
    )
    server.start("app:application", config=READY)
    server.wait_for_log("WORKER READY")
    assert server.get("/prints").text == "PARENT'S"
    eventually(lambda: is_over(server), "the child is gone")
    assert server.stop() == 0
    assert server.log.count("BEFORE THE FORK") == 1
    assert server.log.count("AFTER THE FORK") == 1


def test_what_a_child_logs_is_logged_while_other_threads_log_too(server):
    server.write(
        "app.py",
        FORKING
        + """
    import logging
    def logs(environ, start_response):
        if os.fork() == 0:
            note("FORKED")
            logging.getLogger("gunicorn.error").info("LOGGED BY A CHILD")
            return []
        return answer(start_response, b"PARENT'S")
    """,
    )
    server.start("app:application", "-k", "gthread", "--threads", "4", config=READY)
    server.wait_for_log("WORKER READY")
    for _ in range(5):
        assert server.get("/logs").text == "PARENT'S"
    eventually(lambda: len(notes(server, "FORKED")) == 5 and is_over(server), "they are gone")
    assert server.log.count("LOGGED BY A CHILD") == 5
