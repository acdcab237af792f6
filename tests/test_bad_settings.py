"""Values that cannot be: one line that names the setting, the value, the source and the mend."""

from __future__ import annotations

import re

import pytest

from tests.harness.server import run

PLAIN = "tests.apps.plain:application"

#: For each setting of gunicorn's, what a config file may not say of it: the value, and the word for
#: what is wrong.
REFUSED = {
    "config": [("5", "not text")],
    "wsgi_app": [("5", "not text")],
    "bind": [
        ("8000", "not a list of strings"),
        ("'host:port'", "does not end in a port"),
        ("'127.0.0.1:99999'", "does not end in a port"),
        ("'[::1'", "opening bracket"),
        ("'::1'", "an IPv6 address stands in brackets"),
        ("':::8000'", "an IPv6 address stands in brackets"),
        ("'http://127.0.0.1:8000'", "is a URL"),
        ("'127.0.0.1:8000,127.0.0.1:8001'", "more than one address"),
        ("'unix:'", "not followed by a path"),
        ("'fd://three'", "not a file descriptor"),
        ("[]", "no address"),
        ("[8000]", "not text"),
    ],
    "backlog": [("'long'", "not a whole number")],
    "workers": [
        ("'many'", "not a whole number"),
        ("-1", "negative"),
        ("1.5", "not a whole number"),
        ("None", "not a whole number"),
        ("'010'", "not a whole number"),
    ],
    "worker_class": [
        ("'nonesuch'", "not a worker class"),
        ("'no.such.Worker'", "cannot be imported"),
        ("int", "not a worker class"),
        ("5", "not a class"),
        ("''", "not a class"),
    ],
    "threads": [("'x'", "not a whole number")],
    "worker_connections": [("-1", "negative")],
    "max_requests": [("[]", "not a whole number")],
    "max_requests_jitter": [("-1", "negative")],
    "timeout": [("0.5", "not a whole number"), ("{}", "not a whole number")],
    "graceful_timeout": [("'soon'", "not a whole number")],
    "keepalive": [("-1", "negative")],
    "asgi_loop": [("'twisted'", "not one of auto, asyncio, uvloop")],
    "asgi_lifespan": [("'maybe'", "not one of auto, on, off")],
    "asgi_disconnect_grace_period": [("'x'", "not a whole number")],
    "websocket_max_message_size": [("-1", "negative")],
    "http_parser": [("'slow'", "not one of auto, fast, python")],
    "limit_request_line": [("-1", "negative")],
    "limit_request_fields": [("'x'", "not a whole number")],
    "limit_request_field_size": [("-1", "negative")],
    "reload": [("1", "neither True nor False"), ("'yes'", "neither True nor False")],
    "reload_engine": [("'kqueue'", "not one of auto, poll, inotify")],
    "reload_extra_files": [("['/no/such/file']", "does not exist"), ("5", "not a list")],
    "spew": [("'x'", "neither True nor False")],
    "check_config": [("2", "neither True nor False")],
    "print_config": [("2", "neither True nor False")],
    "preload_app": [("'maybe'", "neither True nor False")],
    "sendfile": [("'maybe'", "neither True nor False")],
    "reuse_port": [("1", "neither True nor False")],
    "chdir": [("'/no/such/folder'", "not a directory"), ("5", "not text")],
    "daemon": [("0", "neither True nor False")],
    "raw_env": [("['NOVALUE']", "not NAME=VALUE"), ("{'A': 'b'}", "not a list"), ("[5]", "text")],
    "pidfile": [("5", "not text")],
    "worker_tmp_dir": [("5", "not text")],
    "user": [("'nobody_of_this_name'", "there is no user"), ("-1", "not a user")],
    "group": [("'nobody_of_this_name'", "there is no group"), ("1.5", "not a group")],
    "umask": [("'099'", "not a whole number"), ("'rwx'", "not a whole number")],
    "initgroups": [("1", "neither True nor False")],
    "tmp_upload_dir": [("5", "not text")],
    "pythonpath": [("['/a']", "not text")],
    "paste": [("5", "not text")],
    "raw_paste_global_conf": [("5", "not a list of strings")],
    "secure_scheme_headers": [("'https'", "not a dict"), ("{'X-PROTO': 1}", "not a dict")],
    "forwarded_allow_ips": [("'proxy'", "neither an IP address"), ("'10.0.0.1/8'", "host bits")],
    "forwarder_headers": [("5", "not a list of strings")],
    "header_map": [("'keep'", "not one of drop, refuse, dangerous")],
    "proxy_protocol": [("'v3'", "not one of off, v1, v2, auto"), ("2", "not one of off")],
    "proxy_allow_ips": [("'proxy'", "neither an IP address")],
    "protocol": [("'fastcgi'", "not one of http, uwsgi"), ("'uwsgi'", "cannot be honoured")],
    "uwsgi_allow_ips": [("'10.0.0.1/8'", "host bits")],
    "root_path": [("5", "not text")],
    "permit_obsolete_folding": [("1", "neither True nor False")],
    "strip_header_spaces": [("1", "neither True nor False")],
    "permit_unconventional_http_method": [("1", "neither True nor False")],
    "permit_unconventional_http_version": [("1", "neither True nor False")],
    "casefold_http_method": [("1", "neither True nor False")],
    "accesslog": [("5", "not text"), ("'/no/such/dir/a.log'", "cannot write")],
    "access_log_format": [
        ("5", "not text"),
        ("'%(h'", "not followed by (NAME)s"),
        ("'%(zz)s'", "there is no atom"),
    ],
    "errorlog": [("5", "not text"), ("'/no/such/dir/e.log'", "cannot write")],
    "loglevel": [("'loud'", "not a level"), ("10", "not text")],
    "capture_output": [("1", "neither True nor False")],
    "logger_class": [
        ("'no.such.Logger'", "cannot be imported"),
        ("'os.sep'", "not a class"),
        ("'nonesuch'", "neither a dotted name nor offered"),
        ("'plugin:none'", "no plugin with the id"),
        ("5", "not a class"),
    ],
    "logconfig": [
        ("'/no/such.ini'", "does not exist"),
        ("'/no/such.yaml'", "No such file"),
        ("5", "not text"),
    ],
    "logconfig_dict": [("'x'", "not a dict")],
    "logconfig_json": [("'/no/such.json'", "does not exist"), ("5", "not text")],
    "syslog": [("'perhaps'", "neither True nor False")],
    "syslog_addr": [("5", "not text"), ("'here'; syslog = True", "begins with none of udp://")],
    "syslog_prefix": [("5", "not text")],
    "syslog_facility": [("5", "not text"), ("'loud'; syslog = True", "not a facility")],
    "disable_redirect_access_to_syslog": [("1", "neither True nor False")],
    "enable_stdio_inheritance": [("1", "neither True nor False")],
    "statsd_host": [("'host:port'", "not a port"), ("5", "not text")],
    "statsd_prefix": [("5", "not text")],
    "dogstatsd_tags": [("5", "not text")],
    "enable_backlog_metric": [("1", "neither True nor False")],
    "proc_name": [("5", "not text")],
    "default_proc_name": [("5", "not text")],
    "keyfile": [("'key.pem'", "cannot be honoured"), ("5", "not text")],
    "certfile": [("'cert.pem'", "cannot be honoured")],
    "cert_reqs": [("3", "out of range"), ("'x'", "not a whole number")],
    "ca_certs": [("5", "not text")],
    "suppress_ragged_eofs": [("1", "neither True nor False")],
    "do_handshake_on_connect": [("1", "neither True nor False")],
    "ciphers": [("5", "not text")],
    "http_protocols": [
        ("'h3'", "not one of h1, h2"),
        ("'h1,h1'", "twice"),
        ("'h2'", "cannot be honoured"),
        ("5", "not a list"),
    ],
    "http2_cleartext": [("'h2c'", "not one of off, prior-knowledge, upgrade, both")],
    "http2_max_concurrent_streams": [("0", "out of range")],
    "http2_initial_window_size": [("2**31", "out of range")],
    "http2_max_frame_size": [("16383", "out of range"), ("2**24", "out of range")],
    "http2_max_header_list_size": [("-1", "negative")],
    "dirty_apps": [("5", "not a list of strings")],
    "dirty_workers": [("-1", "negative")],
    "dirty_timeout": [("'x'", "not a whole number")],
    "dirty_threads": [("'x'", "not a whole number")],
    "dirty_graceful_timeout": [("'x'", "not a whole number")],
    "on_dirty_starting": [("5", "not callable"), ("'no.such:hook'", "cannot be imported")],
    "dirty_post_fork": [("lambda arbiter: 1", "takes 1 positional arguments and is given 2")],
    "dirty_worker_init": [("lambda: 1", "takes 0 positional arguments and is given 1")],
    "dirty_worker_exit": [("[]", "not callable")],
    "control_socket": [("5", "not text")],
    "control_socket_mode": [("'rw'", "not a whole number")],
    "control_socket_disable": [("1", "neither True nor False")],
}

#: The same of its hooks.
REFUSED_HOOKS = {
    "on_starting": [("5", "not callable")],
    "on_reload": [("lambda: 1", "takes 0 positional arguments and is given 1")],
    "when_ready": [("lambda *a: 1", "takes 0 positional arguments and is given 1")],
    "pre_fork": [("lambda server: 1", "takes 1 positional arguments and is given 2")],
    "post_fork": [("[5]", "not callable")],
    "post_worker_init": [("'no.such:hook'", "cannot be imported")],
    "worker_int": [("'os:nothing_'", "has no nothing_")],
    "worker_abort": [("'word'", "not a dotted name")],
    "pre_exec": [("{}", "not callable")],
    "pre_request": [("lambda worker: 1", "takes 1 positional arguments and is given 2")],
    "post_request": [("lambda worker: 1", "takes 1 positional arguments and is given 4")],
    "child_exit": [("'os.path.join'", "takes 1 positional arguments and is given 2")],
    "worker_exit": [("True", "not callable")],
    "nworkers_changed": [("lambda a, b: 1", "takes 2 positional arguments and is given 3")],
    "on_exit": [("lambda a, b: 1", "takes 2 positional arguments and is given 1")],
    "ssl_context": [("lambda a: 1", "takes 1 positional arguments and is given 2")],
}

#: tricorn's own settings, and what their flags may not say. Files have the benefit of the doubt.
OWN = {
    "max_worker_memory": ("--max-worker-memory=300X", "not a number of bytes"),
    "max_worker_age": ("--max-worker-age=-1", "out of range"),
    "max_surge": ("--max-surge=x", "not a whole number"),
    "request_timeout": ("--request-timeout=long", "not a whole number"),
    "boot_timeout": ("--boot-timeout=-0.5", "out of range"),
    "abort_grace": ("--abort-grace=x", "not a whole number"),
    "header_timeout": ("--header-timeout=x", "not a whole number"),
    "body_timeout": ("--body-timeout=x", "not a whole number"),
    "write_timeout": ("--write-timeout=x", "not a whole number"),
    "request_body_buffer": ("--request-body-buffer=-1", "negative"),
    "request_body_memory": ("--request-body-memory=x", "not a whole number"),
    "response_buffer": ("--response-buffer=1.5", "not a whole number"),
    "access_log_exclude": ("--access-log-exclude=/[a", "unclosed"),
    "access_log_formatter": ("--access-log-formatter=os.sep", "not callable"),
    "plugins": ("--plugin=/no/such.so", "cannot be read"),
    "plugin_options": ("--plugin-option=x", "has no value"),
    "plugin_timeout": ("--plugin-timeout=x", "not a whole number"),
    "plugin_allow": ("--plugin-allow=everything", "not one of panic-abort, threads"),
}

#: Those of its own that have a flag which takes no value, and what it ignores by its nature.
WITHOUT_A_VALUE = {
    "preload_reload",
    "gc_freeze",
    "gunicorn_compat",
    "request_body_chunks",
    "permit_missing_host",
    "plugin_keep_copies",
    "ssl_version",
}


def check(folder, *arguments, config=None, **variables):
    """Check a configuration that cannot be; return the code and the one line."""
    if config is not None:
        (folder / "given.conf.py").write_text(config)
        arguments = ("-c", "given.conf.py", *arguments)
    done = run(folder, "--check-config", *arguments, PLAIN, **variables)
    said = (done.stdout + done.stderr).strip()
    assert len(said.splitlines()) == 1, said
    return done.returncode, said


def rows(table):
    return [(name, value, what) for name, refused in table.items() for value, what in refused]


@pytest.mark.parametrize(("name", "value", "what"), rows(REFUSED))
def test_a_value_that_cannot_be_is_one_line(tmp_path, name, value, what):
    code, said = check(tmp_path, config=f"{name} = {value}\n")
    assert code == 1
    assert said.startswith("Error: ")
    assert what in said
    for part in (f"setting '{name}'", "given.conf.py", "; "):
        assert part in said, f"{part!r} is not in: {said}"
    literal = value.partition(";")[0].strip("[]'")
    if re.fullmatch(r"[\w./-]+", literal):
        assert literal in said


@pytest.mark.parametrize(("name", "value", "what"), rows(REFUSED_HOOKS))
def test_a_hook_that_cannot_be_is_one_line(tmp_path, name, value, what):
    code, said = check(tmp_path, config=f"{name} = {value}\n")
    assert code == 1
    for part in (f"hook '{name}'", what, "given.conf.py", "; "):
        assert part in said, f"{part!r} is not in: {said}"


@pytest.mark.parametrize("name", OWN)
def test_a_flag_of_tricorns_own_that_cannot_be_is_one_line(tmp_path, name):
    flag, what = OWN[name]
    code, said = check(tmp_path, flag)
    # A plugin that cannot be loaded is the plugin's own affair.
    assert code == (1 if name == "plugins" else 2)
    for part in (flag.partition("=")[2], what, "command line", "; "):
        assert part in said, f"{part!r} is not in: {said}"
    assert name == "plugins" or f"setting '{name}'" in said


def test_every_setting_and_hook_is_in_one_of_the_tables(tmp_path):
    printed = run(tmp_path, "--print-config", PLAIN).stdout
    names = set(re.findall(r"^(\w+) +=", printed, re.MULTILINE))
    listed = run(tmp_path, "hooks", "list").stdout
    events = set(re.findall(r"^(\w+)", listed, re.MULTILINE))
    known = REFUSED.keys() | OWN.keys() | WITHOUT_A_VALUE | REFUSED_HOOKS.keys()
    assert names - events == known - events
    assert REFUSED_HOOKS.keys() <= events


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--workers", "many"], ["setting 'workers'", "'many'"]),
        (["--umask", "rwx"], ["setting 'umask'", "'rwx'"]),
        (["--bind", "host:port"], ["setting 'bind'", "'host:port'"]),
        (["--header-map", "keep"], ["setting 'header_map'", "'keep'", "drop, refuse, dangerous"]),
        (["--http2-cleartext", "on"], ["setting 'http2_cleartext'", "'on'"]),
        (["--chdir", "/no/such"], ["setting 'chdir'", "'/no/such'"]),
        (["--worker-class", "nonesuch"], ["setting 'worker_class'", "'nonesuch'"]),
        (["--logger-class", "no.such"], ["setting 'logger_class'", "'no.such'"]),
        (["--certfile", "cert.pem"], ["setting 'certfile'", "'cert.pem'"]),
    ],
)
def test_a_value_is_refused_wherever_it_comes_from(tmp_path, arguments, parts):
    code, said = check(tmp_path, *arguments)
    assert code == 2
    for part in [*parts, "(from command line)"]:
        assert part in said, said
    code, said = check(tmp_path, GUNICORN_CMD_ARGS=" ".join(arguments))
    assert code == 2
    for part in [*parts, "(from environment variable GUNICORN_CMD_ARGS)"]:
        assert part in said, said


@pytest.mark.parametrize(
    ("hook", "what"),
    [
        ("nonesuch=os:getpid", "there is no hook 'nonesuch'"),
        ("pre_fork=no.such:hook", "'no.such:hook' cannot be imported"),
        ("pre_fork=os:getpid", "takes 0 positional arguments and is given 2"),
        ("pre_fork", "not EVENT=MODULE:NAME"),
    ],
)
def test_a_hook_on_the_command_line_that_cannot_be_is_one_line(tmp_path, hook, what):
    code, said = check(tmp_path, "--hook", hook)
    assert code == 2
    assert what in said
    assert "--hook" in said


# Names that are nearly a setting's, and names that are nobody's business.

#: As long as such files get: everything in it is the author's own.
REAL = """
import logging
import multiprocessing
import os
import sys
from collections import OrderedDict
from pathlib import Path

from tests.apps import plain

HERE = Path(__file__).parent
_PRIVATE = {"workers": 3}
ENVIRONMENT = os.environ.get("SITE_ENVIRONMENT", "production")
host = "127.0.0.1"
port = os.environ.get("SITE_PORT", "0")
name = "site"
use_loglevel = "info"
log_dir = "/var/log/site"
cores = multiprocessing.cpu_count()
workers_per_core = 0.5
web_concurrency = max(int(workers_per_core * cores), 1)
accesslog_var = os.getenv("ACCESS_LOG", "-")
ordered = OrderedDict(a=1)
for each in ("one", "two"):
    ordered[each] = each


def number_of_workers():
    return min(web_concurrency, 2)


def binding():
    return f"{host}:{port}"


class Settings:
    timeout = 5


class BindError(Exception):
    pass


bind = binding()
workers = number_of_workers()
timeout = Settings.timeout
loglevel = use_loglevel
errorlog = "-"
logger = logging.getLogger(__name__)


def when_ready(server):
    server.log.info("ready: %s", name)


del each
"""


def test_a_real_config_file_full_of_helpers_starts_without_a_word(server):
    server.write("site.conf.py", REAL)
    server.spawn("-c", "site.conf.py", PLAIN)
    server.wait_for_log("ready: site")
    assert server.get("/hello").status == 200
    assert server.stop() == 0
    assert "arning" not in server.log
    assert "is no setting" not in server.log


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("worker_clas = 'sync'", "worker_class"),
        ("loglevl = 'debug'", "loglevel"),
        ("prelaod_app = True", "preload_app"),
        ("graceful_timeuot = 5", "graceful_timeout"),
        ("forwarded_allow_ip = '*'", "forwarded_allow_ips"),
        ("access_logformat = '%(h)s'", "access_log_format"),
    ],
)
def test_a_plain_value_whose_name_is_nearly_a_settings_is_pointed_out(tmp_path, line, meant):
    code, said = check(tmp_path, config=line + "\n")
    name = line.partition(" ")[0]
    assert code == 0
    assert said == f"Warning: given.conf.py: '{name}' is no setting; is '{meant}' meant?"


@pytest.mark.parametrize(
    "lines",
    [
        "def prelod_app(): pass",
        "import logging as loglevl",
        "class workrs: pass",
        "_loglevl = 5",
        "loglevl = 5\ndel loglevl",
    ],
)
def test_functions_modules_classes_and_private_names_are_never_taken_for_slips(tmp_path, lines):
    (tmp_path / "given.conf.py").write_text(lines + "\n")
    done = run(tmp_path, "-c", "given.conf.py", "--check-config", PLAIN)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
