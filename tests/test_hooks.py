"""Hooks: in the right process and order, with the right objects, and what failing ones lead to."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.harness import eventually
from tests.harness.server import run

PLAIN = "tests.apps.plain:application"

#: A config file whose hooks each note a line: name, process, arguments.
RECORDER = """
    import os

    ARBITER = os.getpid()

    def note(name, *facts):
        where = "arbiter" if os.getpid() == ARBITER else "worker"
        with open("notes", "a") as notes:
            notes.write(" ".join([where, name, *map(str, facts)]) + "\\n")

    def on_starting(server): note("on_starting")
    def on_reload(server): note("on_reload")
    def when_ready(server): note("when_ready", len(server.WORKERS))
    def pre_fork(server, worker): note("pre_fork", worker.age, worker.pid)
    def post_fork(server, worker): note("post_fork", worker.age)
    def worker_init(worker): note("worker_init")
    def post_worker_init(worker): note("post_worker_init")
    def worker_int(worker): note("worker_int")
    def worker_abort(worker): note("worker_abort")
    def pre_request(worker, req): note("pre_request", req.method, req.path)
    def post_request(worker, req, environ, resp): note("post_request", resp.status_code)
    def child_exit(server, worker): note("child_exit", worker.age, worker.exit_cause)
    def worker_exit(server, worker): note("worker_exit", worker.age)
    def nworkers_changed(server, new, old): note("nworkers_changed", new, old)
    def on_exit(server): note("on_exit", len(server.WORKERS))
    def worker_ready(server, worker): note("worker_ready", worker.age)
    def drain_start(worker): note("drain_start")
    def log_reopen(thing): note("log_reopen", type(thing).__name__)
    def worker_timeout(server, worker): note("worker_timeout", worker.age)
    def request_error(worker, status, reason): note("request_error", status)
    def signal_received(server, number): note("signal_received", number)
    def response_start(worker, req, resp): note("response_start", resp.status)
"""


def notes(server, *without):
    """Return what the recorder has noted, but for some hooks."""
    path = server.folder / "notes"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if line.split()[1] not in without]


def wait_for_note(server, text, count=1):
    return eventually(lambda: sum(text in line for line in notes(server)) >= count, text)


def forget_notes(server):
    (server.folder / "notes").unlink()


BESIDES = ("worker_ready", "drain_start", "signal_received", "response_start")


def test_the_order_of_a_life_is_gunicorns(server):
    server.start(PLAIN, config=RECORDER)
    server.get("/hello")
    server.stop()
    assert notes(server, *BESIDES) == [
        "arbiter nworkers_changed 1 None",
        "arbiter on_starting",
        "arbiter when_ready 0",
        "arbiter pre_fork 1 [booting]",
        "worker post_fork 1",
        "worker worker_init",
        "worker post_worker_init",
        "worker pre_request GET /hello",
        "worker post_request 200",
        "worker worker_exit 1",
        "arbiter child_exit 1 asked",
        "arbiter on_exit 0",
    ]


def test_the_events_that_gunicorn_lacks_fire_too(server):
    server.start(PLAIN, config=RECORDER)
    server.get("/hello")
    with server.connect() as client:
        client.send("nonsense\r\n\r\n").reply()
    wait_for_note(server, "request_error 400")
    server.send_signal(signal.SIGUSR1)
    wait_for_note(server, "worker log_reopen SyncWorker")
    server.stop()
    seen = notes(server)
    assert "arbiter worker_ready 1" in seen
    assert "worker response_start 200 OK" in seen
    assert "worker drain_start" in seen
    assert "arbiter log_reopen Arbiter" in seen
    assert f"arbiter signal_received {int(signal.SIGTERM)}" in seen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_int_and_quit_fire_worker_int(server, number):
    server.start(PLAIN, config=RECORDER)
    wait_for_note(server, "post_worker_init")
    server.get("/hello")
    forget_notes(server)
    assert server.stop(number) == 0
    assert notes(server, *BESIDES) == [
        "worker worker_int",
        "worker worker_exit 1",
        "arbiter child_exit 1 asked",
        "arbiter on_exit 0",
    ]


def test_ttin_and_ttou(server):
    server.start(PLAIN, config=RECORDER)
    wait_for_note(server, "worker_ready")
    forget_notes(server)
    server.send_signal(signal.SIGTTIN)
    wait_for_note(server, "worker_ready")
    assert notes(server, *BESIDES) == [
        "arbiter nworkers_changed 2 1",
        "arbiter pre_fork 2 [booting]",
        "worker post_fork 2",
        "worker worker_init",
        "worker post_worker_init",
    ]
    forget_notes(server)
    server.send_signal(signal.SIGTTOU)
    wait_for_note(server, "child_exit")
    assert notes(server, *BESIDES) == [
        "arbiter nworkers_changed 1 2",
        "worker worker_exit 1",
        "arbiter child_exit 1 asked",
    ]


def test_hup(server):
    server.start(PLAIN, config=RECORDER)
    wait_for_note(server, "worker_ready")
    forget_notes(server)
    server.send_signal(signal.SIGHUP)
    wait_for_note(server, "child_exit")
    seen = notes(server, *BESIDES)
    assert seen[:3] == [
        "arbiter nworkers_changed 1 1",
        "arbiter on_reload",
        "arbiter pre_fork 2 [booting]",
    ]
    assert seen[-2:] == ["worker worker_exit 1", "arbiter child_exit 1 asked"]
    assert "worker post_worker_init" in seen


def test_a_time_out_fires_worker_abort_and_worker_exit(server):
    server.start(PLAIN, "-t", "1", config=RECORDER)
    with server.connect() as client:
        client.request("/sleep/30")
        wait_for_note(server, "child_exit")
        assert client.reply().status == 500
    seen = notes(server, *BESIDES, "pre_fork", "post_fork", "worker_init", "post_worker_init")
    start = seen.index("arbiter worker_timeout 1")
    assert seen[start:] == [
        "arbiter worker_timeout 1",
        "worker worker_abort",
        "worker post_request 500",
        "worker worker_exit 1",
        "arbiter child_exit 1 timeout",
    ]


def test_a_crash_fires_child_exit_only_and_tells_the_signal(server):
    server.start(
        PLAIN,
        config=RECORDER
        + """
    def child_exit(server, worker):
        note("child_exit", worker.exit_cause, worker.exit_signal, worker.exitcode)
""",
    )
    wait_for_note(server, "worker_ready")
    forget_notes(server)
    os.kill(server.workers()[0], signal.SIGKILL)
    wait_for_note(server, "child_exit")
    assert notes(server)[0] == "arbiter child_exit crash 9 None"


def test_post_request_fires_once_for_each_pre_request_however_the_request_ends(server):
    server.start(PLAIN, config=RECORDER)
    for target in ("/hello", "/raise", "/stream/3"):
        server.get(target)
    with server.connect() as client:
        client.request("/raise_late").rest()
    with server.connect() as client:
        client.request("/stream/10000")
    server.stop()
    seen = [line.split()[1] for line in notes(server)]
    assert seen.count("pre_request") == seen.count("post_request") == 5


# --- which handlers, in which order


def test_several_handlers_run_in_the_order_written_up_and_down(server):
    server.write("library.py", "def dotted(worker): print('dotted', flush=True)\n")
    server.start(
        PLAIN,
        config="""
            def first(worker): print("first", flush=True)
            def second(worker): print("second", flush=True)
            post_worker_init = [first, "library:dotted", second, "library.dotted"]
            worker_exit = [lambda s, w: print("exit 1", flush=True),
                           lambda s, w: print("exit 2", flush=True)]
        """,
    )
    server.get()
    server.stop()
    lines = [line for line in server.log.splitlines() if not line.startswith("[")]
    assert lines == ["first", "dotted", "second", "dotted", "exit 1", "exit 2"]


def test_libraries_and_the_command_line_add_handlers(server):
    server.write(
        "library.py",
        """
        import tricorn

        @tricorn.hook("post_worker_init", priority=-10)
        def early(worker): print("early", flush=True)

        @tricorn.hook("post_worker_init", name="late", after=["by_flag"])
        def late(worker): print("late", flush=True)

        @tricorn.hook("worker_exit")
        def leaving(server, worker): print("library leaves", flush=True)

        def by_flag(worker): print("flag", flush=True)
        """,
    )
    server.start(
        PLAIN,
        "--hook",
        "post_worker_init=library:by_flag",
        config="""
            import library
            def post_worker_init(worker): print("config", flush=True)
            def worker_exit(server, worker): print("config leaves", flush=True)
        """,
    )
    server.get()
    server.stop()
    lines = [line for line in server.log.splitlines() if not line.startswith("[")]
    assert lines == ["early", "config", "flag", "late", "config leaves", "library leaves"]


def test_hooks_list_shows_every_handler_with_its_place_and_reason(tmp_path):
    (tmp_path / "library.py").write_text(
        "import tricorn\n@tricorn.hook('pre_request', priority=-5)\ndef audit(worker, req): pass\n"
    )
    (tmp_path / "c.py").write_text(
        "import library\nloglevel = 'debug'\ndef pre_request(worker, req): pass\n"
    )
    listed = run(tmp_path, "hooks", "list", "-c", "c.py", "--hook", "on_exit=library:audit_missing")
    assert listed.returncode == 2
    assert "the module library has no audit_missing" in listed.stderr
    listed = run(tmp_path, "hooks", "list", "-c", "c.py")
    assert listed.returncode == 0
    section = listed.stdout.partition("\npre_request ")[2].partition("\npost_request")[0]
    lines = [line.strip() for line in section.splitlines()[1:]]
    assert lines == [
        "1. python library:audit  [@tricorn.hook in library] priority -5",
        "2. native log-request-line  [built in] in the order of sources",
        "3. python c.py:pre_request  [c.py] in the order of sources",
    ]
    assert "on_exit (all workers gone)\n  no handler" in listed.stdout


def test_handlers_that_go_round_in_a_circle_are_refused(tmp_path):
    (tmp_path / "library.py").write_text(
        "import tricorn\n"
        "@tricorn.hook('on_exit', name='a', before=['b'])\n"
        "def a(server): pass\n"
        "@tricorn.hook('on_exit', name='b', before=['a'])\n"
        "def b(server): pass\n"
    )
    (tmp_path / "c.py").write_text("import library\n")
    result = run(tmp_path, "-c", "c.py", PLAIN)
    assert result.returncode == 1
    assert "the handlers of on_exit go round in a circle: " in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("definition", "complaint"),
    [
        ("def post_fork(server): pass", "takes 1 positional arguments and is given 2"),
        ("def on_starting(a, b): pass", "takes 2 positional arguments and is given 1"),
        ("def on_exit(*args): pass", "takes 0 positional arguments"),
        ("post_request = lambda worker: None", "let it take (worker, req, environ, resp)"),
        ("pre_request = 3", "3 is not callable"),
        ("pre_request = 'nowhere:at_all'", "'nowhere:at_all' cannot be imported"),
        ("pre_request = 'os:nothing'", "the module os has no nothing"),
        ("ssl_context = lambda config: None", "let it take (config, default_factory)"),
    ],
)
def test_a_handler_that_cannot_be_called_is_one_clear_line(tmp_path, definition, complaint):
    (tmp_path / "c.py").write_text(definition + "\n")
    result = run(tmp_path, "-c", "c.py", PLAIN)
    assert result.returncode == 1
    assert complaint in result.stderr, result.stderr
    assert definition.split()[0] if "=" in definition else True
    assert "c.py" in result.stderr
    assert result.stderr.count("\n") == 1, result.stderr


def test_signatures_that_gunicorn_takes_are_taken(server):
    server.start(
        PLAIN,
        config="""
            import functools

            class Handler:
                def __call__(self, server): print("object", flush=True)
                def method(self, server, worker): print("method", flush=True)

            def three(extra, server, worker): print(extra, flush=True)
            def pre_request(worker, req, *, extra="keyword"): print(extra, flush=True)
            def two(worker, req): print("two", flush=True)
            def three_of_post(worker, req, environ): print(environ["PATH_INFO"], flush=True)
            post_request = [two, three_of_post]
            when_ready = Handler()
            pre_fork = Handler().method
            post_fork = functools.partial(three, "partial")
        """,
    )
    server.get("/hello")
    server.stop()
    lines = [line for line in server.log.splitlines() if not line.startswith("[")]
    assert lines == ["object", "method", "partial", "keyword", "two", "/hello"]


# --- what failing handlers lead to


def failing(hook, arguments):
    return f"""
    def {hook}({arguments}):
        raise RuntimeError("{hook} fails")
"""


@pytest.mark.parametrize("hook", ["on_starting", "when_ready"])
def test_a_failing_start_hook_refuses_the_start_and_leaves_nothing_behind(server, hook):
    config = f'bind = "unix:sock"\npidfile = "pid"\ndef {hook}(server): raise RuntimeError("no")\n'
    server.write("c.py", config)
    server.spawn("-c", "c.py", PLAIN)
    assert server.wait() == 1
    assert f"{hook} handler c.py:{hook} failed: RuntimeError: no" in server.log
    assert "Traceback" in server.log
    left = {path.name for path in server.folder.iterdir()} - {"__pycache__"}
    assert left == {"c.py", "server.log"}


@pytest.mark.parametrize(
    ("hook", "arguments"),
    [("post_fork", "server, worker"), ("worker_init", "worker"), ("post_worker_init", "worker")],
)
def test_a_failing_boot_hook_ends_the_server_with_3(server, hook, arguments):
    server.write("c.py", failing(hook, arguments))
    server.spawn("-c", "c.py", "-b", "127.0.0.1:0", "-w", "3", PLAIN)
    assert server.wait() == 3
    assert f"RuntimeError: {hook} fails" in server.log


def test_a_failing_pre_request_is_a_500_and_the_application_is_not_called(server):
    server.start(PLAIN, config=failing("pre_request", "worker, req"))
    with server.connect() as client:
        assert client.get("/hello").status == 500
    server.wait_for_log("pre_request handler server.conf.py:pre_request")
    assert "RuntimeError: pre_request fails" in server.log


@pytest.mark.parametrize(
    ("hook", "arguments"),
    [
        ("post_request", "worker, req"),
        ("child_exit", "server, worker"),
        ("worker_exit", "server, worker"),
        ("nworkers_changed", "server, new, old"),
        ("on_exit", "server"),
        ("worker_ready", "server, worker"),
        ("drain_start", "worker"),
        ("response_start", "worker, req, resp"),
        ("signal_received", "server, number"),
    ],
)
def test_a_failure_that_is_only_logged_changes_nothing(server, hook, arguments):
    server.start(PLAIN, config=failing(hook, arguments))
    assert server.get("/hello").body == b"hello"
    assert server.stop() == 0
    assert f"RuntimeError: {hook} fails" in server.log


def test_a_failing_pre_fork_is_tried_again(server):
    server.start(
        PLAIN,
        config="""
            tries = []
            def pre_fork(server, worker):
                tries.append(1)
                if len(tries) < 3:
                    raise RuntimeError("not yet")
        """,
    )
    assert server.get("/hello").status == 200
    failures = [line for line in server.log.splitlines() if "server.conf.py:pre_fork" in line]
    assert len(failures) == 2, server.log


def test_a_failing_on_reload_keeps_the_old_workers(server):
    server.start(PLAIN, config=failing("on_reload", "server"))
    pid = server.get("/pid").body
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("The reload is given up")
    assert server.get("/pid").body == pid


@pytest.mark.parametrize(
    ("hook", "arguments"),
    [("on_starting", "server"), ("when_ready", "server"), ("worker_ready", "server, worker")],
)
def test_system_exit_in_the_arbiter_ends_the_server_with_its_code(server, hook, arguments):
    server.write("c.py", f"def {hook}({arguments}): raise SystemExit(7)\n")
    server.spawn("-c", "c.py", "-b", "127.0.0.1:0", PLAIN)
    assert server.wait() == 7
    assert not server.workers()


def test_system_exit_in_a_worker_ends_that_worker(server):
    server.start(PLAIN, config='def post_request(worker, req): raise SystemExit("bye")')
    first = server.get("/pid").body
    second = server.get("/pid").body
    assert first != second
    server.wait_for_log(f"Worker exiting (pid: {first.decode()})")


# --- the objects


def test_what_a_hook_puts_on_an_object_is_there_at_later_hooks_of_the_process(server):
    server.start(
        PLAIN,
        config="""
            def on_starting(server): server.mine = "set in on_starting"
            def pre_fork(server, worker): worker.tag = f"worker {worker.age}"
            def post_fork(server, worker): print(server.mine, worker.tag, flush=True)
            def pre_request(worker, req): req.tag = worker.tag
            def response_start(worker, req, resp): resp.tag = req.tag
            def post_request(worker, req, environ, resp): print("resp", resp.tag, flush=True)
            def child_exit(server, worker): print("child", worker.tag, flush=True)
        """,
    )
    server.get("/hello")
    server.stop()
    lines = [line for line in server.log.splitlines() if not line.startswith("[")]
    assert lines == ["set in on_starting worker 1", "resp worker 1", "child worker 1"]


def test_a_request_has_the_attributes_of_gunicorns(server):
    server.start(
        PLAIN,
        config="""
            import json
            def pre_request(worker, req):
                print("REQ", json.dumps({
                    "method": req.method, "uri": req.uri, "path": req.path, "query": req.query,
                    "fragment": req.fragment, "version": req.version, "headers": req.headers,
                    "scheme": req.scheme, "number": req.req_number, "trailers": req.trailers,
                    "remote": req.remote_addr[0], "peer": req.peer_addr[0],
                    "proxy": req.proxy_protocol_info, "close": req.should_close(),
                    "workers": req.cfg.workers,
                }), flush=True)
        """,
    )
    server.get("/hello%20x/?a=b", "X-Small: v", method="GET")
    line = server.wait_for_log("REQ ").partition("REQ ")[2].splitlines()[0]
    assert json.loads(line) == {
        "method": "GET",
        "uri": "/hello%20x/?a=b",
        "path": "/hello%20x/",
        "query": "a=b",
        "fragment": "",
        "version": [1, 1],
        "headers": [["HOST", "test.example"], ["X-SMALL", "v"]],
        "scheme": "http",
        "number": 1,
        "trailers": [],
        "remote": "127.0.0.1",
        "peer": "127.0.0.1",
        "proxy": None,
        "close": False,
        "workers": 1,
    }


def test_what_pre_request_changes_reaches_the_application(server):
    server.start(
        PLAIN,
        config="""
            def pre_request(worker, req):
                req.headers.append(("X-ADDED", "by the hook"))
                req.headers[:] = [pair for pair in req.headers if pair[0] != "X-SECRET"]
                req.path = "/env/changed"
        """,
    )
    reply = server.get("/hello", "X-Secret: s", "Content-Type: a/b")
    environ = json.loads(reply.body)
    assert environ["HTTP_X_ADDED"] == "by the hook"
    assert "HTTP_X_SECRET" not in environ
    assert environ["CONTENT_TYPE"] == "a/b"
    assert environ["PATH_INFO"] == "/env/changed"


def test_a_response_has_the_attributes_of_gunicorns(server):
    server.start(
        PLAIN,
        config="""
            import json
            def post_request(worker, req, environ, resp):
                print("RESP", json.dumps({
                    "status": resp.status, "code": resp.status_code, "sent": resp.sent,
                    "length": resp.response_length, "headers": resp.headers,
                    "headers_sent": resp.headers_sent, "chunked": resp.chunked,
                    "close": resp.must_close, "path": environ["PATH_INFO"],
                    "same": resp.req is req,
                }), flush=True)
        """,
    )
    server.get("/hello")
    line = server.wait_for_log("RESP ").partition("RESP ")[2].splitlines()[0]
    assert json.loads(line) == {
        "status": "200 OK",
        "code": 200,
        "sent": 5,
        "length": 5,
        "headers": [["Content-Type", "text/plain"], ["Content-Length", "5"]],
        "headers_sent": True,
        "chunked": False,
        "close": False,
        "path": "/hello",
        "same": True,
    }


def test_response_start_can_change_the_head(server):
    server.start(
        PLAIN,
        config="""
            def response_start(worker, req, resp):
                resp.status = "201 Made"
                resp.headers.append(("X-Added", "by the hook"))
        """,
    )
    for target in ("/hello", "/stream/1"):
        reply = server.get(target)
        assert (reply.status, reply.reason) == (201, "Made")
        assert reply.header("X-Added") == "by the hook"


def test_the_arbiter_object_has_what_hooks_use(server):
    server.start(
        PLAIN,
        "-w",
        "2",
        "-n",
        "my site",
        config="""
            def when_ready(server):
                server.log.info("ready %s %s", server.pid, server.num_workers)
                server.log.warning("a %(kind)s warning", {"kind": "formatted"})
                print("ADDRESS", server.address, server.LISTENERS[0], flush=True)
                cfg = server.cfg
                print("CFG", cfg.workers, cfg.proc_name, cfg.timeout,
                      cfg.settings["backlog"].value, callable(cfg.pre_fork), flush=True)

            def worker_ready(server, worker):
                print("WORKERS", worker.pid in server.WORKERS, flush=True)
        """,
    )
    server.wait_for_log("WORKERS True", 2)
    assert f"[INFO] ready {server.pid} 2" in server.log
    assert "[WARNING] a formatted warning" in server.log
    assert f"ADDRESS [('127.0.0.1', 0)] {server.url}" in server.log
    assert "CFG 2 my site 30 2048 True" in server.log


def test_hooks_can_steer_the_server(server):
    server.start(
        PLAIN,
        config="""
            import signal

            def worker_ready(server, worker):
                if worker.age == 1:
                    server.num_workers = 2
                if worker.age == 2:
                    server.kill_worker(min(server.WORKERS), signal.SIGTERM)
        """,
    )
    server.wait_for_log("Booting worker with pid", 3)
    assert len(eventually(lambda: len(server.workers()) == 2 and server.workers())) == 2


def test_worker_alive_set_to_false_stops_it_gracefully(server):
    server.start(
        PLAIN,
        config="""
            def post_request(worker, req):
                print("served", worker.nr, flush=True)
                if worker.nr == 3:
                    worker.alive = False
        """,
    )
    first = {server.get("/pid").body for _ in range(3)}
    assert len(first) == 1
    # What stands in the queue at that moment, the leaving worker still answers.
    eventually(lambda: server.get("/pid").body not in first, "a new worker serves")
    assert "served 3" in server.log


def test_the_application_can_be_wrapped_in_post_worker_init(server):
    server.start(
        PLAIN,
        config="""
            def post_worker_init(worker):
                inner = worker.wsgi
                def wrapped(environ, start_response):
                    environ["PATH_INFO"] = "/hello"
                    return inner(environ, start_response)
                worker.wsgi = wrapped
        """,
    )
    assert server.get("/nowhere").body == b"hello"


def test_threads_that_a_hook_starts_in_the_arbiter_go_on_running(server):
    server.start(
        PLAIN,
        config="""
            import threading, time

            def when_ready(server):
                def tick():
                    for number in range(1000):
                        with open("ticks", "a") as file:
                            file.write("tick\\n")
                        time.sleep(0.01)
                threading.Thread(target=tick, daemon=True).start()
        """,
    )
    ticks = server.folder / "ticks"
    eventually(lambda: ticks.exists() and ticks.read_text().count("tick") > 20)


def test_subprocesses_of_hooks_are_theirs_to_wait_for(server):
    server.start(
        PLAIN,
        config="""
            import subprocess

            def when_ready(server):
                server.child = subprocess.Popen(["sh", "-c", "exit 5"])

            def worker_ready(server, worker):
                print("child exited with", server.child.wait(), flush=True)
        """,
    )
    server.wait_for_log("child exited with 5")


def test_worker_ids_are_small_and_given_again(server):
    server.start(PLAIN, "-w", "2")
    server.wait_for_log("Booting worker with pid", 2)
    ids = {server.get("/id").body for _ in range(20)}
    assert ids <= {b"1", b"2"}
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_for_log("Booting worker with pid", 3)
    assert {server.get("/id").body for _ in range(20)} <= {b"1", b"2"}


def test_the_traceback_of_a_hook_has_its_lines_wherever_the_server_works(server):
    server.write("elsewhere/app.py", "from tests.apps.plain import application\n")
    config = """
        chdir = "elsewhere"

        def post_request(worker, req):
            raise ValueError("on purpose")  # this very line
    """
    server.start("app:application", config=config)
    assert server.get("/hello").status == 200
    server.wait_for_log('raise ValueError("on purpose")  # this very line')
    assert f'File "{server.folder}/server.conf.py", line ' in server.log
