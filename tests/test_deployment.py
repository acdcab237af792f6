"""The files of `examples/deploy`, run by what they are for: nginx, Supervisor, logrotate, systemd.

Only paths, the user and ports are others than in the files (see `harness/deployment.py`).
"""

from __future__ import annotations

import configparser
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.harness import Client, eventually
from tests.harness.deployment import EXAMPLES, STARTER, a_host, free_port, network, require
from tests.harness.server import SLEEPING

SHOP = {"Host": "shop.example"}


@pytest.fixture
def host():
    with a_host() as made:
        yield made


class Browser(httpx.Client):
    """A client of the site that nginx serves: https, a certificate that nobody signed."""

    def __init__(self, port):
        super().__init__(
            base_url=f"https://127.0.0.1:{port}", headers=SHOP, verify=False, timeout=30
        )


@pytest.fixture
def site(host):
    """Start tricorn and nginx over a unix socket; give the host and a browser."""
    host.start_tricorn("nginx/unix.conf.py")
    port = free_port()
    host.start_nginx("nginx/upstream-unix.nginx", port=port)
    with Browser(port) as browser:
        yield host, browser


# nginx on the same host, over a unix socket.


def test_the_application_sees_the_client_the_host_and_https_behind_nginx(site):
    _, browser = site
    seen = browser.get("/env").json()
    assert seen["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"
    assert seen["HTTP_HOST"] == "shop.example"
    assert seen["wsgi.url_scheme"] == "https"


def test_the_access_log_names_the_client_behind_nginx(site):
    host, browser = site
    browser.get("/hello")
    host.server.wait_for_log('"GET /hello HTTP/1.1" 200')
    assert re.search(r'^127\.0\.0\.1 - - \[.*"GET /hello', host.server.log, re.MULTILINE)


@pytest.mark.parametrize("claim", ["X-Forwarded-Proto", "X-Forwarded-Protocol", "X-Forwarded-Ssl"])
def test_what_a_client_claims_of_itself_does_not_pass_nginx(site, claim):
    _, browser = site
    answer = browser.get("/env", headers={claim: "http", "X-Forwarded-For": "198.51.100.9"})
    seen = answer.json()
    assert seen["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"
    assert seen["wsgi.url_scheme"] == "https"


def test_a_body_of_5_megabytes_arrives_through_nginx(site):
    _, browser = site
    body = os.urandom(5_000_000)
    answer = browser.post("/echo", content=body)
    assert answer.content == body


def test_a_body_beyond_nginx_s_limit_is_refused_by_nginx(site):
    host, browser = site
    assert browser.post("/length", content=b"x" * (10 * 1024 * 1024 + 1)).status_code == 413
    assert "client intended to send too large body" in host.nginx_log()


def test_static_files_are_nginx_s(site):
    host, browser = site
    (host.folder / "srv/shop/static/shop.css").write_text("body {}")
    host.server.send_signal(signal.SIGTERM)
    host.server.wait()
    answer = browser.get("/static/shop.css")
    assert (answer.status_code, answer.text) == (200, "body {}")
    assert answer.headers["cache-control"] == "max-age=3600"
    assert browser.get("/env").status_code == 502


def test_plain_http_is_led_to_https(host):
    port = free_port()
    host.start_nginx("nginx/upstream-unix.nginx", port=port)
    plain = re.search(r"listen \*:(\d+);", (host.folder / "nginx/shop").read_text())[1]
    answer = httpx.get(f"http://127.0.0.1:{plain}/cart?item=1", headers=SHOP)
    assert answer.status_code == 301
    assert answer.headers["location"] == "https://shop.example/cart?item=1"


def test_the_socket_is_for_its_group_alone(host):
    host.start_tricorn("nginx/unix.conf.py")
    socket = host.folder / "run/shop/tricorn.sock"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o770
    assert (socket.owner(), socket.group()) == ("daemon", "daemon")
    port = free_port()
    host.start_nginx("nginx/upstream-unix.nginx", user="www-data", port=port)
    with Browser(port) as browser:
        assert browser.get("/env").status_code == 502
    assert "(13: Permission denied)" in host.nginx_log()


class Visitors:
    """Threads that ask without a pause, and what they were answered."""

    def __init__(self, *asks):
        self.outcomes = []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.visit, args=[ask]) for ask in asks]

    def visit(self, ask):
        while not self.stop.is_set():
            try:
                self.outcomes.append(ask())
            except Exception as error:  # what it was is shown by the assertion
                self.outcomes.append(repr(error))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc_info):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def wait_for_more(self, count=50):
        """Wait until so many more answers came."""
        begun = len(self.outcomes)
        eventually(lambda: len(self.outcomes) >= begun + count, "more answers")


def wait_for_other_workers(server, before):
    """Wait until there are as many workers as before, and none of those."""
    eventually(
        lambda: len(server.workers()) == len(before) and not before & set(server.workers()),
        f"all workers are new\n{server.log}",
    )


def test_a_reload_behind_nginx_fails_no_request(site):
    host, browser = site

    def get():
        return browser.get("/hello").status_code

    def post():
        return browser.post("/length", content=b"x" * 1000).text

    with Visitors(get, get, post, post) as visitors:
        for _ in range(3):
            before = set(host.server.workers())
            host.server.send_signal(signal.SIGHUP)
            wait_for_other_workers(host.server, before)
            visitors.wait_for_more()
    assert set(visitors.outcomes) == {200, "1000"}, host.nginx_log()


# nginx on another host.

APPLICATION, PROXY, STRANGER = "192.0.2.20", "192.0.2.10", "192.0.2.66"


@pytest.fixture
def apart(host):
    """Start tricorn on a host of its own; give the host, and how to run something on nginx's."""
    with network(site=[APPLICATION], proxy=[PROXY, STRANGER]) as on:
        host.start_tricorn("nginx/tcp.conf.py", *on["site"])
        yield host, on["proxy"]


def curl(on, *arguments):
    """Ask with curl, as somebody on that host, and return the environ that the application saw."""
    command = [*on, "curl", "--silent", "--show-error", "--insecure", "--max-time", "30"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nginx_on_another_host_is_believed_where_it_is_named(apart):
    host, on_proxy = apart
    host.start_nginx("nginx/upstream-tcp.nginx", *on_proxy)
    seen = curl(on_proxy, "--interface", STRANGER, f"https://{PROXY}/env", "-HHost: shop.example")
    assert seen["REMOTE_ADDR"] == PROXY
    assert seen["HTTP_X_FORWARDED_FOR"] == STRANGER
    assert seen["HTTP_HOST"] == "shop.example"
    assert seen["wsgi.url_scheme"] == "https"


def test_nginx_keeps_its_connections_to_tricorn(apart):
    host, on_proxy = apart
    host.start_nginx("nginx/upstream-tcp.nginx", *on_proxy)
    seen = [curl(on_proxy, f"https://{PROXY}/env") for _ in range(10)]
    # At most one for each of nginx's two workers.
    assert len({environ["REMOTE_PORT"] for environ in seen}) <= 2


@pytest.mark.parametrize(("sender", "scheme"), [(PROXY, "https"), (STRANGER, "http")])
def test_the_scheme_is_believed_of_the_address_that_is_named_and_of_no_other(apart, sender, scheme):
    _, on_proxy = apart
    claim = "-HX-Forwarded-Proto: https"
    seen = curl(on_proxy, "--interface", sender, claim, f"http://{APPLICATION}:8000/env")
    assert seen["REMOTE_ADDR"] == sender
    assert seen["wsgi.url_scheme"] == scheme


# Supervisor.

SUPERVISORD = """
[supervisord]
nodaemon=true
user=root
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
[unix_http_server]
file={folder}/supervisor.sock
[supervisorctl]
serverurl=unix://{folder}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[include]
files={folder}/supervisor/*.conf
"""


class Supervisor:
    """A supervisord, and its supervisorctl."""

    def __init__(self, host):
        self.config = host.folder / "supervisord.conf"
        self.config.write_text(SUPERVISORD.format(folder=host.folder))
        self.process = host.run(["supervisord", "-n", "-c", str(self.config)], "supervisord")
        self.process.wait_until(lambda: "RUNNING" in self.ctl("status", "shop"), "it is RUNNING")
        host.server.process = None
        self.pid = int(self.ctl("pid", "shop"))

    def ctl(self, *arguments):
        command = ["supervisorctl", "-c", str(self.config), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    def workers(self):
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return {int(pid) for pid in children.split()}


@pytest.fixture
def supervised(host):
    """Start Supervisor with the shop."""
    host.place("supervisor/tricorn.conf.py", "/srv/shop/tricorn.conf.py")
    host.place("supervisor/shop.conf", "/supervisor/shop.conf")
    return host, Supervisor(host)


def through_the_socket(host):
    return Client(f"{host.folder}/run/shop/tricorn.sock")


def test_supervisor_starts_the_site_as_its_user_and_keeps_its_log(supervised):
    host, supervisor = supervised
    assert Path(f"/proc/{supervisor.pid}").owner() == STARTER
    with through_the_socket(host) as client:
        assert client.get("/hello").status == 200
    log = host.folder / "var/log/shop/tricorn.log"
    eventually(lambda: "Listening at: " in log.read_text(), "the error log")
    eventually(lambda: "GET /hello HTTP/1.1" in log.read_text(), "the access log")


def test_supervisorctl_signal_hup_replaces_the_workers(supervised):
    host, supervisor = supervised
    before = supervisor.workers()
    assert len(before) == 2
    supervisor.ctl("signal", "HUP", "shop")
    eventually(
        lambda: len(supervisor.workers()) == 2 and not before & supervisor.workers(), "new workers"
    )
    assert "RUNNING" in supervisor.ctl("status", "shop")
    assert int(supervisor.ctl("pid", "shop")) == supervisor.pid
    with through_the_socket(host) as client:
        assert client.get("/hello").status == 200


def test_supervisorctl_stop_lets_a_request_finish_and_leaves_no_process(supervised):
    host, supervisor = supervised
    with through_the_socket(host) as client:
        client.request("/sleep/1")
        eventually(lambda: asleep(supervisor.workers()), "the request runs")
        told = supervisor.ctl("stop", "shop")
        assert client.reply().status == 200
    assert "shop: stopped" in told
    assert "STOPPED" in supervisor.ctl("status", "shop")
    assert host.processes() == []
    assert "terminated by SIGKILL" not in (host.folder / "supervisord.log").read_text()


def asleep(pids):
    """Whether one of these processes is inside `time.sleep`."""
    return any(Path(f"/proc/{pid}/syscall").read_text().split()[0] in SLEEPING for pid in pids)


def test_supervisor_waits_longer_for_a_stop_than_tricorn_takes():
    section = configparser.ConfigParser(inline_comment_prefixes=";")
    section.read(EXAMPLES / "supervisor/shop.conf")
    patience = section.getint("program:shop", "stopwaitsecs")
    assert patience > setting("supervisor/tricorn.conf.py", "graceful_timeout")


def setting(example, name):
    """Return what a conf file sets."""
    values = {}
    exec((EXAMPLES / example).read_text(), values)
    return values[name]


# logrotate.


def rotate(host):
    """Rotate as the night's run does."""
    require("logrotate")
    path = host.place("logrotate/shop", "/etc/logrotate.d/shop")
    command = ["logrotate", "--force", "--state", str(host.folder / "rotated"), str(path)]
    path = f"/usr/sbin{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": path})
    assert (done.returncode, done.stderr) == (0, "")


def targets(path):
    """Return what the lines of an access log say was asked for."""
    return re.findall(r'"GET (\S+) HTTP/1.1" 200', path.read_text())


def test_logrotate_loses_no_line_and_the_new_lines_go_to_the_new_file(host):
    server = host.start_tricorn("logrotate/tricorn.conf.py")
    logs = host.folder / "var/log/shop"
    new, old = logs / "access.log", logs / "access.log.1"
    numbers = iter(range(1_000_000))

    def ask():
        with through_the_socket(host) as client:
            target = f"/hello?{next(numbers)}"
            return target if client.get(target).status == 200 else "failed"

    with Visitors(ask, ask) as visitors:
        visitors.wait_for_more()
        rotate(host)
        eventually(lambda: all_opened(server, new), "everyone has opened the new file")
        kept = old.read_text()
        visitors.wait_for_more()
    assert old.read_text() == kept
    eventually(lambda: len(targets(old) + targets(new)) == len(visitors.outcomes), "all lines")
    assert sorted(targets(old) + targets(new)) == sorted(visitors.outcomes)
    assert "Booting worker" in (logs / "error.log.1").read_text()


def all_opened(server, path):
    """Whether the arbiter and its workers have this very file open."""
    return all(
        any(os.path.samestat(os.stat(entry), path.stat()) for entry in descriptors(pid))
        for pid in [server.pid, *server.workers()]
    )


def descriptors(pid):
    """Return the files that a process has open, as far as they are files."""
    entries = Path(f"/proc/{pid}/fd").iterdir()
    return [entry for entry in entries if os.path.exists(entry)]


def test_the_second_rotation_compresses_what_the_first_one_renamed(host):
    server = host.start_tricorn("logrotate/tricorn.conf.py")
    logs = host.folder / "var/log/shop"
    for _ in range(2):
        with through_the_socket(host) as client:
            client.get("/hello")
        eventually(lambda: targets(logs / "access.log"), "a line")
        rotate(host)
        eventually(lambda: all_opened(server, logs / "access.log"), "the new file is open")
    names = {path.name for path in logs.glob("access.log*")}
    assert names == {"access.log", "access.log.1", "access.log.2.gz"}


def test_logrotate_is_content_where_no_server_runs(host):
    (host.folder / "var/log/shop/access.log").write_text("a line\n")
    rotate(host)
    assert (host.folder / "var/log/shop/access.log.1").read_text() == "a line\n"


# systemd, which does not run here: its own tool reads the units.


def verify(host, **changes):
    """Return what `systemd-analyze verify` has to say of the units."""
    require("systemd-analyze")
    units = [
        str(host.place(f"systemd/{name}", f"/etc/systemd/system/{name}", **changes))
        for name in ("tricorn.service", "tricorn.socket")
    ]
    command = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_systemd_analyze_finds_nothing_in_the_units(host):
    assert verify(host) == (0, "")


def test_systemd_analyze_would_find_a_word_that_is_not_systemd_s(host):
    assert "WatchdogSecs" in verify(host, WatchdogSec="WatchdogSecs")[1]


def unit(name):
    """Return a unit's settings."""
    lines = (EXAMPLES / "systemd" / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))


def test_systemd_waits_longer_for_a_stop_than_tricorn_takes():
    patience = int(unit("tricorn.service")["TimeoutStopSec"])
    assert patience > setting("systemd/tricorn.conf.py", "graceful_timeout")


def test_the_socket_that_systemd_opens_is_the_one_that_nginx_asks():
    path = unit("tricorn.socket")["ListenStream"]
    assert f"server unix:{path};" in (EXAMPLES / "nginx/upstream-unix.nginx").read_text()


def test_the_service_s_own_folder_is_not_the_one_of_the_socket():
    service, socket = unit("tricorn.service"), unit("tricorn.socket")
    folder = f"/run/{service['RuntimeDirectory']}"
    assert not socket["ListenStream"].startswith(f"{folder}/")
    assert Path(setting("systemd/tricorn.conf.py", "pidfile")).parent == Path(folder)


# All of them.


@pytest.mark.parametrize(
    "example", sorted(str(path.relative_to(EXAMPLES)) for path in EXAMPLES.glob("*/*.conf.py"))
)
def test_the_conf_files_pass_the_check(host, example):
    placed = host.place(example, "/srv/shop/tricorn.conf.py")
    # The unit's RuntimeDirectory.
    (host.folder / "run/tricorn").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tricorn", "--check-config", "-c", str(placed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower()
