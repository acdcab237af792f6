"""The objects that hooks get: what gunicorn's have, and what overriding it does."""

import re

import pytest

PLAIN = "tests.apps.plain:application"

SERVER = """
    log cfg app pid address num_workers WORKERS LISTENERS worker_class worker_age timeout proc_name
    master_name master_pid reexec_pid pidfile systemd START_CTX SIG_QUEUE WORKER_BOOT_ERROR
    APP_LOAD_ERROR dirty_arbiter_pid _stats wakeup kill_worker kill_workers spawn_worker
    spawn_workers manage_workers murder_workers reap_workers reload reexec stop halt handle_hup
    signal maybe_promote_master
"""
WORKER = """
    age pid ppid sockets app timeout cfg booted aborted reloader nr max_requests alive log tmp PIPE
    wait_fds wsgi init_process load_wsgi run notify init_signals handle_exit handle_quit
    handle_abort handle_usr1 handle_winch handle_error setup check_config SIGNALS
"""
THREAD_WORKER = "worker_connections max_keepalived nr_conns"
REQUEST = """
    method uri path query fragment version headers trailers body scheme must_close peer_addr
    remote_addr proxy_protocol_info req_number cfg unreader limit_request_line
    limit_request_fields limit_request_field_size should_close force_close
"""
RESPONSE = """
    status status_code headers headers_sent response_length sent chunked must_close upgrade version
    req sock cfg start_response write write_file sendfile can_sendfile close force_close
    should_close is_chunked default_headers send_headers process_headers
"""


def test_the_objects_have_every_attribute_of_gunicorns(server):
    server.start(
        PLAIN,
        "--threads",
        "2",
        config=f"""
            def show(kind, object, names):
                missing = [name for name in names if not hasattr(object, name)]
                print(kind, "lacks", missing, flush=True)

            def when_ready(server):
                show("SERVER", server, {SERVER.split()})

            def pre_request(worker, req):
                show("WORKER", worker, {WORKER.split()})
                show("THREADS", worker, {THREAD_WORKER.split()})
                show("REQUEST", req, {REQUEST.split()})
                print("connections", worker.nr_conns, "of", worker.worker_connections)

            def post_request(worker, req, environ, resp):
                show("RESPONSE", resp, {RESPONSE.split()})
        """,
    )
    server.get("/hello")
    server.wait_for_log("RESPONSE lacks")
    assert set(re.findall(r"^(\w+ lacks .*)", server.log, re.MULTILINE)) == {
        f"{kind} lacks []" for kind in ("SERVER", "WORKER", "THREADS", "REQUEST", "RESPONSE")
    }
    assert "connections 1 of 1000" in server.log


def test_methods_of_a_workers_life_can_be_wrapped(server):
    server.start(
        PLAIN,
        config="""
            def wrap(worker, name):
                inner = getattr(worker, name)
                def wrapped():
                    print("before", name, flush=True)
                    inner()
                    print("after", name, flush=True)
                setattr(worker, name, wrapped)

            def post_fork(server, worker):
                for name in ("init_process", "init_signals", "load_wsgi", "run"):
                    wrap(worker, name)
        """,
    )
    assert server.get("/hello").status == 200
    server.stop()
    steps = re.findall(r"^(?:before|after) \w+$", server.log, re.MULTILINE)
    assert steps == [
        "before init_process",
        "before init_signals",
        "after init_signals",
        "before load_wsgi",
        "after load_wsgi",
        "before run",
        "after run",
        "after init_process",
    ]


def test_load_wsgi_may_bring_another_application(server):
    server.start(
        PLAIN,
        config="""
            def other(environ, start_response):
                start_response("200 OK", [])
                return [b"another"]

            def post_fork(server, worker):
                worker.load_wsgi = lambda: setattr(worker, "wsgi", other)
        """,
    )
    assert server.get("/hello").body == b"another"


def test_a_run_of_ones_own_replaces_the_servers(server):
    server.start(
        PLAIN,
        config="""
            def post_fork(server, worker):
                def run():
                    worker.log.info("my own loop in %s", worker.pid)
                    sock = worker.sockets[0].sock
                    sock.setblocking(True)
                    client, _ = sock.accept()
                    client.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nmine")
                    client.close()
                    raise SystemExit(9)
                worker.run = run
        """,
    )
    assert server.get("/hello").body == b"mine"
    server.wait_for_log("exited with code 9")


@pytest.mark.parametrize("method", ["init_process", "run"])
def test_what_such_a_method_raises_is_logged_and_ends_the_server_with_3(server, method):
    server.write(
        "c.py",
        f"""
            def post_fork(server, worker):
                def broken():
                    raise ValueError("out of luck")
                worker.{method} = broken
        """,
    )
    server.spawn("-c", "c.py", "-b", "127.0.0.1:0", PLAIN)
    assert server.wait() == 3
    assert "Traceback" in server.log
    assert "ValueError: out of luck" in server.log


def test_run_called_out_of_turn_is_refused(server):
    server.write(
        "c.py",
        """
            def post_worker_init(worker):
                worker.run()
        """,
    )
    server.spawn("-c", "c.py", "-b", "127.0.0.1:0", PLAIN)
    assert server.wait() == 3
    assert "the worker calls its run() itself, once, when its turn has come" in server.log


def test_a_response_can_be_changed_and_given_by_its_methods(server):
    server.start(
        PLAIN,
        config="""
            def response_start(worker, req, resp):
                resp.process_headers([("X-Added", "by process_headers")])
                resp.force_close()
                print(resp.default_headers(), flush=True)
        """,
    )
    reply = server.get("/hello")
    assert reply.header("X-Added") == "by process_headers"
    assert reply.header("Connection") == "close"
    assert reply.body == b"hello"
    lines = server.wait_for_log("Server: tricorn")
    assert r"'HTTP/1.1 200 OK\r\n'" in lines
    assert r"'Connection: close\r\n'" in lines


def test_content_that_response_start_sends_comes_first(server):
    server.start(
        PLAIN,
        config="""
            def response_start(worker, req, resp):
                resp.headers = [pair for pair in resp.headers if pair[0] != "Content-Length"]
                resp.write(b"first, ")
        """,
    )
    reply = server.get("/hello")
    assert reply.header("Transfer-Encoding") == "chunked"
    assert reply.body == b"first, hello"


def test_unreader_gives_what_the_client_sends(server):
    server.start(
        PLAIN,
        config="""
            def pre_request(worker, req):
                raw = req.unreader
                start = raw.read(2)
                raw.unread(start)
                print("RAW", raw.read(8), raw is req.unreader, flush=True)
        """,
    )
    with server.connect() as client:
        client.post("/hello", b"received")
    server.wait_for_log("RAW b'received' True")


def test_response_start_can_send_a_file_and_end_the_answer(server):
    server.write("page.txt", "the file's content")
    server.start(
        PLAIN,
        config="""
            from tricorn._wsgi import FileWrapper

            def response_start(worker, req, resp):
                resp.headers = [("Content-Type", "text/x-file"), ("Content-Length", "18")]
                with open("page.txt", "rb") as file:
                    resp.write_file(FileWrapper(file))
                resp.close()
        """,
    )
    reply = server.get("/hello")
    assert reply.header("Content-Type") == "text/x-file"
    assert reply.body == b"the file's content"
    assert server.get("/hello").status == 200
    assert "Traceback" not in server.log, server.log
