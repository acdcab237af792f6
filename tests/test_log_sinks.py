"""Where the logs go: files, pipes whose reader stops, a syslog, a statsd; and rotation."""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.harness import eventually
from tests.harness.client import Client
from tests.harness.server import run
from tests.test_logs import PLAIN, lines, logged

LOG = ("--access-logfile", "access.log")
SHORT = ("--access-logformat", "%(m)s %(U)s %(s)s")


def ask_from_many(server, target, times, clients=8):
    """Ask so many times over several connections."""

    def ask():
        with server.connect() as client:
            for _ in range(times):
                assert client.get(target).status == 200

    askers = [threading.Thread(target=ask) for _ in range(clients)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    return times * clients


def test_long_lines_of_eight_workers_to_one_file_are_neither_torn_nor_lost(server):
    form = "%({x-long}i)s end"
    server.start(PLAIN, "-w", "8", *LOG, "--access-logformat", form)
    server.wait_for_log("Booting worker with pid", 8)
    long = "".join(chr(ord("a") + n % 26) for n in range(4096))

    def ask():
        for _ in range(40):
            with server.connect() as client:
                for _ in range(5):
                    client.get("/hello", f"X-Long: {long}")

    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    server.stop()
    found = lines(server)
    assert len(found) == 8 * 40 * 5
    assert set(found) == {f"{long} end"}


class Fifo:
    """A named pipe, open for reading."""

    def __init__(self, path):
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.text = ""

    def read(self):
        """Read what there is."""
        while True:
            try:
                piece = os.read(self.fd, 65536)
            except BlockingIOError:
                return self.text
            if not piece:
                return self.text
            self.text += piece.decode()

    def close(self):
        os.close(self.fd)


@pytest.fixture
def fifo(server):
    fifo = Fifo(server.folder / "access.log")
    yield fifo
    fifo.close()


def test_lines_of_several_workers_to_a_pipe_are_whole(server, fifo):
    server.start(PLAIN, "-w", "4", *LOG, *SHORT)
    server.wait_for_log("Booting worker with pid", 4)
    stop = threading.Event()

    def read():
        while not stop.is_set():
            fifo.read()
            time.sleep(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    asked = ask_from_many(server, "/hello", 500)
    server.stop()
    stop.set()
    reader.join()
    assert fifo.read().splitlines() == ["GET /hello 200"] * asked


def test_a_line_too_long_for_a_pipe_is_shortened_with_a_mark(server, fifo):
    server.start(PLAIN, *LOG, "--access-logformat", "%({x-long}i)s")
    server.get("/hello", "X-Long: " + "x" * 5000)
    server.get("/hello", "X-Long: short")
    found = eventually(lambda: fifo.read().count("\n") == 2 and fifo.text.splitlines())
    assert len(found[0]) < 4096
    assert re.fullmatch(r"x+\.\.\. \[\d+ bytes cut\]", found[0])
    assert found[1] == "short"


def test_a_reader_that_stops_never_stops_the_serving(server, fifo):
    long = "X-Long: " + "x" * 3000
    server.start(PLAIN, *LOG, "--access-logformat", "%({x-long}i)s")
    begun = time.monotonic()
    with server.connect() as client:
        for _ in range(100):
            assert client.get("/hello", long).status == 200
    assert time.monotonic() - begun < 10
    told = server.wait_for_log("lines of the access log were lost: they could not be written")
    lost = sum(int(number) for number in re.findall(r"(\d+) lines of the access log", told))
    assert 1 <= lost <= 100
    assert fifo.read()
    server.get("/hello", "X-Long: again")
    eventually(lambda: fifo.read().splitlines()[-1] == "again", "the reader is served again")


def test_a_pipe_without_a_reader_costs_lines_and_nothing_else(server):
    path = server.folder / "access.log"
    fifo = Fifo(path)
    server.start(PLAIN, *LOG)
    fifo.close()
    for _ in range(3):
        assert server.get("/hello").status == 200
    server.wait_for_log("lines of the access log were lost")


def test_a_full_disk_costs_lines_and_nothing_else(server):
    server.start(PLAIN, "--access-logfile", "/dev/full")
    for _ in range(3):
        assert server.get("/hello").status == 200
    server.wait_for_log("lines of the access log were lost")


def test_a_file_that_may_not_grow_costs_lines_and_leaves_no_half_line_behind(server):
    server.write(
        "server.conf.py",
        """
        import resource, signal

        def post_worker_init(worker):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))

        def post_request(worker, req):
            if req.path == "/pid":
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        """,
    )
    arguments = (
        "-b",
        "127.0.0.1:0",
        "-c",
        "server.conf.py",
        *LOG,
        "--access-logformat",
        "%(U)s" * 7,
    )
    server.spawn(*arguments, PLAIN)
    server.wait_for_log("Listening at: ")
    for _ in range(40):
        assert server.get("/hello").status == 200
    assert (server.folder / "access.log").stat().st_size == 1000
    server.get("/pid")
    server.get("/hello")
    server.stop()
    found = lines(server)
    assert found.count("/hello" * 7) in range(23, 26)
    torn = [line for line in found if line not in ("/hello" * 7, "/pid" * 7)]
    assert len(torn) == 1, "what was cut is a line of its own"


def test_a_file_that_vanishes_is_made_anew_on_usr1(server):
    server.start(PLAIN, *LOG, *SHORT)
    server.get("/hello")
    logged(server)
    (server.folder / "access.log").unlink()
    assert server.get("/hello").status == 200
    server.send_signal(signal.SIGUSR1)

    def again():
        server.get("/pid")
        return "GET /pid 200" in lines(server)

    eventually(again, "the file is there again")


def test_copytruncate_loses_no_line_that_was_written_before(server):
    server.start(PLAIN, *LOG, *SHORT)
    server.get("/hello")
    before = logged(server)
    path = server.folder / "access.log"
    (server.folder / "access.log.1").write_bytes(path.read_bytes())
    os.truncate(path, 0)
    server.get("/pid")
    assert logged(server) == ["GET /pid 200"]
    assert path.stat().st_size == len("GET /pid 200\n"), "no hole at the beginning"
    assert before == ["GET /hello 200"]


def test_files_of_a_server_started_by_root_stay_writable_for_its_workers(server):
    nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    os.chmod(server.folder, 0o777)
    folder = server.folder
    while folder != folder.parent and folder.stat().st_uid == os.geteuid() and os.geteuid() == 0:
        if not folder.stat().st_mode & 0o005:
            os.chmod(folder, folder.stat().st_mode | 0o055)
        folder = folder.parent
    files = ("--error-logfile", "error.log", *LOG)
    server.spawn("-b", "127.0.0.1:0", "-u", str(nobody.pw_uid), *files, *SHORT, PLAIN)
    eventually(lambda: "Booting worker" in "\n".join(lines(server, "error.log")))
    assert {(server.folder / name).stat().st_uid for name in ("error.log", "access.log")} == {
        nobody.pw_uid
    }
    (server.folder / "access.log").rename(server.folder / "access.log.1")
    server.send_signal(signal.SIGUSR1)
    found = "\n".join(lines(server, "error.log"))
    port = int(re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", found)[1])

    def reopened():
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
            client.recv(1000)
        return lines(server)

    assert eventually(reopened)[0] == "GET /hello 200"
    assert (server.folder / "access.log").stat().st_uid == nobody.pw_uid


def receiver(kind=socket.SOCK_DGRAM, path=None):
    """A socket that receives, on this machine."""
    family = socket.AF_UNIX if path else socket.AF_INET
    sock = socket.socket(family, kind)
    sock.bind(str(path) if path else ("127.0.0.1", 0))
    sock.settimeout(20)
    return sock


def test_both_logs_go_to_a_syslog_by_udp(server):
    with receiver() as sock:
        port = sock.getsockname()[1]
        server.start(
            *(PLAIN, "-n", "my:site", "--log-syslog", "--log-syslog-to", f"udp://127.0.0.1:{port}"),
            *("--log-syslog-facility", "local3", *SHORT),
        )
        server.get("/hello")
        found = []
        while not found or ".access:" not in found[-1]:
            found.append(sock.recv(4096).decode())
    local3 = 19 * 8
    listening = next(line for line in found if "Listening at" in line)
    assert listening.startswith(f"<{local3 + 6}>gunicorn.my.site.error: [{server.pid}] Listening")
    worker = server.workers()[0]
    assert found[-1] == f"<{local3 + 6}>gunicorn.my.site.access: [{worker}] GET /hello 200"
    assert "Listening at" in server.log


@pytest.mark.parametrize("scheme", ["tcp", "unix#dgram", "unix#stream", "unix"])
def test_a_syslog_by_other_ways(server, scheme):
    stream = scheme in ("tcp", "unix#stream")
    path = None if scheme == "tcp" else server.folder / "log"
    with receiver(socket.SOCK_STREAM if stream else socket.SOCK_DGRAM, path) as sock:
        if stream:
            sock.listen()
        kind = scheme.partition("#")
        address = f"unix://{path}{kind[1]}{kind[2]}"
        if scheme == "tcp":
            address = f"tcp://127.0.0.1:{sock.getsockname()[1]}"
        server.start(
            *(PLAIN, "--log-syslog", "--log-syslog-to", address, "--log-syslog-prefix", "p"),
            *(*LOG, "--disable-redirect-access-to-syslog"),
        )
        source = sock.accept()[0] if stream else sock
        source.settimeout(20)
        text = ""
        while "Listening at" not in text:
            text += source.recv(4096).decode()
        server.get("/hello")
        logged(server)
        server.stop()
        if stream:
            assert all(line.startswith("<14>gunicorn.p.error: [") for line in text.splitlines())
        assert "access" not in text


def test_a_syslog_that_is_not_there_is_said_and_tried_again(server):
    path = server.folder / "log"
    server.start(PLAIN, "--log-syslog", "--log-syslog-to", f"unix://{path}", *SHORT)
    server.wait_for_log(f"cannot reach the syslog at unix://{path}")
    assert server.get("/hello").status == 200
    with receiver(path=path) as sock:
        sock.settimeout(0.2)

        def received():
            server.get("/hello")
            try:
                return b".access: [" in sock.recv(4096)
            except TimeoutError:
                return False

        eventually(received, "the syslog gets lines")


def metrics(sock, until):
    """Receive metrics until one begins so; all of them."""
    found = []
    while not any(metric.startswith(until) for metric in found):
        found += sock.recv(4096).decode().split("\n")
    return found


def test_a_statsd_is_told_of_requests_workers_and_messages(server):
    with receiver() as sock:
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        server.start(
            *(PLAIN, "-w", "2", "--statsd-host", address, "--statsd-prefix", "my.site"),
            *("--dogstatsd-tags", "env:test,x"),
            config="def post_worker_init(worker): worker.log.warning('heard')",
        )
        tags = "|#env:test,x"
        found = metrics(sock, "my.site.gunicorn.workers:2|g")
        server.get("/hello")
        found += metrics(sock, "my.site.gunicorn.request.status.200:1|c|@1.0" + tags)
        assert "my.site.gunicorn.requests:1|c|@1.0" + tags in found
        assert "my.site.gunicorn.log.warning:1|c|@1.0" + tags in found
        durations = [m for m in found if m.startswith("my.site.gunicorn.request.duration:")]
        assert re.fullmatch(r"\S+:\d+\.\d{3}\|ms\|#env:test,x", durations[0])
        with server.connect() as client:
            client.send("NONSENSE\r\n\r\n").reply()
        metrics(sock, "my.site.gunicorn.request.status.400:1|c")


def test_a_hooks_metric_and_the_backlog_reach_a_statsd_at_a_unix_socket(server):
    path = server.folder / "statsd"
    with receiver(path=path) as sock:
        server.start(
            *(PLAIN, "--statsd-host", f"unix://{path}", "--enable-backlog-metric"),
            config="""
                def when_ready(server):
                    extra = {"metric": "own.gauge", "value": 7, "mtype": "gauge"}
                    server.log.debug("", extra=extra)
            """,
        )
        found = metrics(sock, "own.gauge:7|g")
        found += metrics(sock, "gunicorn.backlog:0|h")


@pytest.mark.parametrize(
    ("address", "told"),
    [("unix:///no/such/socket", "Listening at"), ("no.such.host.invalid", "no metrics are sent")],
)
def test_a_statsd_that_is_not_there_costs_nothing(server, address, told):
    server.start(PLAIN, "--statsd-host", address)
    server.wait_for_log(told)
    assert server.get("/hello").status == 200


def test_capture_output_follows_the_rotated_file(server):
    server.write(
        "app.py",
        """
        def application(environ, start_response):
            print("printed", environ["PATH_INFO"], flush=True)
            start_response("200 OK", [])
            return []
        """,
    )
    server.spawn(
        *("-b", "127.0.0.1:0", "--error-logfile", "error.log", "--capture-output"),
        *("--access-logfile", "access.log"),
        "app:application",
    )
    found = eventually(
        lambda: re.search(r"http://127\.0\.0\.1:(\d+)", "\n".join(lines(server, "error.log")))
    )
    (server.folder / "error.log").rename(server.folder / "error.log.1")
    server.send_signal(signal.SIGUSR1)

    def printed():
        with socket.create_connection(("127.0.0.1", int(found[1]))) as client:
            client.sendall(b"GET /after HTTP/1.0\r\n\r\n")
            client.recv(1000)
        return "printed /after" in lines(server, "error.log")

    eventually(printed)


YAML = """\
appenders:
  errors:
    kind: file
    path: error.log
    encoder: {pattern: "{l}|{m}{n}"}
  requests:
    kind: file
    path: access.json
    encoder: {kind: json}
root:
  level: info
  appenders: [errors]
loggers:
  tricorn::access:
    level: info
    appenders: [requests]
    additive: false
"""

TOML = """\
[appenders.errors]
kind = "file"
path = "error.log"
encoder = { pattern = "{l}|{m}{n}" }
[appenders.requests]
kind = "file"
path = "access.json"
encoder = { kind = "json" }
[root]
level = "info"
appenders = ["errors"]
[loggers."tricorn::access"]
level = "info"
appenders = ["requests"]
additive = false
"""


JSON = json.dumps(
    {
        "appenders": {
            "errors": {"kind": "file", "path": "error.log", "encoder": {"pattern": "{l}|{m}{n}"}},
            "requests": {"kind": "file", "path": "access.json", "encoder": {"kind": "json"}},
        },
        "root": {"level": "info", "appenders": ["errors"]},
        "loggers": {
            "tricorn::access": {"level": "info", "appenders": ["requests"], "additive": False}
        },
    }
)


@pytest.mark.parametrize(
    ("name", "text"), [("log.yaml", YAML), ("log.toml", TOML), ("log.json", JSON)]
)
def test_a_log4rs_file_says_where_the_logs_go_and_in_which_form(server, name, text):
    (server.folder / name).write_text(text)
    arguments = ("--log-config", name, "-w", "2", *SHORT)
    server.spawn("-b", "127.0.0.1:0", *arguments, PLAIN)

    def listening():
        return re.search(r"INFO\|Listening at: \S+:(\d+)", "\n".join(lines(server, "error.log")))

    port = int(eventually(listening)[1])
    with Client(("127.0.0.1", port)) as client:
        client.get("/hello")
    (line,) = logged(server, name="access.json")
    assert json.loads(line)["message"] == "GET /hello 200"
    (server.folder / "access.json").rename(server.folder / "access.json.1")
    server.send_signal(signal.SIGUSR1)

    def reopened():
        with Client(("127.0.0.1", port)) as client:
            client.get("/pid")
        return lines(server, "access.json")

    assert json.loads(eventually(reopened)[0])["message"] == "GET /pid 200"
    assert server.log == ""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("refresh_rate: 30 seconds\n" + YAML, "refresh_rate starts a thread"),
        (YAML.replace("kind: file", "kind: rolling_file", 1), "every worker would roll the file"),
        (YAML.replace("path: error.log", "path: error.log\n    append: false"), "append: false"),
        (YAML.replace("[errors]", "[nowhere]"), "nowhere"),
        (YAML.replace("kind: json", "kind: carrier-pigeon"), "carrier-pigeon"),
        ("appenders: [", "log.yaml"),
        (YAML.replace("path: error.log", "path: /no/such/folder/x"), "/no/such/folder/x"),
    ],
)
def test_a_log4rs_file_that_is_unsafe_or_wrong_is_one_clear_line(tmp_path, text, complaint):
    (tmp_path / "log.yaml").write_text(text)
    done = run(tmp_path, "--log-config", "log.yaml", "-b", "127.0.0.1:0", PLAIN)
    assert done.returncode in (1, 2), done.stderr
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


def test_loglevel_follows_hup(server):
    server.write("server.conf.py", "loglevel = 'warning'\n")
    server.spawn("-b", "127.0.0.1:0", "-c", "server.conf.py", PLAIN)
    eventually(lambda: server.workers())
    server.write(
        "server.conf.py",
        "loglevel = 'debug'\n"
        "def post_worker_init(worker): worker.log.debug('heard'); worker.log.info('as well')\n",
    )
    eventually(lambda: server.send_signal(signal.SIGHUP) or "[DEBUG] heard" in server.log)
    assert "[INFO] as well" in server.log


def test_a_syslog_that_accepts_nobody_stops_nobody(server):
    path = server.folder / "log"
    with receiver(socket.SOCK_STREAM, path) as sock:
        sock.listen(0)
        queued = []
        while len(queued) < 10:
            queued.append(socket.socket(socket.AF_UNIX))
            queued[-1].setblocking(False)
            if queued[-1].connect_ex(str(path)):
                break
        address = f"unix://{path}#stream"
        server.start(PLAIN, "-w", "2", "--log-syslog", "--log-syslog-to", address)
        server.wait_for_log("cannot reach the syslog")
        assert server.get("/hello").status == 200
        assert server.stop() == 0
        for waiting in queued:
            waiting.close()


def test_a_stream_is_not_opened_again_and_its_reader_may_stop_after_usr1(server):
    read, write = os.pipe()
    with open(server.folder / "error.log", "wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tricorn", "-b", "127.0.0.1:0", "--access-logfile", "-", PLAIN],
            stdout=write,
            stderr=errors,
            env=os.environ | {"PYTHONPATH": "."},
        )
    os.close(write)
    try:
        found = eventually(
            lambda: re.search(r"http://127\.0\.0\.1:(\d+)", "\n".join(lines(server, "error.log")))
        )
        process.send_signal(signal.SIGUSR1)
        with Client(("127.0.0.1", int(found[1]))) as client:
            for _ in range(100):
                assert client.get("/hello", "User-Agent: " + "x" * 3000).status == 200
        assert os.read(read, 100).startswith(b"127.0.0.1 - - [")
    finally:
        process.terminate()
        process.wait(20)
        os.close(read)


def test_a_daemon_lets_go_of_the_output_of_whoever_started_it(server):
    arguments = ("-D", "-b", f"unix:{server.folder}/sock", "-p", "pid", "--access-logfile", "-")
    command = [sys.executable, "-m", "tricorn", *arguments, PLAIN]
    started = subprocess.run(
        command,
        capture_output=True,
        timeout=20,
        cwd=server.folder,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    )
    assert started.returncode == 0
    pid = int(eventually(lambda: (server.folder / "pid").exists() and lines(server, "pid"))[0])
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: not (server.folder / "pid").exists())


def test_nothing_that_a_log_only_points_at_is_given_away(server):
    victim = server.folder / "victim"
    victim.write_text("")
    os.link(victim, server.folder / "error.log")
    (server.folder / "access.log").symlink_to(victim)
    before = victim.stat().st_uid
    server.spawn(*("-b", "127.0.0.1:0", "-u", "65534", "--error-logfile", "error.log", *LOG, PLAIN))
    eventually(lambda: "Booting worker" in victim.read_text())
    server.send_signal(signal.SIGUSR1)
    eventually(lambda: server.workers())
    server.stop()
    assert victim.stat().st_uid == before


def test_a_relative_path_stays_the_same_file_when_the_application_changes_the_directory(server):
    (server.folder / "elsewhere").mkdir()
    server.write(
        "app.py",
        """
        import os
        os.chdir("elsewhere")
        def application(environ, start_response):
            start_response("200 OK", [])
            return []
        """,
    )
    server.start("app:application", *LOG)
    server.get("/")
    logged(server)
    (server.folder / "access.log").rename(server.folder / "access.log.1")
    server.send_signal(signal.SIGUSR1)
    eventually(lambda: server.get("/") and lines(server))
    assert not list((server.folder / "elsewhere").iterdir())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--log-config", "log.yaml", "--log-syslog"), "setting 'syslog'"),
        (("--log-config", "log.yaml", "--logger-class", "tricorn.glogging.Logger"), "logger_class"),
        (
            ("--logger-class", "tricorn.glogging.Logger", "--access-log-formatter", "os.path.join"),
            "setting 'access_log_formatter': a logger of one's own makes its own lines",
        ),
    ],
)
def test_settings_that_would_be_without_an_effect_are_refused(tmp_path, arguments, complaint):
    (tmp_path / "log.yaml").write_text(YAML)
    done = run(tmp_path, *arguments, "-b", "127.0.0.1:0", PLAIN)
    assert done.returncode in (1, 2)
    assert complaint in done.stderr
