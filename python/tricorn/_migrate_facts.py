"""What is known of gunicorn's settings and hooks, and of what becomes of them here.

Only what is not the same stands here; what a setting is for, and whether it can be honoured, is
the server's own knowledge.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from tricorn._addresses import is_abstract

SAME = "same"
BETTER = "better"
DIFFERENT = "different"
NOT_YET = "not yet"
REFUSED = "refused"
UNKNOWN = "unknown"

#: All of them, the best news first.
VERDICTS = (SAME, BETTER, DIFFERENT, UNKNOWN, NOT_YET, REFUSED)

#: What keeps a site from moving as it stands.
HINDRANCES = (NOT_YET, REFUSED)

#: Gives the value that is in force of a setting.
Lookup = Callable[[str], Any]


class Fact(NamedTuple):
    """What becomes of a setting's value, or of a hook, if a condition holds."""

    verdict: str
    sentence: str
    holds: Callable[[Any, Lookup], bool] = lambda value, look: True


def _has_file(address: str) -> bool:
    name = address.removeprefix("unix:").removeprefix("//")
    return address.startswith("unix:") and not is_abstract(name)


def _is_sync(value: Any, look: Lookup) -> bool:
    return "sync" in str(look("worker_class")).lower() and look("threads") <= 1


def _is_gthread(value: Any, look: Lookup) -> bool:
    name = str(look("worker_class")).lower()
    is_made_so = "sync" in name and look("threads") > 1
    return is_made_so or name in ("gthread", "gunicorn.workers.gthread.threadworker")


def _is_zero(value: Any, look: Lookup) -> bool:
    return bool(value == 0)


def _is_on(value: Any, look: Lookup) -> bool:
    return bool(value)


def _is_missing(value: Any, look: Lookup) -> bool:
    return bool(value) and not os.path.isfile(value)


#: By setting; the first that holds counts, and where none does it is the same.
SETTINGS: dict[str, tuple[Fact, ...]] = {
    "bind": (
        Fact(
            DIFFERENT,
            "all addresses are listened on; gunicorn keeps to the descriptors among them",
            lambda value, look: 0 < sum(item.startswith("fd:") for item in value) < len(value),
        ),
        Fact(
            DIFFERENT,
            "a socket's file that another server listens on is refused; gunicorn takes it over",
            lambda value, look: any(_has_file(item) for item in value),
        ),
        Fact(
            DIFFERENT,
            "unix:@NAME is an abstract socket; gunicorn makes a file of that name",
            lambda value, look: any(item.startswith(("unix:@", "unix://@")) for item in value),
        ),
    ),
    "worker_class": (
        Fact(
            BETTER,
            "a client that is slow to send or to read costs a buffer and not the worker, and "
            "connections are kept between requests",
            _is_sync,
        ),
        Fact(
            BETTER,
            "a client that is slow to send or to read costs a buffer and not a thread",
            _is_gthread,
        ),
    ),
    "worker_connections": (
        Fact(DIFFERENT, "no limit; gunicorn's gthread accepts nothing then", _is_zero),
        Fact(DIFFERENT, "bounds a sync worker too; gunicorn ignores it there", _is_sync),
    ),
    "max_requests": (
        Fact(
            BETTER,
            "a worker serves on until its replacement does, so child_exit comes after the next "
            "pre_fork; max_surge = 0 is gunicorn's order",
            _is_on,
        ),
    ),
    "timeout": (
        Fact(SAME, "no limit", _is_zero),
        Fact(
            BETTER,
            "also replaces a worker none of whose threads moves; a request that runs for longer is "
            "reported, and left to run",
            _is_gthread,
        ),
        Fact(
            BETTER,
            "a worker that is aborted is reported with its request and the stacks of its threads; "
            "loading the application does not count, that is boot_timeout",
        ),
    ),
    "keepalive": (
        Fact(
            BETTER,
            "connections are kept in sync workers too; gunicorn closes them after each answer",
            lambda value, look: value > 0 and _is_sync(value, look),
        ),
    ),
    "limit_request_line": (
        Fact(DIFFERENT, "1 MiB is the limit then; gunicorn has none", _is_zero),
        Fact(
            DIFFERENT,
            "counts as it stands; gunicorn takes 8190 at most",
            lambda value, look: value > 8190,
        ),
    ),
    "limit_request_field_size": (
        Fact(DIFFERENT, "1 MiB is the limit then; gunicorn's is 8190", _is_zero),
    ),
    "reload": (
        Fact(
            SAME,
            "does nothing for an application that preload_app loads",
            lambda value, look: value and look("preload_app"),
        ),
        Fact(
            BETTER,
            "an application that cannot be loaded shows why in the browser, whatever it raised; "
            "gunicorn shows a SyntaxError only",
            _is_on,
        ),
    ),
    "reload_engine": (Fact(BETTER, "needs no package", lambda value, look: value == "inotify"),),
    "preload_app": (
        Fact(
            SAME,
            "HUP does not load the application anew, as with gunicorn; with preload_reload = True "
            "it does",
            _is_on,
        ),
    ),
    "sendfile": (Fact(DIFFERENT, "turns it on; gunicorn takes any value for off", _is_on),),
    "reuse_port": (
        Fact(
            BETTER,
            "the arbiter keeps the sockets and every worker takes from all of them, so nothing "
            "waits in a queue that nobody looks at; USR2 works",
            _is_on,
        ),
    ),
    "worker_tmp_dir": (Fact(BETTER, "not needed: no heartbeat is on disk"),),
    "tmp_upload_dir": (Fact(SAME, "without an effect, in gunicorn too"),),
    "http_parser": (Fact(SAME, "without an effect: there is one parser, and it is native"),),
    "control_socket_disable": (
        Fact(SAME, "there is no control socket", _is_on),
        Fact(DIFFERENT, "there is no control socket; signals and hooks do without"),
    ),
    "proxy_protocol": (
        Fact(
            BETTER,
            "PROXY UNKNOWN is accepted too, with the connection's own address",
            lambda value, look: value != "off",
        ),
    ),
    "casefold_http_method": (
        Fact(DIFFERENT, "small letters are accepted and folded; gunicorn refuses them", _is_on),
    ),
    "paste": (
        Fact(NOT_YET, "name a module that loads the ini file and holds the application instead"),
    ),
    "keyfile": (Fact(NOT_YET, "there is no TLS: let the proxy in front do it"),),
    "certfile": (Fact(NOT_YET, "there is no TLS: let the proxy in front do it"),),
    "accesslog": (
        Fact(
            BETTER,
            "one whole line for each request, made at its true end, for refused ones too",
            _is_on,
        ),
    ),
    "access_log_format": (
        Fact(SAME, "gunicorn's atoms; one that there is not is refused at the start"),
    ),
    "logconfig": (Fact(REFUSED, "there is no such file; gunicorn refuses it too", _is_missing),),
    "logconfig_json": (
        Fact(REFUSED, "there is no such file; gunicorn goes on without it", _is_missing),
    ),
    "syslog_addr": (
        Fact(
            DIFFERENT,
            "messages of a stream end with a line feed; gunicorn ends them with NUL",
            lambda value, look: not value.startswith("udp:") and not value.endswith("#dgram"),
        ),
    ),
    "statsd_host": (
        Fact(SAME, "gunicorn's metrics under gunicorn's names, those of a turn in one datagram"),
    ),
}

#: A config file that is a module.
MODULE = Fact(BETTER, "HUP reads the module again; gunicorn keeps what it has imported")

#: A logger that is the server's own, by its names in gunicorn.
OWN_LOGGER = Fact(BETTER, "the native logger has its place, with gunicorn's format")

#: Any other logger.
OTHER_LOGGER = Fact(
    SAME,
    "runs as it stands, in Python for every request; access_log_exclude and "
    'access_log_format = "json" may do without it',
)

#: Hooks on a worker's way to serving.
AFTER_RELOAD = Fact(
    BETTER,
    "one that raises keeps the server from starting, as in gunicorn; after a reload the old "
    "workers serve on, where gunicorn ends the server",
)

#: By hook; the others do what they do in gunicorn.
HOOKS: dict[str, Fact] = {
    "on_reload": Fact(BETTER, "one that raises gives the reload up; gunicorn ends the server"),
    "pre_fork": Fact(
        BETTER, "one that raises is logged and the fork tried again; gunicorn ends the server"
    ),
    "worker_abort": Fact(
        BETTER, "has abort_grace (5 seconds) before the worker is killed; gunicorn's has about one"
    ),
    "pre_exec": Fact(
        BETTER, "one that raises ends the new process only; gunicorn's takes the server with it"
    ),
    "post_fork": AFTER_RELOAD,
    "post_worker_init": AFTER_RELOAD,
    "pre_request": Fact(
        BETTER, "an OSError it raises is answered with 500 too; gunicorn closes without an answer"
    ),
    "child_exit": Fact(BETTER, "the worker tells how it ended: exitcode, exit_signal, exit_cause"),
    "ssl_context": Fact(NOT_YET, "never called: there is no TLS"),
    "worker_init": Fact(
        DIFFERENT,
        "called in each worker before the application is loaded; gunicorn knows no such hook",
    ),
}

#: Names that hooks had once, and what they are called now. Nothing of gunicorn's calls them.
OLD_HOOKS = {
    "before_fork": "pre_fork",
    "after_fork": "post_fork",
    "before_exec": "pre_exec",
}

#: A worker class that serves by itself.
OWN_LOOP = Fact(
    SAME,
    "it serves in its own loop, as under gunicorn: the server supervises it, and hooks and plugins "
    "of requests are its own affair",
)

#: A worker class that is one of gunicorn's with something added.
DERIVED_WORKER = Fact(SAME, "its methods are called around the server's own loop")

#: What to do about a worker class, by a word in its name.
WORKER_CLASSES = {
    "asgi": "not there yet: ASGI applications run under uvicorn_worker.UvicornWorker",
    "tornado": "tornado's class is not there yet: a WSGI application runs under gthread",
    "gevent": "not there yet: gthread serves as many requests at once as it has threads",
    "eventlet": "not there yet: gthread serves as many requests at once as it has threads",
    "meinheld": "not there yet: gthread serves as many requests at once as it has threads",
}
