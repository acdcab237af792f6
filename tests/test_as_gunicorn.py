"""Programs that are written for gunicorn, run by ``python -m tricorn.as_gunicorn``."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.harness.server import ROOT, environment

RUN = ("-m", "tricorn.as_gunicorn")

#: One that sets its settings itself, and whose module stands beside it.
EMBEDDED = """
    import multiprocessing
    import sys

    import gunicorn.app.base

    from words import greeting

    def handler_app(environ, start_response):
        body = f"{greeting} {sys.argv[1:]} {__name__}".encode()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body]

    class StandaloneApplication(gunicorn.app.base.BaseApplication):
        def __init__(self, app, options=None):
            self.options = options or {}
            self.application = app
            super().__init__()

        def load_config(self):
            for key, value in self.options.items():
                if key in self.cfg.settings and value is not None:
                    self.cfg.set(key.lower(), value)

        def load(self):
            return self.application

    if __name__ == "__main__":
        StandaloneApplication(handler_app, {"bind": "127.0.0.1:0", "workers": 1, "no": 1}).run()
"""

#: What ends it in another way.
BY_ARBITER = """
    from gunicorn.arbiter import Arbiter

    site = StandaloneApplication(handler_app, {"bind": "127.0.0.1:0"})
    assert Arbiter(site).num_workers == 1
    Arbiter(site).run()
"""

#: One that has a command line like gunicorn's, with a setting of its own.
WITH_FLAGS = """
    from gunicorn.app.base import Application
    from gunicorn.config import Setting, validate_string
    from gunicorn.util import import_app

    class Greeting(Setting):
        name = "greeting"
        section = "Site"
        cli = ["--greeting"]
        meta = "TEXT"
        validator = validate_string
        default = "hello"
        desc = "What to say."

    class Site(Application):
        def init(self, parser, opts, args):
            self.app_uri = args[0]
            self.load_config_from_file("site.py")
            self.cfg.set("post_worker_init", lambda worker: print("init's hook", flush=True))
            return {"bind": "127.0.0.1:0"}

        def load(self):
            inner = import_app(self.app_uri)
            def told(environ, start_response):
                settings = [self.cfg.greeting, self.cfg.timeout, self.cfg.threads]
                environ["told"] = repr(settings)
                return inner(environ, start_response)
            return told

    Site("%(prog)s [OPTIONS] APP").run()
"""

TOLD = """
    def application(environ, start_response):
        start_response("200 OK", [])
        return [environ["told"].encode()]
"""


def refused(*arguments, **variables):
    """Run a program that is not to serve, and return its code and what it printed."""
    done = subprocess.run(
        [sys.executable, *RUN, *arguments],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def program(server):
    """Run a program in a folder with what it imports."""

    def start(text, *arguments, by=("program.py",), **variables):
        server.write("program.py", text)
        server.write("words.py", 'greeting = "good day"')
        server.write("told.py", TOLD)
        server.write("site.py", "timeout = 77\nnonsense = 1\n")
        return server.run_program(*RUN, *by, *arguments, **variables)

    return start


def test_a_program_with_settings_of_its_own_serves(program):
    server = program(EMBEDDED, "one", "--two")
    assert server.get("/").body == b"good day ['one', '--two'] __main__"
    assert server.stop() == 0


def test_a_program_can_be_a_module(program):
    server = program(EMBEDDED, "one", by=("-m", "program"))
    assert server.get("/").body == b"good day ['one'] __main__"


def test_a_program_with_a_command_line_serves_by_its_flags_and_its_own_setting(program):
    server = program(WITH_FLAGS, "--greeting", "moin", "--threads", "3", "told")
    assert server.get("/").body == b"['moin', 77, 3]"
    assert "init's hook" in server.log


def test_a_program_takes_its_own_setting_from_its_config_file_too(server, program):
    server.write("gunicorn.conf.py", 'greeting = " moin "\ntimeout = 78\n')
    program(WITH_FLAGS, "told")
    assert server.get("/").body == b"['moin', 78, 1]"


@pytest.mark.parametrize(
    ("variable", "flags", "told"),
    [
        ("--greeting moin --threads 3", (), "['moin', 77, 3]"),
        ("--greeting=moin -c python:site_of_ours", (), "['moin', 79, 2]"),
        ("-c python:site_of_ours", (), "['servus', 79, 2]"),
        ("--greeting=moin --threads=3", ("--greeting=ahoi",), "['ahoi', 77, 3]"),
        ("", ("-c", "python:site_of_ours"), "['servus', 79, 2]"),
        ("", ("--config=python:site_of_ours", "--greeting", "ahoi"), "['ahoi', 79, 2]"),
    ],
)
@pytest.mark.parametrize("name", ["GUNICORN_CMD_ARGS", "TRICORN_CMD_ARGS"])
def test_a_programs_own_setting_has_its_place_among_the_variables_and_config_modules(
    server, program, name, variable, flags, told
):
    server.write("site_of_ours.py", "greeting = 'servus'\ntimeout = 79\nthreads = 2\n")
    program(WITH_FLAGS, *flags, "told", **{name: variable})
    assert server.get("/").text == told


def test_a_programs_own_flag_in_a_variable_that_has_no_value_is_refused_in_one_line(server):
    server.write("program.py", WITH_FLAGS)
    server.write("site.py", "")
    server.spawn_program(*RUN, "program.py", "told", GUNICORN_CMD_ARGS="--greeting")
    assert server.wait() == 1
    assert server.log == (
        "Error: argument --greeting: expected one argument "
        "(from environment variable GUNICORN_CMD_ARGS); see --help\n"
    )


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("def post_worker_init(worker): print('the file', flush=True)", "the file"),
        ("timeout = 5", "init"),
    ],
)
@pytest.mark.parametrize("given", ["returned", "set"])
def test_a_hook_of_inits_gives_way_to_the_config_files(server, given, file, told):
    server.write("site_of_ours.py", file)
    server.write(
        "program.py",
        f"""
        from gunicorn.app.base import Application

        class Site(Application):
            def init(self, parser, opts, args):
                hook = {{"post_worker_init": lambda worker: print("init", flush=True)}}
                if {given == "set"}:
                    self.cfg.set("post_worker_init", hook.pop("post_worker_init"))
                return {{"bind": "127.0.0.1:0", **hook}}

            def load(self):
                self.cfg.post_worker_init(None)
                return lambda environ, start: start("200 OK", []) and [] or []

        Site().run()
        """,
    )
    server.run_program(*RUN, "program.py", "-c", "python:site_of_ours")
    server.wait_for_log("Booting worker")
    assert server.get("/").status == 200
    # Once by the server, once by the application, from its cfg.
    lines = [line for line in server.log.splitlines() if line in ("init", "the file")]
    assert lines == [told, told]


def test_a_program_refuses_a_wrong_value_of_its_own_setting_in_one_line(server):
    server.write("program.py", WITH_FLAGS)
    server.write("site.py", "")
    server.write("gunicorn.conf.py", "greeting = 3")
    server.spawn_program(*RUN, "program.py", "told")
    assert server.wait() == 1
    assert server.log == "Error: setting 'greeting': 3 is not a string\n"


def test_a_program_keeps_its_own_setting_over_a_reload(program):
    server = program(WITH_FLAGS, "--greeting=moin", "told")
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("Booting worker", count=2)
    server.wait_for_log("Worker exiting")
    assert server.get("/").body == b"['moin', 77, 1]"


def test_a_program_can_be_gunicorn_itself(server):
    server.run_program(*RUN, "-m", "gunicorn", "-b", "127.0.0.1:0", "tests.apps.plain:application")
    assert server.get("/hello").status == 200


def test_a_program_can_start_the_server_by_its_arbiter(program):
    server = program(EMBEDDED.partition("    if __name__")[0] + BY_ARBITER)
    assert server.get("/").body == b"good day [] __main__"


def test_a_program_can_serve_what_a_paste_file_names(program):
    server = program(
        """
        from gunicorn.app.pasterapp import serve

        def application(environ, start_response):
            start_response("200 OK", [])
            return [b"pasted"]

        serve(application, {}, host="127.0.0.1", port="0", threads="2", use="egg:gunicorn#main")
        """
    )
    assert server.get("/").body == b"pasted"
    assert "Using worker: gthread" in server.log


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        ("load_config: ConfigError('no greeting', 'give one')", 1, "Error: no greeting; give one"),
        ("load: AppImportError('the site is gone')", 4, "the site is gone"),
    ],
)
def test_what_a_program_raises_of_gunicorns_ends_it_with_one_line(server, raised, code, told):
    method, _, error = raised.partition(": ")
    server.write(
        "program.py",
        f"""
        from gunicorn.app.base import BaseApplication
        from gunicorn.errors import AppImportError, ConfigError

        class Site(BaseApplication):
            def load_config(self):
                self.cfg.set("bind", "127.0.0.1:0")

            def load(self):
                return None

            def {method}(self):
                raise {error}

        Site().run()
        """,
    )
    server.spawn_program(*RUN, "program.py")
    assert server.wait() == code
    assert told in server.log
    assert "Traceback" not in server.log


def test_help_says_what_it_runs():
    code, text = refused("--help")
    assert code == 0
    assert text.startswith("Usage: python -m tricorn.as_gunicorn SCRIPT [ARGS]\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "no program is named; give SCRIPT, or -m MODULE"),
        (("-m",), "-m names no module; give -m MODULE"),
        (("-m", "no.such.module"), "there is no module no.such.module; check the name"),
        (("-x",), "there is no flag -x; give SCRIPT"),
        (("nothing.py",), "nothing.py cannot be read: No such file or directory; check the path"),
        (("/",), "/ is a directory without a __main__.py; name a file"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(arguments, told):
    code, text = refused(*arguments)
    assert code == 2
    assert text.startswith(f"Error: {told}")
    assert text.count("\n") == 1


def test_a_gunicorn_that_is_imported_too_early_is_pointed_out(tmp_path):
    (tmp_path / "gunicorn.py").write_text("")
    (tmp_path / "sitecustomize.py").write_text("import gunicorn")
    code, text = refused("program.py", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert code == 2
    assert text.startswith(f"Error: gunicorn has been imported from {tmp_path}/gunicorn.py before")
    assert text.count("\n") == 1
