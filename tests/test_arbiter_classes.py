"""Classes in the place of gunicorn's arbiter, its queue of signals, and its names of signals."""

from __future__ import annotations

import pytest

from tests.test_logs import PLAIN

CLASS = """
    import gunicorn.app.base
    import gunicorn.arbiter
    from tests.apps.plain import application

    class Counting(gunicorn.arbiter.Arbiter):
        def __init__(self, app):
            self.steps = ["init"]
            super().__init__(app)

        def setup(self, app):
            self.steps.append("setup")
            super().setup(app)

    def when_ready(server):
        server.log.info("SERVER %s %s", type(server).__name__, getattr(server, "steps", None))
"""

PROGRAM = """
    class Site(gunicorn.app.base.BaseApplication):
        def load_config(self):
            self.cfg.set("bind", "127.0.0.1:0")
            self.cfg.set("when_ready", when_ready)

        def load(self):
            return application
"""

#: What each of these is, and how often under gunicorn too.
MADE = "SERVER Counting ['init', 'setup']"


@pytest.mark.parametrize(
    "run",
    [
        "gunicorn.arbiter.Arbiter = Counting; gunicorn.app.base.Arbiter = Counting; Site().run()",
        "gunicorn.app.base.Arbiter = Counting; Site().run()",
        "Counting(Site()).run()",
    ],
)
def test_a_program_s_own_arbiter_class_is_made_with_the_application_alone(server, run):
    server.write("program.py", CLASS + PROGRAM + f"\n    {run}\n")
    server.run_program("-m", "tricorn.as_gunicorn", "program.py")
    assert server.get("/hello").text == "hello"
    server.wait_for_log(MADE)
    assert "is not called" not in server.log


@pytest.mark.parametrize("module", ["gunicorn.arbiter", "gunicorn.app.base"])
def test_a_class_that_a_config_file_puts_in_place_is_made(server, module):
    server.start(PLAIN, config=CLASS + f"\n    {module}.Arbiter = Counting\n")
    assert server.get("/hello").text == "hello"
    server.wait_for_log(MADE)


def test_what_of_an_arbiter_class_is_not_called_is_pointed_out_in_one_line(server):
    methods = """
        def handle_hup(self): raise AssertionError
        def spawn_worker(self): raise AssertionError
        def my_own(self): raise AssertionError
    gunicorn.arbiter.Arbiter = Counting
    """
    config = CLASS.partition("    def when_ready")[0].rstrip() + "\n" + methods
    server.start(PLAIN, config=config)
    assert server.get("/hello").text == "hello"
    named = "Arbiter class Counting: its handle_hup(), spawn_worker() is not called"
    assert server.log.count(named) == server.log.count("is not called") == 1


def test_an_arbiter_class_that_cannot_be_made_is_one_line(server):
    config = """
        import gunicorn.arbiter
        class Wants(gunicorn.arbiter.Arbiter):
            def __init__(self, app, more): super().__init__(app)
        gunicorn.arbiter.Arbiter = Wants
    """
    server.write("server.conf.py", config)
    server.spawn("-b", "127.0.0.1:0", "-c", "server.conf.py", PLAIN)
    assert server.wait() == 1
    assert "Error: the object 'server' cannot be made: TypeError" in server.log
    assert "__init__(self, app)" in server.log
    assert "Traceback" not in server.log


QUEUE = """
    import signal, queue

    def when_ready(server):
        names = server.SIG_NAMES
        assert (names[signal.SIGHUP], names[signal.SIGTERM]) == ("hup", "term")
        assert signal.SIGTTIN in server.SIGNALS and signal.SIGCHLD not in server.SIGNALS
        assert len(server.SIG_QUEUE) == server.SIG_QUEUE.qsize() == 0 and server.SIG_QUEUE.empty()
        try:
            server.SIG_QUEUE.get_nowait()
        except queue.Empty:
            server.log.info("NOTHING WAITS")

    def worker_ready(server, worker):
        if worker.age == 1:
            server.SIG_QUEUE.PUT(signal.SIGTTIN)
            server.SIG_QUEUE.put_nowait(server.WAKEUP_REQUEST)

    def nworkers_changed(server, new, old):
        server.log.info("WORKERS %s, %s", new, old)
"""


@pytest.mark.parametrize("put", ["put", "put_nowait", "append"])
def test_what_is_put_into_the_queue_of_signals_is_acted_on(server, put):
    server.start(PLAIN, config=QUEUE.replace("PUT", put))
    server.wait_for_log("WORKERS 2, 1")
    assert "NOTHING WAITS" in server.log


SETTINGS = """
    def when_ready(server):
        cfg = server.cfg
        assert sorted(cfg.settings, key=cfg.settings.__getitem__)[:2]
        bind, workers, pre_fork = (cfg.settings[n] for n in ("bind", "workers", "pre_fork"))
        backlog = cfg.settings["backlog"]
        assert bind < backlog and not backlog < bind and not bind < workers < bind
        rows = dict(line.split(" = ", 1) for line in str(cfg).splitlines())
        rows = {name.strip(): value for name, value in rows.items()}
        assert rows["workers"] == "3" and rows["when_ready"] == "<when_ready()>", rows
        server.log.info("SORTED %s", len(rows) == len(cfg.settings))
    workers = 3
"""


def test_settings_are_sorted_and_shown_as_gunicorn_s_are(server):
    server.start(PLAIN, config=SETTINGS)
    server.wait_for_log("SORTED True")


@pytest.mark.parametrize(
    ("arguments", "shown", "named"),
    [
        (("-k", "sync"), "gunicorn.workers.sync.SyncWorker", "sync"),
        (("-k", "sync", "--threads", "2"), "gunicorn.workers.gthread.ThreadWorker", "gthread"),
        (("-k", "gthread"), "gunicorn.workers.gthread.ThreadWorker", "gthread"),
        *(
            (
                ("-k", f"gunicorn.workers.{name}"),
                f"gunicorn.workers.{name}",
                f"gunicorn.workers.{name}",
            )
            for name in ("sync.SyncWorker", "gthread.ThreadWorker")
        ),
        (
            ("-k", "gunicorn.workers.sync.SyncWorker", "--threads", "2"),
            "gunicorn.workers.gthread.ThreadWorker",
            "gthread",
        ),
        (("-k", "classes.Mine"), "classes.Mine", "classes.Mine"),
    ],
)
def test_the_worker_class_is_called_what_programs_compare_it_with(server, arguments, shown, named):
    server.write(
        "classes.py",
        """
        from gunicorn.workers.sync import SyncWorker
        class Mine(SyncWorker): pass
        """,
    )
    config = """
        def when_ready(server):
            cfg = server.cfg
            shown = cfg.worker_class, cfg.worker_class_str, cfg.logger_class
            server.log.info("CLASS %s %s %s", *shown)
    """
    server.start(PLAIN, *arguments, config=config)
    server.wait_for_log(f"CLASS <class '{shown}'> {named} <class 'gunicorn.glogging.Logger'>")
