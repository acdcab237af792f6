"""What the log says of a worker that gives no sign of life."""

from __future__ import annotations

import os
import re
import signal

from tests.harness import eventually

HANG = """
    import threading, time

    def in_python():
        print("begun", flush=True)
        while True:
            time.sleep(0.05)

    def in_c():
        # The lock of the interpreter is held meanwhile, and signals are not looked at.
        sum(range(10**13))

    def beside():
        threading.Event().wait()

    def application(environ, start_response):
        if environ["PATH_INFO"] != "/quick":
            threading.Thread(target=beside, daemon=True).start()
            globals()["in_" + environ["PATH_INFO"].strip("/").split("/")[0]]()
        start_response("200 OK", [])
        return [b"quick"]
"""

ABORT = """
    timeout = 1
    abort_grace = 1

    def worker_abort(worker):
        print("worker_abort ran", flush=True)
"""


def hang(server, where, *arguments):
    server.write("app.py", HANG)
    server.start("app:application", *arguments, config=ABORT)
    client = server.connect()
    client.request(f"/{where}/page?a=b")
    return client


def test_a_time_out_is_explained_with_the_request_and_all_stacks(server):
    with hang(server, "python", "--threads", "1"):
        text = server.wait_for_log("worker_abort ran")
    assert re.search(r"\[CRITICAL\] WORKER TIMEOUT \(pid:\d+\)", text)
    assert re.search(r"Worker 1 \(pid \d+\) has given no sign of life for [1-9]\.\d s", text)
    assert re.search(r"it runs GET /python/page\?a=b from 127\.0\.0\.1, for [1-9]\.\d s", text)
    assert re.search(r'File ".*app\.py", line \d+ in in_python', text)
    assert re.search(r'File ".*app\.py", line \d+ in beside', text)
    report, hook = text.index("it runs GET"), text.index("worker_abort ran")
    assert report < hook, "the stacks are those of the request, not of the hook"
    eventually(lambda: server.get("/quick").status == 200, "a new worker serves")


def test_a_time_out_inside_c_code_that_holds_the_interpreter_is_explained_too(server):
    with hang(server, "c"):
        text = server.wait_for_log("in in_c")
        server.wait_for_log("was killed by SIGKILL")
    assert re.search(r"it runs GET /c/page\?a=b from 127\.0\.0\.1", text)
    assert re.search(r'File ".*app\.py", line \d+ in in_c', text)
    eventually(lambda: server.get("/quick").status == 200, "a new worker serves")


def test_a_worker_that_was_stopped_says_nothing_and_that_is_said(server):
    with hang(server, "python", "--threads", "1"):
        server.wait_for_log("begun")
        os.kill(server.workers()[0], signal.SIGSTOP)
        server.wait_for_log("it does not say where its threads are")
        server.wait_for_log("was killed by SIGKILL")
