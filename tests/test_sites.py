"""Real sites, asked by a real client: Django with its admin, Flask with streams and WebSockets."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys

import httpx
import pytest
from simple_websocket import Client as WebSocket

from tests.harness import eventually
from tests.harness.server import environment

SHOP = "tests.sites.shop.wsgi:application"
BOARD = "tests.sites.board:app"
CLASSES = pytest.mark.parametrize("arguments", [["-w", "2"], ["-w", "1", "--threads", "4"]])


@pytest.fixture
def shop(server):
    """Give the Django site, with a database and a user in it."""
    variables = environment(
        DJANGO_SETTINGS_MODULE="tests.sites.shop.settings",
        DJANGO_SUPERUSER_USERNAME="keeper",
        DJANGO_SUPERUSER_PASSWORD="secret",
        DJANGO_SUPERUSER_EMAIL="keeper@example.org",
    )
    for command in (
        ["migrate", "--run-syncdb", "-v0"],
        ["createsuperuser", "--noinput", "-v0"],
    ):
        subprocess.run(
            [sys.executable, "-m", "django", *command],
            cwd=server.folder,
            env=variables,
            check=True,
        )
    return server


def log_in(client):
    """Log in to the admin as a browser does: cookie, token, form."""
    page = client.get("/admin/login/?next=/admin/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
    form = {
        "username": "keeper",
        "password": "secret",
        "csrfmiddlewaretoken": token,
        "next": "/admin/",
    }
    answer = client.post("/admin/login/", data=form)
    assert (answer.status_code, answer.headers["location"]) == (302, "/admin/")


@CLASSES
def test_the_django_admin_from_the_login_to_an_upload(shop, arguments):
    shop.start(SHOP, *arguments)
    with httpx.Client(base_url=shop.url) as client:
        assert client.get("/admin/").status_code == 302
        log_in(client)
        assert "Site administration" in client.get("/admin/").text
        page = client.get("/admin/shop/article/add/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
        picture = os.urandom(300_000)
        added = client.post(
            "/admin/shop/article/add/",
            data={"name": "A chair", "csrfmiddlewaretoken": token},
            files={"picture": ("chair.png", picture, "image/png")},
        )
        assert added.status_code == 302, added.text
        assert "A chair" in client.get("/admin/shop/article/").text
        assert client.get("/media/pictures/chair.png").content == picture


def test_a_form_without_its_token_is_refused_by_django(shop):
    shop.start(SHOP)
    answer = httpx.post(f"{shop.url}/admin/login/", data={"username": "keeper"})
    assert answer.status_code == 403


def test_djangos_static_files(shop):
    shop.start(SHOP)
    with httpx.Client(base_url=shop.url) as client:
        sheet = client.get("/static/admin/css/base.css")
        assert sheet.status_code == 200
        assert sheet.headers["content-type"] == "text/css"
        assert int(sheet.headers["content-length"]) == len(sheet.content) > 1000
        since = {"If-Modified-Since": sheet.headers["last-modified"]}
        assert client.get("/static/admin/css/base.css", headers=since).status_code == 304
        assert client.head("/static/admin/css/base.css").content == b""


def test_django_views(shop):
    shop.start(SHOP)
    with httpx.Client(base_url=shop.url) as client:
        assert client.get("/", params={"name": "Zoë & Co"}).text == "Welcome, Zoë & Co"
        assert client.get("/cookies").headers.get_list("set-cookie") == [
            "one=1; Path=/",
            "two=2; Path=/",
        ]
        assert client.get("/cookies").json() == {"one": "1", "two": "2"}
        assert client.get("/report").text.splitlines()[-1] == "line 999"
        assert client.get("/failing").status_code == 500
        assert client.get("/nowhere").status_code == 404


@CLASSES
def test_flask_sessions_and_forms(server, arguments):
    server.start(BOARD, *arguments)
    with httpx.Client(base_url=server.url) as client:
        visits = [client.get("/", params={"q": "ü"}).json()["visits"] for _ in range(3)]
        assert visits == [1, 2, 3]
        sent = client.post("/form", data={"note": "n"}, files={"file": ("a.txt", b"x" * 5000)})
        assert sent.json() == {"name": "a.txt", "length": 5000, "note": "n"}
        followed = client.get("/redirect", follow_redirects=True)
        assert followed.json()["address"] == "127.0.0.1"


def test_flask_streams_as_it_goes(server):
    server.start(BOARD)
    with httpx.stream("GET", f"{server.url}/ticks", params={"count": 5}) as answer:
        pieces = list(answer.iter_raw())
    assert b"".join(pieces) == b"0\n1\n2\n3\n4\n"
    assert len(pieces) == 5


def test_a_file_that_flask_sends_in_whole_and_in_part(server):
    path = server.folder / "data.bin"
    path.write_bytes(os.urandom(500_000))
    server.start(BOARD)
    with httpx.Client(base_url=server.url, params={"path": str(path)}) as client:
        assert client.get("/file").content == path.read_bytes()
        part = client.get("/file", headers={"Range": "bytes=1000-1999"})
        assert part.status_code == 206
        assert part.content == path.read_bytes()[1000:2000]


def test_a_websocket_under_gthread(server):
    server.start(BOARD, "-k", "gthread", "--threads", "4")
    host, port = server.address
    sockets = [WebSocket.connect(f"ws://{host}:{port}/echo") for _ in range(3)]
    for number, socket in enumerate(sockets):
        socket.send(f"message {number}")
    for number, socket in enumerate(sockets):
        assert socket.receive(timeout=10) == f"message {number}"[::-1]
    assert httpx.get(f"{server.url}/").status_code == 200
    for socket in sockets:
        socket.close()


# Much data, little memory.

LIMIT_OF_GROWTH = 16 * 1024 * 1024


def peak_memory(pid):
    """The most memory the process has had, in bytes."""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def reset_peak(pid):
    """Forget the most memory the process has had."""
    with open(f"/proc/{pid}/clear_refs", "w") as refs:
        refs.write("5")


@pytest.fixture(params=[["-w", "1"], ["-w", "1", "--threads", "2"]], ids=["sync", "gthread"])
def one_worker(server, request):
    """Give the Flask site on one worker that has served already, and that worker."""
    server.start(BOARD, *request.param)
    assert httpx.get(f"{server.url}/").status_code == 200
    httpx.post(f"{server.url}/upload", content=b"x" * 100_000)
    (pid,) = server.workers()
    reset_peak(pid)
    return server, pid, peak_memory(pid)


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_of_100_megabytes_takes_no_memory(one_worker, chunked):
    server, pid, before = one_worker
    piece, count = os.urandom(1_000_000), 100
    digest = hashlib.sha256(piece * count).hexdigest()
    headers = {} if chunked else {"Content-Length": str(len(piece) * count)}
    pieces = (piece for _ in range(count))
    answer = httpx.post(f"{server.url}/upload", content=pieces, headers=headers, timeout=60)
    assert answer.json() == {"length": 100_000_000, "digest": digest}
    assert peak_memory(pid) - before < LIMIT_OF_GROWTH


def test_an_answer_of_1_gibibyte_takes_no_memory(one_worker):
    server, pid, before = one_worker
    length = 0
    with httpx.stream("GET", f"{server.url}/gigabyte", params={"mib": 1024}, timeout=60) as answer:
        for piece in answer.iter_raw(1024 * 1024):
            length += len(piece)
    assert length == 1024**3
    assert peak_memory(pid) - before < LIMIT_OF_GROWTH


def test_a_basic_login_is_in_the_access_log(server):
    server.start(BOARD, "--access-logfile", "-")
    login = base64.b64encode(b"keeper:secret").decode()
    httpx.get(f"{server.url}/", headers={"Authorization": f"Basic {login}"})
    assert eventually(lambda: "127.0.0.1 - keeper [" in server.log, "the access line")
