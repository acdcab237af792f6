"""Settings of gunicorn's that are not honoured yet: refused, pointed out, or taken silently."""

from __future__ import annotations

import re

import pytest

from tests.harness.server import run

PLAIN = "tests.apps.plain:application"

#: Values that ask for what is not there yet, as a config file gives them, and what is said instead.
POINTED_OUT = {
    "asgi_loop": ("'uvloop'", "WSGI is served"),
    "asgi_lifespan": ("'on'", "WSGI is served"),
    "asgi_disconnect_grace_period": ("0", "WSGI is served"),
    "websocket_max_message_size": ("1024", "WSGI is served"),
    "root_path": ("'/api'", "WSGI is served"),
    "uwsgi_allow_ips": ("'10.0.0.0/8'", "HTTP is served"),
    "http_protocols": ("'h2,h1'", "HTTP/1 is served"),
    "http2_cleartext": ("'prior-knowledge'", "HTTP/1 is served"),
    "http2_max_concurrent_streams": ("7", "HTTP/1 is served"),
    "http2_initial_window_size": ("7", "HTTP/1 is served"),
    "http2_max_frame_size": ("20000", "HTTP/1 is served"),
    "http2_max_header_list_size": ("7", "HTTP/1 is served"),
    "cert_reqs": ("__import__('ssl').CERT_REQUIRED", "there is no TLS"),
    "ca_certs": ("'ca.pem'", "there is no TLS"),
    "suppress_ragged_eofs": ("False", "there is no TLS"),
    "do_handshake_on_connect": ("True", "there is no TLS"),
    "ciphers": ("'HIGH'", "there is no TLS"),
    "dirty_apps": ("['site:App']", "there are no dirty workers"),
    "dirty_workers": ("1", "there are no dirty workers"),
    "dirty_threads": ("2", "there are no dirty workers"),
    "dirty_timeout": ("1", "there are no dirty workers"),
    "dirty_graceful_timeout": ("1", "there are no dirty workers"),
    "on_dirty_starting": ("lambda arbiter: None", "there are no dirty workers"),
    "dirty_post_fork": ("lambda arbiter, worker: None", "there are no dirty workers"),
    "dirty_worker_init": ("lambda worker: None", "there are no dirty workers"),
    "dirty_worker_exit": ("lambda arbiter, worker: None", "there are no dirty workers"),
    "control_socket": ("'/tmp/site.ctl'", "there is no control socket"),
    "control_socket_mode": ("0o660", "there is no control socket"),
}


def checked(folder, config="", *arguments, **variables):
    """Check a configuration; return the code and the lines that were said."""
    (folder / "gunicorn.conf.py").write_text(config)
    done = run(folder, "--check-config", *arguments, PLAIN, **variables)
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize("name", POINTED_OUT)
def test_what_is_not_honoured_yet_is_pointed_out_in_one_line(tmp_path, name):
    value, instead = POINTED_OUT[name]
    code, said = checked(tmp_path, f"{name} = {value}\n")
    origin = f"setting '{name}' (from ./gunicorn.conf.py)"
    assert (code, said) == (0, [f"Warning: {origin} is not honoured yet: {instead}"])


def test_each_setting_is_pointed_out_by_itself_and_with_its_own_source(tmp_path):
    config = "dirty_apps = ['site:App']\ndirty_workers = 1\n"
    _, said = checked(
        tmp_path, config, "--dirty-workers", "2", GUNICORN_CMD_ARGS="--control-socket /tmp/s.ctl"
    )
    assert sorted(re.findall(r"setting '(\w+)' \(from ([^)]+)\)", "\n".join(said))) == [
        ("control_socket", "environment variable GUNICORN_CMD_ARGS"),
        ("dirty_apps", "./gunicorn.conf.py"),
        ("dirty_workers", "command line"),
    ]


def test_a_server_with_such_settings_serves(server):
    server.start(PLAIN, config="http_protocols = 'h2,h1'\nhttp2_cleartext = 'both'\n")
    assert server.get("/hello").status == 200
    assert server.log.count("is not honoured yet") == 2


def test_help_lists_them_with_a_remark(tmp_path):
    shown = run(tmp_path, "--help").stdout
    remarked = re.findall(r"--([\w-]+)[^\n]*(?:\n {6,}[^\n-][^\n]*)*\(not honoured yet\)", shown)
    flags = {"dirty_apps": "dirty-app", "uwsgi_allow_ips": "uwsgi-allow-from"}
    expected = {flags.get(name, name.replace("_", "-")) for name in POINTED_OUT}
    hooks = {name for name in expected if name.startswith(("on-dirty", "dirty-worker-"))}
    hooks.add("dirty-post-fork")
    # How an application of PasteDeploy is named.
    paste = {"paste", "paste-global"}
    assert set(remarked) - paste == expected - hooks


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ("certfile = 'cert.pem'", ["certfile", "cert.pem", "TLS"]),
        ("keyfile = 'key.pem'", ["keyfile", "key.pem", "TLS"]),
        ("protocol = 'uwsgi'", ["protocol", "uwsgi", "HTTP"]),
        ("http_protocols = 'h2'", ["http_protocols", "h2", "HTTP/2"]),
    ],
)
def test_what_would_be_served_wrongly_is_not_served(tmp_path, config, names):
    code, said = checked(tmp_path, config + "\n")
    assert (code, len(said)) == (1, 1), said
    for name in [*names, "gunicorn.conf.py"]:
        assert name in said[0]


@pytest.mark.parametrize(
    "config",
    [
        "tmp_upload_dir = '/tmp'",
        "worker_tmp_dir = '/dev/shm'",
        "ssl_version = __import__('ssl').PROTOCOL_TLS_SERVER",
        "http_parser = 'python'",
        "control_socket_disable = True",
        "control_socket_disable = True\ncontrol_socket = '/tmp/site.ctl'",
        # What gunicorn would do without these lines.
        "protocol = 'http'",
        "http_protocols = 'h1'",
        "http2_cleartext = False",
        "asgi_loop = 'auto'\nasgi_lifespan = None\nroot_path = ''",
        "uwsgi_allow_ips = '127.0.0.1, ::1'",
        "dirty_apps = []\ndirty_workers = 0\ndirty_timeout = 300",
        "cert_reqs = __import__('ssl').CERT_NONE\nsuppress_ragged_eofs = True",
        "on_dirty_starting = None",
        "certfile = keyfile = None",
    ],
)
def test_what_asks_for_nothing_is_taken_without_a_word(tmp_path, config):
    assert checked(tmp_path, config + "\n") == (0, [])


@pytest.mark.parametrize("flag", ["--suppress-ragged-eofs", "--no-control-socket"])
def test_flags_that_ask_for_nothing_are_taken_without_a_word(tmp_path, flag):
    assert checked(tmp_path, "", flag) == (0, [])


def test_the_control_sockets_default_place_is_not_taken_for_a_wish(tmp_path):
    assert checked(tmp_path, XDG_RUNTIME_DIR="/run/user/1000") == (0, [])


def test_hooks_of_dirty_workers_are_callable_on_cfg_as_all_hooks_are(server):
    server.start(
        PLAIN,
        config="""
            def when_ready(server):
                server.cfg.on_dirty_starting("arbiter")
                server.cfg.dirty_worker_exit("arbiter", "worker")
                server.log.info("both were called")
            def dirty_worker_exit(arbiter, worker):
                print("of %s: %s" % (arbiter, worker), flush=True)
        """,
    )
    server.wait_for_log("both were called")
    assert "of arbiter: worker" in server.log
