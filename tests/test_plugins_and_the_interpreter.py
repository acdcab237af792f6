"""What a plugin answers needs no interpreter, and is answered while somebody else holds that."""

from __future__ import annotations

import os

import pytest

from tests.harness.client import Client
from tests.harness.plugins import built

#: A page after which a thread takes the interpreter as soon as the gate is written to, and gives it
#: back when it is written to again.
HOLDER = """
    import ctypes
    import os
    import threading

    library = ctypes.PyDLL(None)  # what is called through it keeps the interpreter


    def hold(gate):
        byte = ctypes.create_string_buffer(1)
        held = os.open("held", os.O_RDWR)
        os.read(gate, 1)
        os.write(held, b"1")
        library.read(gate, byte, 1)


    def application(environ, start_response):
        if environ["PATH_INFO"] == "/hold":
            gate = os.open("gate", os.O_RDWR)
            threading.Thread(target=hold, args=(gate,)).start()
        start_response("200 OK", [])
        return [b"from Python"]
"""


@pytest.mark.parametrize("arguments", [(), ("--threads", "4")])
def test_a_thousand_requests_are_answered_while_the_interpreter_is_held(server, arguments):
    os.mkfifo(server.folder / "gate")
    os.mkfifo(server.folder / "held")
    server.write("app.py", HOLDER)
    plugin = ("--plugin", str(built("fixture-probe")))
    server.start("app:application", *arguments, *plugin)
    gate = os.open(server.folder / "gate", os.O_RDWR)
    held = os.open(server.folder / "held", os.O_RDWR)
    assert server.get("/hold").text == "from Python"
    os.write(gate, b"1")
    os.read(held, 1)
    with server.connect() as client:
        for _ in range(1000):
            assert client.get("/facts").text.startswith("GET /facts")
    with Client(server.address, timeout=0.5) as client, pytest.raises(TimeoutError):
        client.get("/")
    os.write(gate, b"1")
    assert server.get("/").text == "from Python"
