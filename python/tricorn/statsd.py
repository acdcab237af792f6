"""A logger that tells a statsd of requests and messages, with gunicorn's names, to be subclassed.

The native logger does so by itself where ``statsd_host`` is set.
"""

from __future__ import annotations

import logging
import socket
from typing import Any

from tricorn.glogging import Logger

METRIC_VAR = "metric"
VALUE_VAR = "value"
MTYPE_VAR = "mtype"
GAUGE_TYPE = "gauge"
COUNTER_TYPE = "counter"
HISTOGRAM_TYPE = "histogram"
TIMER_TYPE = "timer"


class Statsd(Logger):
    """A logger that sends metrics as well."""

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        prefix = cfg.statsd_prefix.rstrip(".")
        self.prefix = f"{prefix}." if prefix else ""
        self.dogstatsd_tags = cfg.dogstatsd_tags
        self.sock: socket.socket | None = None
        address = cfg.statsd_host
        if not address:
            return
        try:
            self.sock = _connect(address)
        except OSError:
            self.sock = None

    def critical(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at the level critical, and count it."""
        super().critical(msg, *args, **kwargs)
        self.increment("gunicorn.log.critical", 1)

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at the level error, and count it."""
        super().error(msg, *args, **kwargs)
        self.increment("gunicorn.log.error", 1)

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at the level warning, and count it."""
        super().warning(msg, *args, **kwargs)
        self.increment("gunicorn.log.warning", 1)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log an exception, and count it."""
        super().exception(msg, *args, **kwargs)
        self.increment("gunicorn.log.exception", 1)

    def info(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at the level info, or send the metric of ``extra``."""
        self.log(logging.INFO, msg, *args, **kwargs)

    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at the level debug, or send the metric of ``extra``."""
        self.log(logging.DEBUG, msg, *args, **kwargs)

    def log(self, lvl: int | str, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at a level; send the metric that ``extra`` names, whatever the level."""
        extra = kwargs.get("extra") or {}
        metric, value, kind = extra.get(METRIC_VAR), extra.get(VALUE_VAR), extra.get(MTYPE_VAR)
        send = {
            GAUGE_TYPE: self.gauge,
            COUNTER_TYPE: self.increment,
            HISTOGRAM_TYPE: self.histogram,
            TIMER_TYPE: self.timer,
        }.get(str(kind))
        if metric and value is not None and send:
            send(metric, value)
        if msg:
            super().log(lvl, msg, *args, **kwargs)

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        """Log a request, and tell of it."""
        super().access(resp, req, environ, request_time)
        status = resp.status
        if isinstance(status, str):
            status = status.partition(" ")[0]
        millis = request_time.seconds * 1000 + request_time.microseconds / 1000
        self.timer("gunicorn.request.duration", millis)
        self.increment("gunicorn.requests", 1)
        if status:
            self.increment(f"gunicorn.request.status.{int(status)}", 1)

    def gauge(self, name: str, value: Any) -> None:
        """Send what something stands at."""
        self._sock_send(f"{self.prefix}{name}:{value}|g")

    def increment(self, name: str, value: Any, sampling_rate: float = 1.0) -> None:
        """Send what is to be added."""
        self._sock_send(f"{self.prefix}{name}:{value}|c|@{sampling_rate}")

    def decrement(self, name: str, value: Any, sampling_rate: float = 1.0) -> None:
        """Send what is to be taken away."""
        self._sock_send(f"{self.prefix}{name}:-{value}|c|@{sampling_rate}")

    def timer(self, name: str, value: Any) -> None:
        """Send a time in milliseconds."""
        self._sock_send(f"{self.prefix}{name}:{value}|ms")

    def histogram(self, name: str, value: Any) -> None:
        """Send one of many values."""
        self._sock_send(f"{self.prefix}{name}:{value}|h")

    def _sock_send(self, msg: str | bytes) -> None:
        """Send a metric; nobody is told where that fails."""
        if self.sock is None:
            return
        data = msg.encode() if isinstance(msg, str) else msg
        if self.dogstatsd_tags:
            data += f"|#{self.dogstatsd_tags}".encode()
        try:
            self.sock.send(data)
        except OSError as error:
            Logger.warning(self, "Error sending message to statsd", exc_info=error)


def _connect(address: Any) -> socket.socket:
    """Connect to the statsd that ``statsd_host`` names."""
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.connect(address)
        return sock
    host, port = address
    family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    sock = socket.socket(family, kind)
    sock.connect(place)
    return sock
