"""What config files and hooks that were written for gunicorn rely on."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests.harness import eventually
from tests.harness.server import COMMAND, environment, run

PLAIN = "tests.apps.plain:application"


def test_a_slow_application_is_not_timed_out_while_it_loads(server):
    server.write(
        "app.py",
        """
        import time
        time.sleep(2.5)
        def application(environ, start_response):
            start_response("200 OK", [])
            return [b"loaded"]
        """,
    )
    server.start("app:application", "--timeout", "1")
    assert server.get("/").body == b"loaded"
    assert "TIMEOUT" not in server.log


@pytest.mark.parametrize(
    "line",
    [
        "worker_timeout = 120",
        "def worker_ready(x): pass",
        "write_timeout = '10s'",
        "access = 'a.log'",
        "conn_open = 5",
        "certfile = keyfile = ''",
        "chdir = ''",
        "statsd_host = 'localhost:8125'",
        "dirty_workers = 0",
        "graceful_timeout = __import__('sys').maxsize",
    ],
)
def test_a_file_written_for_gunicorn_does_not_keep_the_server_from_starting(server, line):
    server.start(PLAIN, config=line + "\n")
    assert server.get("/hello").status == 200


@pytest.mark.parametrize("flag", ["--no-control-socket", "-R", "--initgroups"])
def test_a_flag_of_gunicorns_that_does_nothing_here_is_taken(server, flag):
    server.start(PLAIN, flag)
    assert server.get("/hello").status == 200


def test_a_slip_in_a_log_line_is_reported_and_nothing_more(server):
    server.start(
        PLAIN,
        config="""
            def when_ready(server): server.log.info("100%% %d", "x")
            def post_fork(server, worker): worker.log.info("spawned", worker.pid)
        """,
    )
    assert server.get("/hello").status == 200
    assert "Logging error" in server.log
    assert "spawned" in server.log


def test_an_application_may_take_over_the_handlers_of_gunicorns_logger(server):
    server.write(
        "app.py",
        """
        import logging
        log = logging.getLogger("site")
        log.handlers = logging.getLogger("gunicorn.error").handlers
        log.setLevel(logging.getLogger("gunicorn.error").level)
        def application(environ, start_response):
            log.info("served %s", environ["PATH_INFO"])
            log.debug("not at this level")
            start_response("200 OK", [])
            return []
        """,
    )
    server.start()
    server.get("/page")
    assert "[INFO] served /page" in server.wait_for_log("served /page")
    assert "not at this level" not in server.log


@pytest.mark.parametrize("how", ["req.force_close()", "req.must_close = True"])
def test_pre_request_can_end_the_connection(server, how):
    server.start(PLAIN, config=f"def pre_request(worker, req): {how}\n")
    with server.connect() as client:
        assert client.get("/hello").header("Connection") == "close"
        assert client.is_closed()


def test_an_exception_of_worker_abort_reaches_the_running_request(server):
    server.write(
        "app.py",
        """
        import time
        def application(environ, start_response):
            try:
                time.sleep(30)
            except TimeoutError as error:
                start_response("503 Service Unavailable", [])
                return [str(error).encode()]
        """,
    )
    server.start(
        "app:application",
        *["--timeout", "1"],
        config="def worker_abort(worker): raise TimeoutError('it took too long')\n",
    )
    reply = server.get("/")
    assert (reply.status, reply.body) == (503, b"it took too long")


def test_the_objects_have_what_gunicorns_have(server):
    server.start(
        PLAIN,
        config="""
            import os
            def post_fork(server, worker):
                worker.tmp.notify()
                worker.nr = 0
                seen = [
                    worker.tmp.fileno() > 2, worker.aborted, server.worker_class.__name__,
                    server.cfg.user == os.geteuid(), os.path.join(server.cfg.chdir, "x"),
                    server.log.error_log.name, server.log.access_log_enabled,
                    server.cfg.logger_class.__name__, server.cfg.statsd_host,
                    server.cfg.ssl_options["certfile"], len(server.SIG_QUEUE),
                ]
                server.log.info("SEEN %s", seen)
            def pre_request(worker, req):
                worker.log.info("PRE %s %s %s", worker.nr, req.limit_request_line, req.path)
            def post_request(worker, req, environ, resp):
                worker.log.info("POST %s %s %s", worker.nr, resp.should_close(), resp.is_chunked())
        """,
    )
    with server.connect() as client:
        client.get("/hello/a%2Fb")
        client.get("/stream/1")
    chdir = os.path.join(str(server.folder), "x")
    seen = [True, False, "SyncWorker", True, chdir, "gunicorn.error", False, "Logger", None, None]
    assert f"SEEN {[*seen, 0]}" in server.log
    assert "PRE 0 4094 /hello/a%2Fb" in server.log
    assert "POST 1 False False" in server.log
    assert "POST 2 False True" in server.wait_for_log("POST 2")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("127.0.0.1:9125", ("127.0.0.1", 9125)),
        ("127.0.0.1", ("127.0.0.1", 8125)),
        ("unix:///tmp/metrics.sock", "/tmp/metrics.sock"),
    ],
)
def test_cfg_has_the_place_of_a_statsd_as_gunicorn_has_it(server, given, shown):
    config = f"""
        statsd_host = {given!r}
        def on_starting(server):
            server.log.info("SEEN %r", server.cfg.statsd_host)
    """
    server.start(PLAIN, config=config)
    server.wait_for_log(f"SEEN {shown!r}")


def test_a_worker_that_was_aborted_says_so_in_child_exit(server):
    server.start(
        PLAIN,
        *["--timeout", "1"],
        config="""
            def child_exit(server, worker):
                server.log.info("ABORTED %s", worker.aborted)
        """,
    )
    server.get("/sleep/30")
    server.wait_for_log("ABORTED True")


def test_a_hook_may_set_max_requests(server):
    config = "max_surge = 0\ndef post_worker_init(worker): worker.max_requests = 2\n"
    server.start(PLAIN, config=config)
    with server.connect() as client:
        client.get("/hello")
        assert client.get("/hello").header("Connection") == "close"


def test_variables_that_the_file_sets_are_no_defaults(server):
    server.write("app.py", "def application(e, s):\n    s('200 OK', [])\n    return [b'x']\n")
    server.start("app:application", config="import os\nos.environ['WEB_CONCURRENCY'] = '3'\n")
    server.get("/")
    assert len(server.workers()) == 1
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("Worker exiting")
    assert len(eventually(lambda: len(server.workers()) == 1 and server.workers())) == 1


def test_hup_moves_the_pidfile(server):
    server.start(PLAIN, config="pidfile = 'first.pid'\n")
    first, second = server.folder / "first.pid", server.folder / "second.pid"
    assert first.exists()
    server.write("server.conf.py", "pidfile = 'second.pid'\n")
    server.send_signal(signal.SIGHUP)
    eventually(second.exists, "the new pidfile")
    eventually(lambda: not first.exists(), "the old one is gone")
    assert second.read_text() == f"{server.pid}\n"


def test_signals_that_come_in_post_fork_do_not_kill_the_worker(server):
    server.start(
        PLAIN,
        config="""
            import os, signal
            def post_fork(server, worker):
                os.kill(os.getpid(), signal.SIGUSR1)
                os.kill(os.getpid(), signal.SIGHUP)
        """,
    )
    assert server.get("/hello").status == 200
    assert "was killed" not in server.log


def test_an_aborted_workers_kill_is_no_lack_of_memory(server):
    server.write(
        "app.py",
        """
        import signal
        def application(environ, start_response):
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGABRT])
            signal.sigwait([signal.SIGUSR2])
        """,
    )
    server.start("app:application", "--timeout", "1", "--abort-grace", "0")
    with server.connect() as client:
        client.request("/")
        assert client.is_closed()
    assert "out of memory" not in server.wait_for_log("was killed by SIGKILL")


def test_standard_streams_that_are_closed_do_no_harm(server):
    command = " ".join([*COMMAND, "-b 127.0.0.1:0 --log-file error.log", PLAIN])
    server.process = subprocess.Popen(
        ["sh", "-c", f"exec {command} 0<&- 1>&- 2>&-"], cwd=server.folder, env=environment()
    )
    server.log_path = server.folder / "error.log"
    server.wait_for_log("Listening at: ")
    assert server.get("/hello").status == 200


# Leaving during the start.


@pytest.mark.parametrize(("source", "code"), [("import sys; sys.exit(3)", 3), ("exit(0)", 0)])
def test_a_config_file_may_exit(tmp_path, source, code):
    (tmp_path / "given.conf.py").write_text(source + "\n")
    assert run(tmp_path, "-c", "given.conf.py", PLAIN).returncode == code


def test_an_interrupted_config_file_is_no_error_of_the_servers(server):
    server.write("server.conf.py", "open('began', 'w').close()\nimport time\ntime.sleep(30)\n")
    server.spawn("-c", "server.conf.py", PLAIN)
    eventually((server.folder / "began").exists)
    server.send_signal(signal.SIGINT)
    assert server.wait() == 130
    assert server.log.strip() == "Error: interrupted"


def test_an_interrupted_load_is_no_error_of_the_applications(server):
    server.write("app.py", "open('began', 'w').close()\nimport time\ntime.sleep(30)\n")
    server.spawn("-b", "127.0.0.1:0", "app:application")
    eventually((server.folder / "began").exists)
    server.send_signal(signal.SIGINT)
    assert server.wait() == 0
    assert "cannot be loaded" not in server.log
    assert "ERROR" not in server.log


def test_check_config_shows_what_the_application_raises(tmp_path):
    (tmp_path / "app.py").write_text("raise RuntimeError('broken on purpose')\n")
    done = run(tmp_path, "--check-config", "app:application")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "RuntimeError: broken on purpose" in done.stderr


@pytest.mark.parametrize("argument", ["\udcff"])
def test_an_argument_that_is_no_text_is_one_line(tmp_path, argument):
    done = run(tmp_path, "-n", argument, PLAIN)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
