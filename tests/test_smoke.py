"""The first thing anybody tries."""

from __future__ import annotations

PLAIN = "tests.apps.plain:application"


def test_a_site_is_served_and_stops_when_told_to(server):
    server.start(PLAIN)
    reply = server.get("/hello")
    assert (reply.status, reply.reason, reply.body) == (200, "OK", b"hello")
    assert server.stop() == 0
    assert "Traceback" not in server.log
