"""The error log and the access log: their lines, their files, and opening those again."""

from __future__ import annotations

import re
import signal
import threading
import time

import pytest

from tests.harness import eventually

PLAIN = "tests.apps.plain:application"


def lines(server, name="access.log"):
    path = server.folder / name
    return path.read_text().splitlines() if path.exists() else []


def logged(server, count=1, name="access.log"):
    """Wait for so many access lines, and return them."""
    return eventually(
        lambda: lines(server, name) if len(lines(server, name)) >= count else None,
        f"{count} lines in {name}",
    )


def test_an_access_line_is_gunicorns(server):
    server.start(PLAIN, "--access-logfile", "access.log")
    server.get("/hello?a=b", "User-Agent: probe/1", "Referer: http://from.example/")
    (line,) = logged(server)
    assert re.fullmatch(
        r"127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "
        r'"GET /hello\?a=b HTTP/1\.1" 200 5 "http://from\.example/" "probe/1"',
        line,
    )


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("%(h)s %(l)s", "127.0.0.1 -"),
        ("%(m)s %(U)s %(q)s %(H)s", "GET /hello a=b HTTP/1.1"),
        ("%(r)s", "GET /hello?a=b HTTP/1.1"),
        ("%(s)s %(b)s %(B)s", "200 5 5"),
        ("%({x-probe}i)s %({content-type}o)s", "here text/plain"),
        ("%({wsgi.url_scheme}e)s %({REQUEST_METHOD}e)s", "http GET"),
        ("%({none}i)s %(f)s", "- -"),
        ("[%(s)5s] [%(s)-5s] %%", "[  200] [200  ] %"),
    ],
)
def test_the_atoms_of_a_format(server, form, line):
    server.start(PLAIN, "--access-logfile", "access.log", "--access-logformat", form)
    server.get("/hello?a=b", "X-Probe: here")
    assert logged(server) == [line]


def test_the_duration_atoms(server):
    form = "%(T)s %(M)s %(D)s %(L)s"
    server.start(PLAIN, "--access-logfile", "access.log", "--access-logformat", form)
    server.get("/sleep/0.2")
    (line,) = logged(server)
    seconds, milli, micro, decimal = line.split()
    assert seconds == "0"
    assert 200 <= int(milli) < 2000
    assert int(micro) // 1000 == int(milli)
    assert abs(float(decimal) - int(micro) / 1e6) < 1e-5


def test_the_process_atom(server):
    server.start(PLAIN, "--access-logfile", "access.log", "--access-logformat", "%(p)s")
    pid = server.get("/pid").text
    assert logged(server) == [f"<{pid}>"]


def test_every_request_has_a_line_and_only_one(server):
    server.start(PLAIN, "-w", "2", "--access-logfile", "access.log")
    with server.connect() as client:
        for _ in range(10):
            client.get("/hello")
        client.get("/hello", method="HEAD")
        client.get("/raise")
    with server.connect() as client:
        client.send("BROKEN\r\n\r\n").reply()
    found = logged(server, 13)
    assert len(found) == 13
    statuses = sorted(line.split('"')[2].split()[0] for line in found)
    assert statuses == ["200"] * 11 + ["400", "500"]


def test_what_a_client_sends_cannot_forge_a_line(server):
    server.start(PLAIN, "--access-logfile", "access.log")
    server.get("/hello", 'User-Agent: x" 200')
    (line,) = logged(server)
    assert r"x\" 200" in line or r"x\x22 200" in line


def test_the_access_log_on_stdout(server):
    server.start(PLAIN, "--access-logfile", "-")
    server.get("/hello")
    server.wait_for_log('"GET /hello HTTP/1.1" 200 5')


def test_no_access_log_is_the_default(server):
    server.start(PLAIN)
    server.get("/hello")
    server.stop()
    assert "GET /hello" not in server.log


def test_the_error_log_in_a_file(server):
    server.spawn("-b", "127.0.0.1:0", "--error-logfile", "error.log", PLAIN)
    eventually(lambda: any("Listening at" in line for line in lines(server, "error.log")))
    assert server.log == ""
    line = lines(server, "error.log")[0]
    form = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] \[INFO\] .*"
    assert re.fullmatch(form, line)


@pytest.mark.parametrize(
    ("level", "seen"), [("debug", True), ("info", True), ("warning", False), ("critical", False)]
)
def test_the_level_decides_what_is_logged(server, level, seen):
    server.write("mark.conf.py", "def when_ready(server): open('ready', 'w').close()\n")
    server.spawn("-b", "127.0.0.1:0", "-c", "mark.conf.py", "--log-level", level, PLAIN)
    eventually((server.folder / "ready").exists, "the server is ready")
    assert ("Listening at" in server.log) == seen


def test_capture_output_puts_what_is_printed_into_the_error_log(server):
    server.write(
        "app.py",
        """
        import os, sys
        def application(environ, start_response):
            print("printed by the application", flush=True)
            os.write(2, b"written to descriptor 2\\n")
            start_response("200 OK", [])
            return []
        """,
    )
    server.spawn(
        *["-b", "127.0.0.1:0", "--capture-output", "--log-file", "error.log", "app:application"]
    )
    found = eventually(
        lambda: [line for line in lines(server, "error.log") if "Listening at" in line]
    )
    (server.folder / "server.log").write_text(found[0])
    server.get("/")
    both = {"printed by the application", "written to descriptor 2"}
    eventually(lambda: both <= set(lines(server, "error.log")), "both are in the log")


def test_the_log_files_are_opened_again_on_usr1(server):
    server.start(PLAIN, "-w", "2", "--access-logfile", "access.log")
    server.get("/hello")
    logged(server)
    (server.folder / "access.log").rename(server.folder / "access.log.1")
    server.send_signal(signal.SIGUSR1)
    eventually(
        lambda: server.get("/hello").status == 200 and len(lines(server)) > 0, "the new file"
    )


def test_rotation_loses_no_line(server):
    server.start(PLAIN, "-w", "2", "--access-logfile", "access.log")
    stop, asked = threading.Event(), []

    def ask():
        count = 0
        with server.connect() as client:
            while not stop.is_set():
                client.get("/hello")
                count += 1
        asked.append(count)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    names = ["access.log"]
    for number in range(1, 6):
        logged(server)
        rotated = f"access.log.{number}"
        (server.folder / "access.log").rename(server.folder / rotated)
        names.append(rotated)
        server.send_signal(signal.SIGUSR1)
    stop.set()
    for asker in askers:
        asker.join()
    server.stop()
    found = [line for name in names for line in lines(server, name)]
    assert len(found) == sum(asked)
    assert all(line.endswith('"GET /hello HTTP/1.1" 200 5 "-" "-"') for line in found)


def test_what_the_application_writes_to_wsgi_errors_is_in_the_error_log(server):
    server.write(
        "app.py",
        """
        def application(environ, start_response):
            environ["wsgi.errors"].write("a complaint\\n")
            start_response("200 OK", [])
            return []
        """,
    )
    server.start()
    server.get("/")
    assert "[ERROR] a complaint" in server.wait_for_log("a complaint")


def test_a_formatted_python_logger_of_the_application_is_its_own(server):
    server.write(
        "app.py",
        """
        import logging
        logging.basicConfig(format="SITE %(message)s", level=logging.INFO)
        def application(environ, start_response):
            logging.getLogger("site").info("served %s", environ["PATH_INFO"])
            start_response("200 OK", [])
            return []
        """,
    )
    server.start()
    server.get("/page")
    server.wait_for_log("SITE served /page")


def test_an_address_behind_a_trusted_proxy_is_the_connections(server):
    server.start(PLAIN, "--access-logfile", "access.log", "--access-logformat", "%(h)s %(u)s")
    server.get("/hello", "X-Forwarded-For: 203.0.113.9", "Authorization: Basic dXNlcjpwYXNz")
    assert logged(server) == ["127.0.0.1 user"]


def test_a_refused_head_is_logged_as_itself_and_not_as_the_request_before_it(server):
    server.start(PLAIN, "--access-logfile", "access.log")
    path = server.folder / "access.log"
    cases = {
        "GET /second HTTP/1.1\nHost: x\r\n\r\n": '"GET /second HTTP/1.1" 400',
        f"GET /{'a' * 5000} HTTP/1.1\r\n\r\n": '"GET /aaaa',
        "\x16\x03\x01\r\n\r\n": '"\\x16\\x03\\x01" 400',
        "get /small HTTP/1.1\r\nHost: x\r\n\r\n": '"get /small HTTP/1.1" 400',
    }
    for sent, logged in cases.items():
        with server.connect() as client:
            client.get("/hello", "User-Agent: u1", "Referer: r1")
            client.send(sent).rest()
        eventually(lambda text=logged: text in path.read_text(), f"{logged} is in the log")
        assert '"-" "-"' in path.read_text().splitlines()[-1]


def test_a_connection_that_the_application_takes_over_has_its_line(server):
    server.write(
        "app.py",
        """
        def application(environ, start_response):
            answer = b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"
            environ["gunicorn.socket"].sendall(answer)
            return []
        """,
    )
    server.start("app:application", "--access-logfile", "access.log")
    with server.connect() as client:
        client.request("/taken").head()
    path = server.folder / "access.log"
    eventually(lambda: '"GET /taken HTTP/1.1" - ' in path.read_text(), "the line is there")


def test_the_bytes_are_those_that_were_sent_also_when_the_client_goes_away(server):
    server.write(
        "app.py",
        """
        def application(environ, start_response):
            start_response("200 OK", [("Content-Length", "30000000")])
            return [bytes(30_000_000)]
        """,
    )
    form = ("--access-logformat", "%(B)d")
    server.start("app:application", "--access-logfile", "access.log", *form)
    with server.connect() as client:
        client.request("/").head()
    (sent,) = logged(server)
    assert 0 < int(sent) < 30_000_000


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_line_does_not_wait_for_the_request_behind_it(server, threads):
    arguments = ("--access-logfile", "access.log", "--access-logformat", "%(U)s")
    server.start(PLAIN, "--threads", threads, *arguments)
    server.get("/hello")
    logged(server)
    with server.connect() as first, server.connect() as slow:
        first.send(
            "GET /sleep/0.05 HTTP/1.1\r\nHost: x\r\n\r\nGET /sleep/5 HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        slow.request("/sleep/5")
        assert first.reply().status == 200
        begun = time.monotonic()
        assert "/sleep/0.05" in logged(server, 2)
        assert time.monotonic() - begun < 4
        server.send_signal(signal.SIGQUIT)
