"""The site's own tests, against a real server: ``python -m pytest test_serve_site.py``."""

from urllib.request import urlopen

from serve_site import application
from tricorn.testing import Server


def test_every_request_has_an_id():
    with (
        Server(application, plugins=["package:request-id"]) as server,
        urlopen(server.url) as answer,
    ):
        identity = answer.headers["X-Request-ID"]
        assert answer.read() == f"request {identity}\n".encode()
