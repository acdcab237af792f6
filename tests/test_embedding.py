"""Programs that serve: by derived classes, by `tricorn.serve`, and servers for tests."""

from __future__ import annotations

import signal
import subprocess
import sys
import typing

import pytest
import tricorn.settings
from tricorn import _native

from tests.harness import eventually
from tests.harness.server import ROOT, environment

APPLICATION = """
    import os
    VERSION = os.environ.get("VERSION", "first")
    def application(environ, start_response):
        start_response("200 OK", [])
        return [VERSION.encode()]
"""

OPTIONS = (
    APPLICATION
    + """
    from tricorn.app.base import BaseApplication

    class Site(BaseApplication):
        def __init__(self, app, options):
            self.options = options
            self.application = app
            super().__init__()

        def load_config(self):
            for name, value in self.options.items():
                if name in self.cfg.settings and value is not None:
                    self.cfg.set(name.lower(), value)
            hooks = {"post_fork": self.post_fork, "no_such_hook": None}
            for name in hooks.keys() & self.cfg.settings.keys():
                self.cfg.settings[name].set(hooks[name])
            if os.path.exists("more"):
                self.cfg.set("workers", 3)
            if os.path.exists("broken"):
                self.cfg.set("workers", "many")

        def load(self):
            return self.application

        def post_fork(self, server, worker):
            server.log.info("FORKED %s for %s", worker.id, type(server.app).__name__)
    """
)
SITE = OPTIONS + "Site(application, {'bind': '127.0.0.1:0', 'workers': 2, 'no_such': 1}).run()\n"

COMMAND = (
    APPLICATION
    + """
    from tricorn.app.base import Application

    class Command(Application):
        def init(self, parser, opts, args):
            print("GIVEN", opts.workers, opts.bind, args, parser.prog, flush=True)
            return {"workers": 2, "proc_name": "mine", "threads": 2}

        def load(self):
            return application

    command = Command("%(prog)s [OPTIONS]")
    print("RESOLVED", command.cfg.workers, command.cfg.threads, flush=True)
    command.cfg.set("worker_connections", 77)
    command.run()
    """
)


def test_settings_come_from_a_dict_and_hooks_from_methods(server):
    server.start_program(SITE)
    server.wait_for_log("FORKED", 2)
    assert server.get("/").body == b"first"
    assert len(server.workers()) == 2
    assert "FORKED 1 for Site" in server.log
    assert server.stop() == 0


def test_a_program_reads_no_command_line_no_file_and_no_arguments_in_variables(server):
    server.write("gunicorn.conf.py", "raise SystemExit('it was read')\n")
    server.start_program(SITE, "-w", "5", GUNICORN_CMD_ARGS="-w 7")
    server.wait_for_log("FORKED", 2)
    assert len(server.workers()) == 2


def test_hup_has_the_program_load_its_configuration_anew(server):
    server.start_program(SITE)
    server.wait_for_log("FORKED", 2)
    (server.folder / "more").touch()
    server.send_signal(signal.SIGHUP)
    eventually(lambda: len(server.workers()) == 3, "as many workers as are set now")
    server.wait_for_log("FORKED", 5)


def test_a_program_whose_configuration_breaks_at_hup_serves_on(server):
    server.start_program(SITE)
    server.wait_for_log("FORKED", 2)
    (server.folder / "broken").touch()
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("The reload is given up: setting 'workers': 'many' is not a whole number")
    assert server.get("/").body == b"first"
    (server.folder / "broken").unlink()
    (server.folder / "more").touch()
    server.send_signal(signal.SIGHUP)
    eventually(lambda: len(server.workers()) == 3, "the next reload is heeded")


def test_usr2_executes_the_program_beside_itself(server):
    program = SITE.replace("'workers': 2", "'workers': 1, 'pidfile': 'server.pid'")
    server.start_program(program)
    successor = server.call_successor()
    server.give_way(successor)
    assert server.get("/").body == b"first"


def test_preload_reload_executes_the_program_in_place(server):
    program = SITE.replace("'workers': 2", "'preload_app': True, 'preload_reload': True")
    server.start_program(program)
    server.wait_for_log("FORKED 1")
    server.write("program.py", program.replace('"first"', '"second"'))
    server.send_signal(signal.SIGHUP)
    eventually(lambda: server.get("/").body == b"second", "the new program serves")


def test_an_application_reads_flags_over_its_own_defaults(server):
    server.write("site.conf.py", "threads = 3\ndef when_ready(server): server.log.info('READY')\n")
    server.start_program(COMMAND, "-b", "127.0.0.1:0", "-c", "site.conf.py", "word")
    server.wait_for_log("READY")
    assert "GIVEN None ['127.0.0.1:0'] ['word'] program.py" in server.log
    assert "RESOLVED 2 3" in server.log
    assert server.get("/").body == b"first"
    eventually(lambda: len(server.workers()) == 2, "the program's own default")


def test_an_application_answers_help_and_mistakes_like_the_command(server):
    server.write("program.py", COMMAND)
    for arguments, code, words in [
        (["--help"], 0, "usage: "),
        (["-w", "many"], 2, "many"),
        (["-c", "none.py"], 1, "none.py"),
    ]:
        ended = run(server, *arguments)
        assert ended.returncode == code, ended
        assert words in (ended.stdout + ended.stderr), ended
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("wrokers", "is 'workers' meant?"),
        ("log_level", "is 'loglevel' meant?"),
        ("colour", "see docs/reference/settings.md"),
    ],
)
def test_a_setting_that_there_is_not_is_one_line(server, name, mend):
    server.write("program.py", f"import tricorn\ntricorn.serve('app:app', {name}=3)\n")
    ended = run(server)
    assert ended.returncode == 1
    assert ended.stderr == f"Error: there is no setting '{name}'; {mend}\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("'workers': 'many'", "Error: setting 'workers': 'many' is not a whole number"),
        ("'post_fork': lambda: None", "Error: hook 'post_fork': "),
        ("'bind': 'a:b'", "Error: setting 'bind': 'a:b' does not end in a port"),
    ],
)
def test_a_mistake_of_the_program_is_one_line(server, text, complaint):
    options = OPTIONS.replace("self.cfg.settings[name].set(hooks[name])", "pass")
    options = options.replace("name in self.cfg.settings and ", "")
    server.write("program.py", f"{options}Site(application, {{{text}}}).run()\n")
    ended = run(server)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith(complaint)
    assert "the embedding program" in line


def test_what_a_program_does_not_define_is_named(server):
    text = "from tricorn.app.base import BaseApplication\nBaseApplication().run()\n"
    server.write("program.py", text)
    ended = run(server)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert "BaseApplication.load_config() is not there" in ended.stderr


def test_serve_takes_an_application_and_settings(server):
    server.start_program(
        APPLICATION
        + """
    import tricorn
    tricorn.serve(
        application,
        bind="127.0.0.1:0",
        threads=2,
        when_ready=lambda server: server.log.info("READY %s", server.cfg.threads),
    )
    """
    )
    server.wait_for_log("READY 2")
    assert server.get("/").body == b"first"
    assert server.stop() == 0


def test_serve_takes_the_name_of_an_application(server):
    server.write("site_module.py", APPLICATION)
    server.start_program('import tricorn\ntricorn.serve("site_module", bind="127.0.0.1:0")\n')
    assert server.get("/").body == b"first"


def test_plugins_and_handlers_of_libraries_take_part_in_a_program(server):
    server.start_program(
        APPLICATION
        + """
    import tricorn
    @tricorn.hook("pre_request")
    def note(worker, req):
        worker.log.info("NOTED %s", req.path)
    tricorn.serve(application, bind="127.0.0.1:0", plugins=["package:request-id"])
    """
    )
    assert server.get("/x").header("X-Request-ID")
    server.wait_for_log("NOTED /x")


def test_check_config_is_heeded_by_a_program(server):
    program = SITE.replace("'workers': 2", "'check_config': True")
    server.write("program.py", program)
    assert run(server).returncode == 0


@pytest.mark.parametrize("base", ["BaseApplication", "Application"])
def test_a_program_keeps_a_configuration_of_its_own_class(server, base):
    server.start_program(
        APPLICATION
        + f"""
    from tricorn.app.base import {base} as Base
    from tricorn.config import Config

    class Own(Config):
        def doubled(self):
            return 2 * self.workers

    class Site(Base):
        def load_default_config(self):
            self.cfg = Own(self.usage, prog=self.prog)

        def init(self, parser, opts, args):
            return {{}}

        def load_config(self):
            if Base.__name__ == "Application":
                super().load_config()
            self.cfg.set("bind", "127.0.0.1:0")
            self.cfg.set("workers", 2)
            self.cfg.set("post_worker_init", lambda worker: print("doubled:", worker.cfg.doubled()))

        def load(self):
            return application

    Site().run()
"""
    )
    server.wait_for_log("doubled: 4")


@pytest.mark.parametrize("named", ["sync", "gunicorn.workers.sync.SyncWorker"])
def test_a_program_sees_which_class_its_threads_make_of_sync(server, named):
    program = """
        from tricorn.config import Config

        cfg = Config()
        cfg.set("worker_class", "NAMED")
        assert cfg.worker_class_str == "NAMED"
        cfg.set("threads", 2)
        print(cfg.worker_class_str, cfg.worker_class.__name__)
    """
    server.write("program.py", program.replace("NAMED", named))
    assert run(server).stdout == "gthread ThreadWorker\n"


def run(server, *arguments):
    """Run the program to its end."""
    return subprocess.run(
        [sys.executable, "program.py", *arguments],
        cwd=server.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_the_example_serves_and_passes_its_own_tests(server):
    folder = ROOT / "examples/embedding"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_serve_site.py"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    server.start_program((folder / "serve_site.py").read_text(), "0")
    server.wait_for_log("worker 2 serves")
    assert server.get("/").body.startswith(b"request ")


def test_the_settings_for_type_checkers_are_those_of_the_server():
    rows, hooks, _ = _native.default_settings()
    declared = {row[0] for row in rows} | set(hooks)
    assert set(typing.get_type_hints(tricorn.settings.Settings)) == declared
