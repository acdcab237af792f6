"""Config files of the shapes that sites write: each serves, and does what it asks for."""

from __future__ import annotations

import re
import shutil
import stat
from ast import literal_eval
from pathlib import Path

import pytest

from tests.harness import eventually
from tests.harness.client import Client

CONFIGS = Path(__file__).parent / "fixtures" / "configs"
APP = "tests.apps.observed:application"
OBSERVED = ("--hook", "post_worker_init=tests.apps.observed:keep")


def provide(server):
    """Put all the config files into the server's folder: some import others."""
    for path in CONFIGS.glob("*.py"):
        shutil.copy(path, server.folder)


def start(server, place, *arguments, app=APP, bind=("-b", "127.0.0.1:0"), **variables):
    """Start a server with a config file of that name, and wait until it serves."""
    provide(server)
    given = ["-c", place] if place else []
    server.spawn(*given, *bind, *OBSERVED, *arguments, app, **variables)
    server.wait_for_log("Listening at: ")
    return server


def in_force(server, *names):
    """Return the values that the worker has of these settings."""
    return [literal_eval(server.get(f"/{name}").text) for name in names]


def notes(server, count):
    """Return what the hooks have noted, once there are so many lines."""
    path = server.folder / "notes"

    def read():
        lines = path.read_text().splitlines() if path.exists() else []
        return lines if len(lines) >= count else None

    return eventually(read, f"{count} notes in {path}")


def warned(server):
    """Return what the start warned of."""
    return re.findall(r"^Warning: (.*)$", server.log, re.MULTILINE)


# Where the settings stand.


def test_a_file_in_the_working_directory_needs_no_flag(server):
    server.folder.joinpath("gunicorn.conf.py").write_text((CONFIGS / "default_file.py").read_text())
    start(server, None)
    assert in_force(server, "workers", "timeout") == [2, 77]
    assert notes(server, 1) == ["ready with 77"]
    assert warned(server) == []


def test_settings_may_be_a_module(server):
    start(server, "python:module_settings")
    assert in_force(server, "timeout") == [78]
    assert notes(server, 1) == ["forked under python:module_settings"]
    assert warned(server) == []


def test_a_file_that_imports_all_of_another_sets_some_of_it_anew(server):
    start(server, "star_import.py")
    assert in_force(server, "workers", "timeout", "keepalive") == [2, 80, 7]
    assert notes(server, 2) == ["forked by the site"] * 2
    server.stop()
    assert notes(server, 4)[2:] == ["left by the base"] * 2
    assert warned(server) == []


def test_a_file_for_tricorn_may_run_the_one_for_gunicorn_beside_it(server):
    server.write("gunicorn.conf.py", (CONFIGS / "default_file.py").read_text())
    server.write("tricorn.conf.py", (CONFIGS / "beside_gunicorn.py").read_text())
    start(server, None)
    assert in_force(server, "workers", "timeout", "request_timeout") == [2, 77, 20]
    assert notes(server, 1) == ["ready with 77"]
    assert warned(server) == []


def test_settings_may_be_made_by_changing_globals(server):
    start(server, "mutated_globals.py", SITE_TIMEOUT="84", SITE_PROC_NAME="made")
    assert in_force(server, "timeout", "proc_name", "keepalive") == [84, "made", 9]
    assert warned(server) == []


def test_names_that_are_deleted_at_the_end_are_not_set(server):
    start(server, "names_deleted.py")
    assert in_force(server, "timeout", "graceful_timeout") == [81, 30]
    assert warned(server) == []


# Where the hooks come from.


def test_of_a_hook_that_is_defined_twice_the_later_counts(server):
    start(server, "hook_twice.py")
    server.get("/")
    assert notes(server, 1) == ["second"]
    assert warned(server) == []


def test_hooks_may_come_from_another_module(server):
    start(server, "hook_from_module.py")
    server.get("/")
    server.get("/")
    assert notes(server, 5) == ["starting", "about to fork", "forked", "request 1", "request 2"]
    assert warned(server) == []


def test_hooks_may_be_lambdas_and_partials(server):
    start(server, "lambda_hook.py")
    server.get("/")
    assert notes(server, 3) == ["starting", "ready", "forked"]
    assert warned(server) == []


def test_hooks_under_names_of_long_ago_are_left_alone(server):
    start(server, "old_names.py")
    server.get("/")
    assert notes(server, 1) == ["post_fork"]
    assert warned(server) == []


def test_names_that_are_no_settings_are_left_alone_and_slips_are_pointed_out(server):
    start(server, "unknown_names.py")
    assert in_force(server, "preload_app", "loglevel") == [False, "info"]
    assert in_force(server, "worker_connections", "limit_request_line") == [1000, 4094]
    meant = re.findall(r"'(\w+)' is no setting; is '(\w+)' meant\?", "\n".join(warned(server)))
    assert meant == [
        ("preload", "preload_app"),
        ("python_path", "pythonpath"),
        ("log_level", "loglevel"),
        ("worker_conections", "worker_connections"),
    ]
    assert len(warned(server)) == len(meant)


def test_a_variable_whose_setting_is_set_as_well_is_no_slip(server):
    start(server, "helper_names.py")
    assert in_force(server, "loglevel", "accesslog", "workers") == ["debug", "access.log", 2]
    assert warned(server) == []


def test_settings_that_have_nothing_left_to_do_are_taken_in_silence(server):
    start(server, "without_effect.py")
    assert in_force(server, "control_socket_disable", "http_parser") == [True, "python"]
    assert warned(server) == []


# What values look like.


def test_values_may_all_be_text(server):
    start(server, "environment_strings.py", SITE_WORKERS="2")
    names = ("workers", "threads", "timeout", "max_requests", "preload_app", "accesslog")
    assert in_force(server, *names) == [2, 3, 82, 1000, True, ""]
    assert in_force(server, "pidfile", "reload") == [None, False]
    assert "Using worker: gthread" in server.log
    assert warned(server) == []


@pytest.mark.parametrize(
    ("name", "umask", "mode"), [("umask_text.py", 0o007, 0o770), ("umask_decimal.py", 666, 0o545)]
)
def test_a_umask_is_octal_as_text_and_decimal_as_a_number(server, name, umask, mode):
    start(server, name, "-b", "127.0.0.1:0", "-b", "unix:site.sock", bind=())
    assert in_force(server, "umask") == [umask]
    assert stat.S_IMODE((server.folder / "site.sock").stat().st_mode) == mode
    assert warned(server) == []


def test_an_empty_item_among_variables_is_passed_over(server):
    start(server, "empty_env_item.py")
    found = [server.get(f"/variable/{name}").text for name in ("STAGE", "A", "B")]
    assert found == ["production", "1", "2=3"]
    assert warned(server) == []


@pytest.mark.parametrize("name", ["logger_object.py", "logger_dotted.py"])
def test_a_loggers_class_may_be_an_object_or_its_name(server, name):
    start(server, name)
    server.get("/probe")
    server.get("/page")
    server.wait_for_log("access of SiteLogger /page")
    assert "set up by SiteLogger" in server.log
    assert "access of SiteLogger /probe" not in server.log
    assert warned(server) == []


def test_a_loggers_class_may_be_defined_in_the_file(server):
    start(server, "logger_in_file.py")
    server.get("/probe")
    server.get("/page")
    server.wait_for_log("access of ConfigLogger /page")
    assert "access of ConfigLogger /probe" not in server.log
    assert warned(server) == []


def test_a_workers_class_may_be_named_as_gunicorn_names_it(server):
    start(server, "worker_class_dotted.py")
    assert in_force(server, "threads") == [2]
    assert "Using worker: gthread" in server.log
    assert warned(server) == []


def test_addresses_may_be_a_list(server):
    start(server, "bind_list.py", bind=())
    assert in_force(server, "bind") == [["127.0.0.1:0", "unix:site.sock"]]
    with Client(str(server.folder / "site.sock")) as client:
        assert client.get("/").body == b"served"
    assert warned(server) == []


def test_the_level_notset_is_the_default_level(server):
    start(server, "loglevel_notset.py")
    server.get("/")
    server.wait_for_log("[INFO] a line for all")
    assert "[DEBUG]" not in server.log
    assert warned(server) == []


def test_limits_of_0_let_large_requests_through(server):
    start(server, "limits_zero.py")
    fields = [f"X-Field-{number}: {'x' * 100}" for number in range(300)]
    reply = server.get("/" + "y" * 60_000, "X-Large: " + "z" * 60_000, *fields)
    assert (reply.status, reply.body) == (200, b"served")
    assert in_force(server, "max_requests", "timeout") == [0, 0]
    assert warned(server) == []


# What hooks take.


def test_hooks_may_name_their_parameters_as_they_like(server):
    start(server, "arity_variants.py")
    server.get("/page")
    server.stop()
    assert notes(server, 6) == [
        "starting",
        "about to fork",
        "forked",
        "initialised {}",
        "request /page",
        "left",
    ]
    assert warned(server) == []


@pytest.mark.parametrize(
    ("name", "noted"),
    [
        ("post_request_two.py", "GET /page"),
        ("post_request_three.py", "/page GET"),
        ("post_request_four.py", "/page GET 200 OK 200"),
    ],
)
def test_post_request_takes_two_parameters_or_three_or_four(server, name, noted):
    start(server, name)
    server.get("/page")
    assert notes(server, 1) == [noted]
    assert warned(server) == []


# What files do to the objects.


def test_attributes_that_are_hung_on_objects_are_there_at_later_hooks(server):
    start(server, "own_attributes.py")
    server.get("/page")
    assert notes(server, 1) == ["['kept', 7, '/page'] True"]
    server.stop()
    assert notes(server, 2)[1] == "kept 7"
    assert warned(server) == []


def test_a_hook_may_set_a_setting(server):
    start(server, "cfg_set.py")
    assert in_force(server, "timeout", "keepalive") == [83, 8]
    assert notes(server, 1) == ["83 8"]
    assert warned(server) == []


@pytest.mark.parametrize("name", ["worker_alive.py", "worker_handle_exit.py"])
def test_a_hook_may_have_its_worker_leave(server, name):
    start(server, name)
    assert server.get("/leave").status == 200
    assert notes(server, 1) == ["left 1"]
    assert server.get("/").body == b"served"
    assert warned(server) == []


def test_a_hook_may_call_and_wrap_the_application(server):
    start(server, "worker_wsgi.py")
    assert server.get("/").header("X-Site") == "wrapped"
    assert notes(server, 2) == ["warm 200 OK", "served"]
    assert warned(server) == []


def test_a_hook_may_replace_the_error_log(server):
    start(server, "replaced_error_log.py")
    server.get("/")
    path = server.folder / "site.log"
    eventually(lambda: "forked, says the site" in path.read_text(), "a line in the site's own log")
    assert "forked, says the site" not in server.log
    assert warned(server) == []
