"""The servers, and how each is started with one worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(".bench-venv/bin").resolve()
BUILT = Path(".bench-venv").resolve()
OURS = Path(".venv/bin/tricorn").resolve()


@dataclass(frozen=True)
class Server:
    """A server, or a way to run one."""

    name: str
    #: The command for a function of ``benches.apps`` and a port.
    command: Callable[[str, int], list[str]]
    #: It is a variant of our own, which only some loads measure.
    is_variant: bool = False
    #: It has several workers with several threads each.
    several: bool = False


def _tricorn(name: str, *arguments: str, several: bool = False) -> Server:
    def command(app: str, port: int) -> list[str]:
        bind = ["-b", f"127.0.0.1:{port}", "--log-level", "warning"]
        return [str(OURS), *bind, *arguments, f"benches.apps:{app}"]

    return Server(name, command, is_variant=name != "tricorn", several=several)


def _gunicorn(name: str, *arguments: str, several: bool = False) -> Server:
    def command(app: str, port: int) -> list[str]:
        bind = ["-b", f"127.0.0.1:{port}", "--log-level", "warning", "--no-control-socket"]
        return [str(PEERS / "gunicorn"), *bind, *arguments, f"benches.apps:{app}"]

    return Server(name, command, is_variant=name != "gunicorn", several=several)


def _embedded(name: str) -> Server:
    def command(app: str, port: int) -> list[str]:
        return [str(PEERS / "python"), "-m", "benches.embedded", name, app, str(port)]

    return Server(name, command)


def _granian(name: str, workers: int = 1, threads: int = 1) -> Server:
    def command(app: str, port: int) -> list[str]:
        arguments = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
        size = ["--workers", str(workers), "--blocking-threads", str(threads)]
        quiet = ["--log-level", "warning", "--no-ws"]
        return [str(PEERS / "granian"), *arguments, *size, *quiet, f"benches.apps:{app}"]

    return Server(name, command, several=workers > 1)


def _peregrine(app: str, port: int) -> list[str]:
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--protocol", "wsgi"]
    return [str(PEERS / "peregrine"), *arguments, f"benches.apps:{app}"]


HOOKS = ("-c", "benches/hooks.conf.py")
#: What access logs are written to; removed after each run.
ACCESS_LOG = BUILT / "access.log"
LOG = ("--access-logfile", str(ACCESS_LOG))
JSON_LOG = Path("target/release/libtricorn_plugin_json_log.so").resolve()
FORMAT = ("--plugin", str(JSON_LOG), "--access-log-formatter", "plugin:tricorn.json-log")
#: Two workers with four threads each.
SEVERAL = ("--workers", "2", "--threads", "4")
SERVERS = [
    _tricorn("tricorn"),
    _tricorn("tricorn gthread", "--threads", "4"),
    _tricorn("tricorn gthread 1", "-k", "gthread", "--threads", "1"),
    _tricorn("tricorn gthread 2", "--threads", "2"),
    _tricorn("tricorn gthread 8", "--threads", "8"),
    _tricorn("tricorn hooks", *HOOKS),
    _tricorn("tricorn log", *LOG),
    _tricorn("tricorn json log", *LOG, "--access-logformat", "json"),
    _tricorn("tricorn plugin log", *LOG, *FORMAT),
    _tricorn("tricorn python log", *LOG, "-c", "benches/logger.conf.py"),
    _tricorn("tricorn native", "--plugin", str(BUILT / "one.so")),
    _tricorn("tricorn ten natives", "--plugin", str(BUILT / "ten.so")),
    _tricorn("tricorn answer", "--plugin", str(BUILT / "answer.so")),
    Server("bare loop", lambda _, port: [str(BUILT / "bare"), str(port)], is_variant=True),
    _embedded("freastal"),
    Server("peregrine", _peregrine),
    _embedded("fastwsgi"),
    _embedded("bjoern"),
    _granian("granian"),
    _gunicorn("gunicorn"),
    _gunicorn("gunicorn gthread", "--threads", "4"),
    _gunicorn("gunicorn hooks", *HOOKS),
    _gunicorn("gunicorn log", *LOG),
    _tricorn("tricorn 2 x 4", *SEVERAL, several=True),
    _granian("granian 2 x 4", workers=2, threads=4),
    _gunicorn("gunicorn 2 x 4", *SEVERAL, several=True),
]
