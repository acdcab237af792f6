"""What systemd passes to a process, and what it is told."""

from __future__ import annotations

import os
import socket
from typing import Any

from tricorn._addresses import unix_name

#: The first descriptor that it passes.
SD_LISTEN_FDS_START = 3


def listen_fds(unset_environment: bool = True) -> int:
    """Return how many sockets have been passed to this process; forget them unless told not to."""
    count = int(os.environ.get("LISTEN_FDS", 0))
    if int(os.environ.get("LISTEN_PID", 0)) != os.getpid():
        return 0
    if unset_environment:
        del os.environ["LISTEN_PID"]
        os.environ.pop("LISTEN_FDS", None)
    return count


def sd_notify(state: str, logger: Any, unset_environment: bool = False) -> None:
    """Tell systemd of a state, such as ``READY=1``, if it wants to be told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    address = unix_name(address)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect(address)
            sock.sendall(state.encode())
    except OSError as error:
        logger.debug("systemd cannot be told: %s", error)
    finally:
        if unset_environment:
            os.environ.pop("NOTIFY_SOCKET", None)
