"""What the tests drive the server with: a server process, and a client that sends exact bytes."""

from tests.harness.client import Client, Reply
from tests.harness.server import Server
from tests.harness.waiting import eventually

__all__ = ["Client", "Reply", "Server", "eventually"]
