"""Imports of gunicorn, in a process of tricorn's: what is answered, and with what."""

from __future__ import annotations

import os
import signal
import textwrap

import pytest
from tricorn import _standin

from tests.harness import eventually
from tests.harness.imports import NAMES, THEIRS, run
from tests.harness.server import ROOT

PLAIN = "tests.apps.plain:application"

#: A package that claims to be gunicorn, as installed.
INSTALLED = {
    "gunicorn/__init__.py": "__version__ = '99.0'",
    "gunicorn/workers/__init__.py": "",
    "gunicorn/workers/ggevent.py": "class GeventWorker: pass",
    "gunicorn-99.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: gunicorn\nVersion: 99.0\n",
}

#: Registers what is to be called when a module has been imported, as agents do.
AGENT = """
    import importlib.util, sys

    class Chained:
        def __init__(self, loader, then):
            self.loader, self.then = loader, then

        def create_module(self, spec):
            return self.loader.create_module(spec)

        def exec_module(self, module):
            self.loader.exec_module(module)
            self.then(module)

    class Agent:
        def __init__(self):
            self.waiting = {}

        def find_spec(self, name, path=None, target=None):
            then = self.waiting.pop(name, None)
            if then is None:
                return None
            spec = importlib.util.find_spec(name)
            spec.loader = Chained(spec.loader, then)
            return spec

    agent = Agent()
    sys.meta_path.insert(0, agent)

    def wrap_application(module):
        inner = module.Application.wsgi
        def wsgi(self):
            application = inner(self)
            def told(environ, start_response):
                def start(status, headers, exc_info=None):
                    headers = [*headers, ("X-Agent", module.__name__)]
                    return start_response(status, headers, exc_info)
                return application(environ, start)
            return told
        module.Application.wsgi = wsgi

    agent.waiting["gunicorn.app.base"] = wrap_application
"""


@pytest.fixture
def installed(tmp_path):
    """A directory in which gunicorn is installed: the path to import it by."""
    for name, text in INSTALLED.items():
        path = tmp_path / "packages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return f"{tmp_path / 'packages'}:{ROOT}"


@pytest.fixture(scope="module")
def lacking():
    """For each answered module, the names that it lacks, and its own name."""
    return run(
        f"""
        import importlib
        found = {{}}
        for module, names in {NAMES!r}.items():
            made = importlib.import_module(module)
            found[module] = [made.__name__, [n for n in names.split() if not hasattr(made, n)]]
        print(json.dumps(found))
        """
    )


# What there is.


@pytest.mark.parametrize("module", THEIRS.split())
def test_every_module_of_gunicorn_is_answered_or_refused_with_a_way_out(module):
    parts = module.split(".")
    above = {".".join(parts[: count + 1]) for count in range(len(parts))}
    assert (module in _standin.MODULES) != bool(above & _standin.ABSENT.keys())


def test_every_answered_module_is_one_of_gunicorns_and_its_names_are_checked():
    assert _standin.MODULES.keys() <= set(THEIRS.split())
    assert NAMES.keys() == _standin.MODULES.keys()


@pytest.mark.parametrize("module", NAMES)
def test_a_module_has_its_own_name_and_those_that_others_import(lacking, module):
    assert lacking[module] == [module, []]


@pytest.mark.parametrize(("module", "mend"), _standin.ABSENT.items())
def test_a_module_that_is_not_there_says_what_to_do_without(module, mend):
    told = run(
        f"""
        try:
            import {module}
        except ImportError as error:
            print(json.dumps([type(error).__name__, error.name, str(error)]))
        """
    )
    assert told[:2] == ["ModuleNotFoundError", module]
    assert told[2].startswith(f"tricorn has nothing that stands in for {module}: {mend}; ")
    assert "gunicorn_compat = False" in told[2]


def test_a_name_that_is_left_out_says_why():
    told = run(
        f"""
        import importlib
        told = []
        for name in {list(_standin.LEFT_OUT)!r}:
            module, _, attribute = name.rpartition(".")
            try:
                getattr(importlib.import_module(module), attribute)
            except AttributeError as error:
                told.append(str(error))
        print(json.dumps(told))
        """
    )
    what = "tricorn has nothing that stands in for "
    assert told == [f"{what}{name}: {why}" for name, why in _standin.LEFT_OUT.items()]


def test_what_programs_look_up_of_a_setting_is_the_servers():
    assert run(
        """
        from gunicorn import config
        known = {each.name: each for each in config.KNOWN_SETTINGS}
        print(json.dumps([
            config.Bind.name, config.Bind.default, list(config.Bind.cli), config.Timeout.default,
            known["post_fork"] is config.Postfork, callable(config.Postfork.default),
            config.make_settings(ignore=["bind"])["workers"].get(), "bind" in known,
        ]))
        """
    ) == ["bind", ["127.0.0.1:8000"], ["-b", "--bind"], 30, True, True, 1, True]


def test_a_module_is_there_without_having_been_imported_itself():
    assert run(
        """
        import gunicorn.app.base
        print(json.dumps([gunicorn.util.is_ipv6("::1"), hasattr(gunicorn, "nonsense")]))
        """
    ) == [True, False]


# Where the modules come from.


def test_what_is_set_on_a_module_is_set_on_the_one_behind_it_and_can_be_taken_back():
    assert run(
        """
        from unittest import mock
        import gunicorn.config, gunicorn.util, gunicorn.workers.sync
        import tricorn.compat.util, tricorn.config, tricorn.workers.sync
        before = tricorn.compat.util.getcwd
        with mock.patch("gunicorn.util.getcwd", lambda: "elsewhere"):
            inside = tricorn.compat.util.getcwd()
        with mock.patch("gunicorn.config.Bind", "another"):
            inside += " " + tricorn.config.Bind
        gunicorn.workers.sync.SyncWorker = "another"
        print(json.dumps([inside, tricorn.compat.util.getcwd is before,
                          gunicorn.util.getcwd is before, tricorn.workers.sync.SyncWorker,
                          tricorn.config.Bind.name, gunicorn.config.Bind.name]))
        """
    ) == ["elsewhere another", True, True, "another", "bind", "bind"]


def test_tools_that_look_for_modules_find_the_ones_that_answer():
    assert run(
        """
        import importlib.util, pkgutil, sys
        spec = importlib.util.find_spec("gunicorn.app.base")
        import gunicorn, gunicorn.app.base, inspect
        print(json.dumps([
            spec.name, spec.origin.rpartition("tricorn/")[2],
            importlib.util.find_spec("gunicorn").submodule_search_locations,
            importlib.util.find_spec("gunicorn.nonsense"),
            list(pkgutil.iter_modules(gunicorn.__path__)),
            inspect.getsourcefile(gunicorn.app.base) == spec.origin,
        ]))
        """
    ) == ["gunicorn.app.base", "app/base.py", [], None, [], True]


def test_a_module_that_is_reloaded_is_the_same_and_keeps_what_was_set_on_it():
    assert run(
        """
        import importlib, gunicorn.app.base as base
        former = base.Application
        base.marker = 1
        again = importlib.reload(base)
        print(json.dumps([again is base, again.Application is former, again.marker]))
        """
    ) == [True, True, 1]


def test_the_stand_in_is_asked_before_a_gunicorn_that_is_installed(installed):
    assert run(
        """
        import importlib.metadata, gunicorn
        try:
            import gunicorn.workers.ggevent
        except ImportError as error:
            refused = "worker_class gthread" in str(error)
        print(json.dumps([gunicorn.__version__, refused, importlib.metadata.version("gunicorn")]))
        """,
        PYTHONPATH=installed,
    ) == ["27.0.1", True, "99.0"]


def test_a_gunicorn_that_was_imported_before_stays(installed):
    assert run(
        """
        import gunicorn.workers.ggevent
        print(json.dumps([gunicorn.__version__, standin.is_installed()]))
        """,
        before="import gunicorn, tricorn._standin as standin; standin.install()",
        PYTHONPATH=installed,
    ) == ["99.0", False]


def test_imports_can_be_left_to_a_gunicorn_that_is_installed(installed):
    assert run(
        """
        import gunicorn.app.base as ours
        standin.remove()
        import gunicorn, gunicorn.workers.ggevent
        standin.announce()
        print(json.dumps([gunicorn.__version__, ours.__name__, hasattr(gunicorn, "app")]))
        """,
        PYTHONPATH=installed,
    ) == ["99.0", "gunicorn.app.base", False]


def test_an_installed_gunicorn_does_not_disturb_the_server(server, installed):
    server.start(
        PLAIN,
        config="""
            import gunicorn
            from gunicorn.workers.gthread import ThreadWorker
            print("version", gunicorn.__version__, flush=True)
            worker_class = ThreadWorker
        """,
        PYTHONPATH=installed,
    )
    server.wait_for_log("version 27.0.1")
    assert server.get("/hello").status == 200


# Agents.


def test_an_agent_of_the_environment_wraps_the_application_that_is_served(server):
    agent = server.write("agent/sitecustomize.py", AGENT)
    server.start(PLAIN, PYTHONPATH=f"{agent.parent}:{ROOT}")
    assert server.get("/hello").header("x-agent") == "gunicorn.app.base"


def test_an_agent_of_the_config_file_wraps_the_application_that_is_served(server):
    server.start(PLAIN, config=AGENT)
    assert server.get("/hello").header("x-agent") == "gunicorn.app.base"


def test_an_agent_wraps_the_application_of_a_program_that_imports_tricorn(server):
    agent = server.write("agent/sitecustomize.py", AGENT)
    program = server.write(
        "program.py",
        """
        from tests.apps.plain import application
        from tricorn.app.base import Application

        class Site(Application):
            def init(self, parser, opts, args):
                return {"bind": "127.0.0.1:0"}

            def load(self):
                return application

        Site().run()
        """,
    )
    server.run_program(str(program), PYTHONPATH=f"{agent.parent}:{ROOT}")
    assert server.get("/hello").header("x-agent") == "gunicorn.app.base"


def test_an_agent_that_fails_is_not_passed_over(server):
    server.write("server.conf.py", textwrap.dedent(AGENT) + "wrap_application = 1 / 0\n")
    server.spawn("-c", "server.conf.py", PLAIN)
    assert server.wait() == 1
    assert "ZeroDivisionError" in server.log


# Objects.


def test_requests_answers_and_sockets_are_instances_of_gunicorns_classes(server):
    server.write(
        "app.py",
        """
        from gunicorn.http.body import Body
        from gunicorn.http.wsgi import FileWrapper, WSGIErrorsWrapper

        def application(environ, start_response):
            start_response("200 OK", [])
            kinds = {"wsgi.input": Body, "wsgi.errors": WSGIErrorsWrapper}
            found = [isinstance(environ[key], kind) for key, kind in kinds.items()]
            found.append(environ["wsgi.file_wrapper"] is FileWrapper)
            return [repr(found).encode()]
        """,
    )
    server.start(
        config="""
            from gunicorn.http import Message, Request
            from gunicorn.http.message import Request as SameRequest
            from gunicorn.http.wsgi import Response
            from gunicorn.sock import BaseSocket, TCP6Socket, TCPSocket
            from gunicorn.workers.base import Worker

            def when_ready(server):
                listener = server.LISTENERS[0]
                kinds = (BaseSocket, TCPSocket, TCP6Socket)
                print("listener", [isinstance(listener, kind) for kind in kinds], flush=True)

            def post_request(worker, req, environ, resp):
                mine = [isinstance(req, kind) for kind in (Message, Request, SameRequest, Response)]
                print("request", mine, isinstance(resp, Response), isinstance(worker, Worker))
        """,
    )
    assert server.get("/").body == b"[True, True, True]"
    server.wait_for_log("request [True, True, True, False] True True")
    assert "listener [True, True, False]" in server.log


@pytest.mark.parametrize("asked", ["gunicorn_compat = False", ""])
def test_imports_are_left_to_an_installed_gunicorn_where_that_is_asked_for(server, asked):
    server.write("beside/gunicorn/__init__.py", "WHOSE = b'its own'\n")
    server.write(
        "app.py",
        """
        import gunicorn
        def application(environ, start_response):
            start_response("200 OK", [])
            return [getattr(gunicorn, "WHOSE", b"ours")]
        """,
    )
    flags = [] if asked else ["--no-gunicorn-compat"]
    config = f"from gunicorn.glogging import Logger\npythonpath = 'beside'\n{asked}\n"
    server.start("app:application", *flags, config=config)
    assert server.get("/").body == b"its own"
    server.send_signal(signal.SIGHUP)
    server.wait_for_log("Booting worker", 2)
    eventually(lambda: server.get("/").body == b"its own", "after a reload too")


RAISED = {
    "HaltServer('not today', 7)": 7,
    "HaltServer('not today')": 1,
    "SystemExit('not today')": 1,
}


@pytest.mark.parametrize("raised", RAISED)
@pytest.mark.parametrize("hook", ["on_starting", "when_ready", "pre_fork", "nworkers_changed"])
def test_a_halt_that_a_hook_asks_for_ends_the_server_with_its_code_and_tells_why(
    server, hook, raised
):
    arguments = {"pre_fork": "server, worker", "nworkers_changed": "server, new, old"}
    server.write(
        "server.conf.py",
        f"""
        from gunicorn.errors import HaltServer

        def {hook}({arguments.get(hook, "server")}):
            raise {raised}
        """,
    )
    server.spawn("-c", "server.conf.py", "-b", "127.0.0.1:0", PLAIN)
    assert server.wait() == RAISED[raised]
    line = f"[ERROR] {hook} has the server exit with {RAISED[raised]}: not today\n"
    assert server.log.count(line) == 1


def test_a_halt_that_child_exit_asks_for_waits_for_the_worker_that_was_just_forked(server):
    config = """
        from gunicorn.errors import HaltServer

        def child_exit(server, worker):
            raise HaltServer("not today", 7)

        def on_exit(server):
            server.log.info("AT THE END")
    """
    server.start(PLAIN, config=config)
    server.wait_for_log("Booting worker")
    (pid,) = server.workers()
    os.kill(pid, signal.SIGKILL)
    assert server.wait() == 7
    assert "[ERROR] child_exit has the server exit with 7: not today" in server.log
    assert "The arbiter is gone" not in server.log
    assert server.log.endswith("AT THE END\n")


@pytest.mark.parametrize("hook", ["post_fork", "post_worker_init", "worker_exit", "pre_request"])
def test_a_halt_that_a_workers_hook_asks_for_ends_the_worker_and_tells_why(server, hook):
    arguments = {"post_worker_init": "worker", "pre_request": "worker, req"}
    config = f"""
        import os
        from gunicorn.errors import HaltServer

        def {hook}({arguments.get(hook, "server, worker")}):
            if not os.path.exists("once"):
                open("once", "w").close()
                raise HaltServer("not today", 7)
    """
    server.write("server.conf.py", config)
    server.spawn("-c", "server.conf.py", "-b", "127.0.0.1:0", PLAIN)
    server.wait_for_log("Booting worker")
    if hook == "pre_request":
        assert server.get("/").status == 500
    elif hook == "worker_exit":
        os.kill(server.workers()[0], signal.SIGTERM)
    server.wait_for_log(f"[ERROR] {hook} has the worker exit with 7: not today")
    server.wait_for_log("exited with code 7")


def test_a_halt_while_the_application_is_loaded_tells_why(server):
    server.write("app.py", "import sys\nsys.exit('no database')\n")
    server.spawn("-b", "127.0.0.1:0", "app:application")
    assert server.wait() == 3
    assert "the application exits with 1 while it is loaded: no database" in server.log


# Worker classes.


def test_a_worker_class_with_green_threads_of_its_own_serves(server):
    server.write(
        "own.py",
        """
        import select

        from gunicorn.workers.base_async import AsyncWorker

        class Own(AsyncWorker):
            def run(self):
                while self.alive:
                    self.notify()
                    if select.select(self.wait_fds, [], [], 1)[0] and self.alive:
                        client, address = self.sockets[0].accept()
                        with self.timeout_ctx():
                            self.handle(self.sockets[0], client, address)

            def handle(self, listener, client, addr):
                client.recv(65536)
                client.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\nown")
                client.close()
        """,
    )
    server.start(PLAIN, "-k", "own.Own")
    assert server.get("/").body == b"own"


def test_a_worker_class_that_counts_on_gunicorns_green_threads_is_refused(server):
    server.write(
        "own.py",
        """
        from gunicorn.workers.base_async import AsyncWorker

        class Own(AsyncWorker):
            def run(self):
                pass
        """,
    )
    server.spawn("-k", "own.Own", PLAIN)
    assert server.wait() == 1
    assert "worker_class Own derives from AsyncWorker and has no handle()" in server.log
    assert "use worker_class gthread" in server.log


def test_a_worker_class_of_gunicorns_that_is_not_there_is_refused_with_a_way_out(server):
    server.spawn("-k", "gunicorn.workers.ggevent.GeventWorker", PLAIN)
    assert server.wait() != 0
    assert "gunicorn.workers.ggevent: use worker_class gthread" in server.log
