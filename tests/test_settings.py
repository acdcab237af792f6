"""Settings: where they come from, which wins, and what is said of those that cannot be."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import signal

import pytest

from tests.harness import eventually
from tests.harness.server import run

PLAIN = "tests.apps.plain:application"

#: Answers with the settings that the worker has.
SHOW = """
    import json
    CFG = None
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(CFG, default=str).encode()]
"""
SHOWING = """
    def post_worker_init(worker):
        import app
        app.CFG = {name: setting.value for name, setting in worker.cfg.settings.items()}
"""


def shown(server, *arguments, config="", name="gunicorn.conf.py", **variables):
    """Start a server, and return the settings its worker sees."""
    server.write("app.py", SHOW)
    path = server.write(name, SHOWING)
    path.write_text(path.read_text() + config)
    server.spawn("-b", "127.0.0.1:0", *arguments, "app:application", **variables)
    server.wait_for_log("Listening at: ")
    return json.loads(server.get("/").body)


def refused(tmp_path, *arguments, config=None, **variables):
    """Run a command that must be refused; return its code and its one line."""
    if config is not None:
        (tmp_path / "given.conf.py").write_text(config)
        arguments = ("-c", "given.conf.py", *arguments)
    done = run(tmp_path, *arguments, **variables)
    said = (done.stdout + done.stderr).strip()
    assert "Traceback" not in said
    assert "panicked" not in said
    return done.returncode, said


# Where settings come from.


@pytest.mark.parametrize("name", ["gunicorn.conf.py", "tricorn.conf.py"])
def test_a_config_file_in_the_working_directory_is_found(server, name):
    settings = shown(server, config="timeout = 77\n", name=name)
    assert (settings["timeout"], settings["config"]) == (77, f"./{name}")


def test_tricorns_own_config_file_comes_before_gunicorns(server):
    server.write("tricorn.conf.py", SHOWING + "\n    timeout = 5\n")
    assert shown(server, config="timeout = 77\n")["timeout"] == 5


def test_a_config_file_is_found_again_after_chdir(server):
    server.write("site/app.py", SHOW)
    server.start("app:application", "--chdir", "site", config=SHOWING + "\n    timeout = 5\n")
    before = json.loads(server.get("/").body)
    assert (before["timeout"], before["chdir"]) == (5, str(server.folder / "site"))
    server.write("server.conf.py", SHOWING + "\n    timeout = 6\n")
    server.send_signal(signal.SIGHUP)
    eventually(lambda: json.loads(server.get("/").body)["timeout"] == 6, "the new time-out")


def test_a_release_behind_a_switched_link_is_found_by_a_reload(server):
    for release in ("one", "two"):
        server.write(f"{release}/app.py", f"RELEASE = '{release}'\n" + plain("RELEASE"))
    link = server.folder / "current"
    link.symlink_to("one")
    server.start("app:application", "--chdir", str(link))
    assert server.get("/").body == b"one"
    link.unlink()
    link.symlink_to("two")
    server.send_signal(signal.SIGHUP)
    eventually(lambda: server.get("/").body == b"two", "the new release")


def test_a_config_module_by_name(server):
    settings = shown(server, "-c", "python:settings_module", name="settings_module.py")
    assert settings["config"] == "python:settings_module"


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(server):
    settings = shown(
        server,
        "--timeout",
        "3",
        config="timeout = 1\ngraceful_timeout = 1\nkeepalive = 1\n",
        GUNICORN_CMD_ARGS="--timeout 2 --graceful-timeout 2",
    )
    assert (settings["timeout"], settings["graceful_timeout"], settings["keepalive"]) == (3, 2, 1)


def test_tricorns_own_variable_wins_over_gunicorns(server):
    settings = shown(
        server, GUNICORN_CMD_ARGS="--timeout 2 --keep-alive 9", TRICORN_CMD_ARGS="--timeout=4"
    )
    assert (settings["timeout"], settings["keepalive"]) == (4, 9)


def test_web_concurrency_and_port_are_defaults(server):
    server.write("app.py", SHOW)
    server.write("gunicorn.conf.py", SHOWING)
    server.spawn("app:application", WEB_CONCURRENCY="3", PORT="0")
    server.wait_for_log("Listening at: http://0.0.0.0:")
    assert json.loads(server.get("/").body)["workers"] == 3


def test_the_file_wins_over_web_concurrency(server):
    assert shown(server, config="workers = 2\n", WEB_CONCURRENCY="3")["workers"] == 2


def test_the_application_may_be_named_in_the_file(server):
    server.write("app.py", SHOW)
    server.write("gunicorn.conf.py", SHOWING + "\n    wsgi_app = 'app:application'\n")
    server.spawn("-b", "127.0.0.1:0")
    server.wait_for_log("Listening at: ")
    assert server.get("/").status == 200


def test_raw_env_reaches_the_application(server):
    server.write("app.py", "import os\nVALUE = os.environ['GREETING']\n" + plain("VALUE"))
    server.start("app:application", "-e", "GREETING=hello", "-e", "OTHER=a=b")
    assert server.get("/").body == b"hello"


def plain(expression):
    return (
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        f"    return [str({expression}).encode()]\n"
    )


def test_pythonpath_and_chdir_decide_where_the_application_is_found(server):
    server.write("elsewhere/library_.py", "NAME = 'library'\n")
    server.write("site/app.py", "import os, library_\n" + plain("(library_.NAME, os.getcwd())"))
    elsewhere = server.folder / "elsewhere"
    server.start("app:application", "--chdir", "site", "--pythonpath", str(elsewhere))
    assert server.get("/").text == str(("library", str(server.folder / "site")))


@pytest.mark.parametrize(
    ("uri", "answer"),
    [
        ("app", b"module"),
        ("app:make()", b"made plain"),
        ("app:make('x', suffix='y')", b"made x y"),
        ("app:holder.inner", b"inner"),
    ],
)
def test_the_ways_to_name_an_application(server, uri, answer):
    server.write(
        "app.py",
        """
        def answering(body):
            def application(environ, start_response):
                start_response("200 OK", [])
                return [body.encode()]
            return application
        application = answering("module")
        def make(name="plain", suffix=""):
            return answering(f"made {name} {suffix}".strip())
        class holder:
            inner = staticmethod(answering("inner"))
        """,
    )
    server.start(uri)
    assert server.get("/").body == answer


def test_a_script_name_in_the_environment_is_taken_off_the_path(server):
    server.start(PLAIN, SCRIPT_NAME="/env")
    shown_environ = json.loads(server.get("/env/env").body)
    assert (shown_environ["SCRIPT_NAME"], shown_environ["PATH_INFO"]) == ("/env", "/env")


def test_what_comes_of_variables_that_are_not_set_is_the_default(server):
    settings = shown(
        server,
        config="sendfile = None\nraw_env = False\nheader_map = None\ncertfile = ''\n",
    )
    assert (settings["sendfile"], settings["raw_env"]) == (True, [])
    assert settings["header_map"] == "drop"


def test_threads_make_gthread_of_sync(server):
    server.start(PLAIN, "--threads", "2")
    server.wait_for_log("Using worker: gthread")


def test_the_process_title_names_the_site(server):
    server.start(PLAIN, "-n", "my-site")
    title = eventually(lambda: title_of(server.pid) if "[" in title_of(server.pid) else None)
    assert title == "gunicorn: master [my-site]"
    eventually(
        lambda: all(title_of(pid) == "gunicorn: worker [my-site]" for pid in server.workers()),
        "the workers' titles",
    )


def title_of(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as line:
        return line.read().rstrip(b"\0 ").decode()


def test_max_requests_jitter_differs_between_workers(server):
    server.start(PLAIN, "--max-requests", "2", "--max-requests-jitter", "30")

    def limits():
        server.get("/hello")
        return [int(limit) for limit in re.findall(r"last of its (\d+) requests", server.log)]

    drawn = eventually(lambda: limits() if len(limits()) >= 8 else None, "8 workers")
    assert len(set(drawn)) > 1
    assert all(2 <= limit <= 32 for limit in drawn)


def test_user_and_group_are_what_the_workers_run_as(server):
    # Only root may become somebody else.
    wanted = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    ids = (wanted.pw_uid, wanted.pw_gid)
    group = grp.getgrgid(wanted.pw_gid).gr_name
    server.start(PLAIN, "--preload", "-u", wanted.pw_name, "-g", group)
    assert server.get("/hello").status == 200
    (worker,) = server.workers()
    with open(f"/proc/{worker}/status") as status:
        found = dict(re.findall(r"^(Uid|Gid):\t(\d+)", status.read(), re.MULTILINE))
    assert (found["Uid"], found["Gid"]) == tuple(map(str, ids))


def test_spew_prints_the_lines_that_run(server):
    server.start(PLAIN, "--spew")
    server.get("/hello")
    server.wait_for_log('return text(start_response, "hello")')


def test_an_unknown_user_is_refused(tmp_path):
    code, said = refused(tmp_path, "-u", "nobody_of_this_name", PLAIN)
    assert (code, "nobody_of_this_name" in said) == (2, True)


def test_the_server_as_a_daemon(server):
    log = server.folder / "error.log"
    done = run(
        server.folder,
        *["-D", "-b", "127.0.0.1:0", "-p", "server.pid", "--log-file", str(log), PLAIN],
    )
    assert done.returncode == 0, done.stderr
    pidfile = server.folder / "server.pid"
    pid = int(eventually(lambda: pidfile.exists() and pidfile.read_text()))
    try:
        said = eventually(lambda: log.exists() and "Listening at" in log.read_text())
        assert said
        server.log_path = log
        assert server.get("/hello").status == 200
        assert os.getsid(pid) != os.getsid(0)
    finally:
        os.kill(pid, signal.SIGTERM)
    eventually(lambda: not pidfile.exists(), "the daemon ends")


@pytest.mark.parametrize(
    "given",
    [
        "(f'{name}=1' for name in ('A', 'B'))",
        "map('='.join, {'A': '1', 'B': '1'}.items())",
        "{'A=1': 0, 'B=1': 0}.keys()",
        "dict.fromkeys(['A=1', 'B=1']).keys()",
        "__import__('collections').deque(['A=1', 'B=1'])",
    ],
)
def test_a_list_is_taken_from_whatever_can_be_gone_through(server, given):
    settings = shown(server, config=f"raw_env = {given}\n")
    assert settings["raw_env"] == ["A=1", "B=1"]


def test_a_list_is_taken_from_a_set(server):
    assert shown(server, config="raw_env = {'A=1'}\n")["raw_env"] == ["A=1"]


# Looking at the settings.


def test_check_config_loads_all_and_serves_nothing(tmp_path):
    done = run(tmp_path, "--check-config", PLAIN)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("app", ["nowhere_:application", "tests.apps.plain:nothing_"])
def test_check_config_finds_a_wrong_application(tmp_path, app):
    code, said = refused(tmp_path, "--check-config", app)
    assert (code, len(said.splitlines())) == (4, 1)


def test_print_config_shows_every_setting(tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text("workers = 3\n")
    done = run(tmp_path, "--print-config", "--timeout", "9", PLAIN)
    assert done.returncode == 0
    rows = dict(re.findall(r"^(\w+)\s+= (.*)$", done.stdout, re.MULTILINE))
    assert (rows["workers"].split()[0], rows["timeout"].split()[0]) == ("3", "9")
    assert {"bind", "worker_class", "pre_fork", "limit_request_line"} <= rows.keys()


def test_print_config_does_not_take_the_application_for_a_form(tmp_path):
    for arguments in (["--print-config", PLAIN], [PLAIN, "--print-config"]):
        done = run(tmp_path, *arguments)
        assert done.returncode == 0
        assert "workers" in done.stdout
    done = run(tmp_path, "--print-config=text", PLAIN)
    assert re.search(r"^workers +=", done.stdout, re.MULTILINE)


def test_print_config_for_programs_is_json_with_values_and_sources(tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text(
        "print('said by the file')\n"
        "workers = 3\n"
        "logger_class = __import__('logging').Logger\n"
        "def post_fork(server, worker): pass\n"
        "pre_request = [lambda worker, req: None, 'tests.test_settings:plain_hook']\n"
    )
    (tmp_path / "app.py").write_text("print('said by the application')\n" + plain("1"))
    done = run(
        tmp_path,
        *("--print-config=json", "--timeout", "9", "--hook", "on_exit=builtins:repr"),
        "app:application",
        GUNICORN_CMD_ARGS="--keep-alive 4",
        WEB_CONCURRENCY="2",
        FORWARDED_ALLOW_IPS="10.0.0.1",
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert "said by the file" in done.stderr
    assert "said by the application" in done.stderr
    assert report["application"] == "app:application"
    settings = report["settings"]
    assert settings["workers"] == {"value": 3, "source": "./gunicorn.conf.py"}
    assert settings["timeout"] == {"value": 9, "source": "command line"}
    assert settings["keepalive"] == {
        "value": 4,
        "source": "environment variable GUNICORN_CMD_ARGS",
    }
    assert settings["forwarded_allow_ips"] == {
        "value": ["10.0.0.1"],
        "source": "environment variable FORWARDED_ALLOW_IPS",
    }
    assert settings["backlog"] == {"value": 2048, "source": "default"}
    assert settings["logger_class"]["value"] == "<class 'logging.Logger'>"
    hooks = {name: [row["handler"] for row in rows] for name, rows in report["hooks"].items()}
    assert hooks["post_fork"] == ["gunicorn.conf.py:post_fork"]
    assert hooks["pre_request"] == ["gunicorn.conf.py:<lambda>", "tests.test_settings:plain_hook"]
    assert hooks["when_ready"] == []
    (row,) = report["hooks"]["on_exit"]
    assert row == {"handler": "builtins:repr", "source": "--hook", "kind": "python"}


def plain_hook(worker, req):
    """Do nothing."""


@pytest.mark.parametrize("form", ["--print-config", "--print-config=json"])
def test_print_config_keeps_secrets(tmp_path, form):
    (tmp_path / "gunicorn.conf.py").write_text(
        "raw_env = ['DATABASE=postgres://site:hunter2@db']\n"
        "logconfig_dict = {'version': 1, 'x': {'password': 'hunter2'}}\n"
    )
    done = run(tmp_path, form, PLAIN)
    assert done.returncode == 0, done.stderr
    assert "DATABASE=***" in done.stdout
    assert "hunter2" not in done.stdout


def test_print_config_can_be_asked_for_in_the_file_too(tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text("print_config = 'json'\n")
    done = run(tmp_path, PLAIN)
    assert done.returncode == 0
    assert json.loads(done.stdout)["settings"]["print_config"]["value"] == "json"


def test_help_names_every_setting_of_the_command_line(tmp_path):
    done = run(tmp_path, "--help")
    assert done.returncode == 0
    for flag in ("--bind", "--workers", "--worker-class", "--timeout", "--config", "-w", "-b"):
        assert flag in done.stdout


@pytest.mark.parametrize("flag", ["--version", "-v"])
def test_version(tmp_path, flag):
    done = run(tmp_path, flag)
    assert done.returncode == 0
    assert re.fullmatch(r"tricorn \(version \d+\.\d+\.\d+\)\n|tricorn \d+\.\d+\.\d+\n", done.stdout)


# What cannot be.


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ("workers = 'many'\n", ["workers", "many", "given.conf.py"]),
        ("workers = -1\n", ["workers", "-1", "given.conf.py"]),
        ("timeout = []\n", ["timeout", "given.conf.py"]),
        ("bind = 5\n", ["bind", "given.conf.py"]),
        ("worker_class = 'nonesuch'\n", ["worker_class", "nonesuch", "given.conf.py"]),
        ("loglevel = 'loud'\n", ["loglevel", "loud", "given.conf.py"]),
        ("access_log_format = '%(h'\n", ["access_log_format", "given.conf.py"]),
        ("def pre_fork(server): pass\n", ["pre_fork", "given.conf.py", "server, worker"]),
        ("pre_request = 'no.such.module:hook'\n", ["pre_request", "no.such", "given.conf.py"]),
        ("pre_request = 5\n", ["pre_request", "given.conf.py"]),
        ("workers = = 1\n", ["given.conf.py", "1"]),
        ("import no_such_module_\n", ["given.conf.py", "no_such_module_"]),
        ("raise ValueError('by the author')\n", ["given.conf.py", "by the author"]),
        ("keyfile = 'key.pem'\n", ["keyfile", "given.conf.py"]),
        ("raw_env = ['NOVALUE']\n", ["raw_env", "NOVALUE", "given.conf.py"]),
        ("forwarded_allow_ips = 'not-an-ip'\n", ["forwarded_allow_ips", "not-an-ip"]),
        ("chdir = '/no/such/dir'\n", ["chdir", "/no/such/dir"]),
    ],
)
def test_a_config_file_that_cannot_be_is_one_line(tmp_path, config, names):
    code, said = refused(tmp_path, PLAIN, config=config)
    assert code == 1
    assert len(said.splitlines()) == 1, said
    for name in names:
        assert name in said, said


@pytest.mark.parametrize(
    ("arguments", "names", "code"),
    [
        (["-c", "missing.conf.py", PLAIN], ["missing.conf.py"], 1),
        (["-c", ".", PLAIN], ["."], 1),
        (["-c", "python:no_such_module_", PLAIN], ["no_such_module_"], 1),
        (["--workers", "many", PLAIN], ["many"], 2),
        (["--nonesuch", PLAIN], ["--nonesuch"], 2),
        (["--timeot", "5", PLAIN], ["--timeot", "--timeout"], 2),
        ([], ["application"], 2),
        (["-p", "/no/such/dir/x.pid", PLAIN], ["/no/such/dir/x.pid"], 1),
        (["--log-file", "/no/such/dir/x.log", PLAIN], ["/no/such/dir/x.log"], 1),
        (["--access-logfile", "/no/such/dir/x.log", PLAIN], ["/no/such/dir/x.log"], 1),
        (["nowhere_:application", "--preload"], ["nowhere_"], 4),
    ],
)
def test_a_command_that_cannot_be_is_one_clear_message(tmp_path, arguments, names, code):
    got, said = refused(tmp_path, *arguments)
    for name in names:
        assert name in said, said
    assert got == code, said


def test_a_variable_that_cannot_be_is_named(tmp_path):
    code, said = refused(tmp_path, PLAIN, GUNICORN_CMD_ARGS="--workers many")
    assert (code, "GUNICORN_CMD_ARGS" in said) == (2, True)
    code, said = refused(tmp_path, PLAIN, WEB_CONCURRENCY="many")
    assert (code, "WEB_CONCURRENCY" in said) == (2, True)


def test_a_name_that_is_nearly_a_setting_is_pointed_out(server):
    server.start(PLAIN, config="worker_clas = 'gthread'\ntimeout_helper = 1\n")
    server.wait_for_log("worker_clas")
    assert "worker_class" in server.log
    assert "timeout_helper" not in server.log


def test_at_the_level_debug_the_log_has_what_is_set_and_where(server):
    config = "workers = 2\nraw_env = ['PASSWORD=hush']\ntimeout = 30\n"
    server.start(PLAIN, "--log-level", "debug", config=config, GUNICORN_CMD_ARGS="--threads 3")
    server.wait_for_log("Booting worker", 2)
    told = [line.partition(" Setting: ")[2] for line in server.log.splitlines()]
    for line in (
        "workers = 2  # server.conf.py",
        "threads = 3  # environment variable GUNICORN_CMD_ARGS",
        "loglevel = 'debug'  # command line",
        "timeout = 30  # server.conf.py",
    ):
        assert told.count(line) == 1, told
    assert not any(line.startswith("keepalive") for line in told)
    assert "hush" not in server.log
    server.write("server.conf.py", "workers = 1\n")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("Setting: workers = 1  # server.conf.py")
