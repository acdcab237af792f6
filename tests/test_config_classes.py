"""What agents set on the classes of `gunicorn.config`: hooks, settings, and defaults."""

from __future__ import annotations

import pytest

from tests.test_logs import PLAIN

#: A module that is imported before the server reads its configuration, as agents are.
AGENT = """
    import gunicorn.config
    from gunicorn.config import Config

    def told(*given):
        names = [type(one).__name__ for one in given]
        given[-1].log.info("AGENT %s", names)

    {set}
"""

SITE = """
    def pre_fork(server, worker):
        server.log.info("SITE pre_fork")
    def post_fork(server, worker):
        server.log.info("SITE post_fork")
"""

START = "import agent\nfrom tricorn.__main__ import main\nmain()\n"


@pytest.fixture
def with_agent(server):
    """Start the command with an agent in it."""

    def start(text, config=SITE):
        server.write("agent.py", "import tricorn._standin; tricorn._standin.install()\n")
        path = server.write("more.py", AGENT.replace("{set}", text))
        with open(server.folder / "agent.py", "a") as agent:
            agent.write(path.read_text())
        server.write("start.py", START)
        server.write("gunicorn.conf.py", config)
        server.run_program("start.py", "-b", "127.0.0.1:0", PLAIN)
        assert server.get("/hello").text == "hello"
        return server

    return start


@pytest.mark.parametrize(
    "text",
    [
        "Config.pre_fork = staticmethod(told)",
        "Config.pre_fork = lambda server, worker: told(server, worker)",
        "Config.pre_fork = property(lambda cfg: told)",
        "Config.pre_fork = lambda cfg, server, worker: told(server, worker)",
        "setattr(gunicorn.config.Config, 'pre_fork', staticmethod(told))",
    ],
)
def test_a_hook_that_is_set_on_config_stands_in_place_of_the_site_s(with_agent, text):
    server = with_agent(text)
    server.wait_for_log("AGENT ['Arbiter', 'SyncWorker']")
    server.wait_for_log("SITE post_fork")
    assert "SITE pre_fork" not in server.log


def test_a_property_can_wrap_the_site_s_hook(with_agent):
    server = with_agent(
        """
    def wrapped(cfg):
        site = cfg.settings["pre_fork"].get()
        def both(server, worker):
            told(server, worker)
            site(server, worker)
        return both
    Config.pre_fork = property(wrapped)
    """
    )
    server.wait_for_log("SITE pre_fork")
    assert server.log.count("SITE pre_fork") == server.log.count("AGENT") == 1


def test_each_hook_of_a_request_gets_what_it_gets_under_gunicorn(with_agent):
    server = with_agent(
        """
    def pre(worker, req): worker.log.info("PRE %s", req.path)
    def post(worker, req, environ, resp): worker.log.info("POST %s", resp.status)
    Config.pre_request = staticmethod(pre)
    Config.post_request = staticmethod(post)
    """
    )
    server.wait_for_log("POST 200 OK")
    assert "PRE /hello" in server.log


@pytest.mark.parametrize("text", ["Config.workers = 2", "Config.workers = property(lambda cfg: 2)"])
def test_a_setting_that_is_set_on_config_counts_for_the_server_too(with_agent, text):
    server = with_agent(text, config="workers = 1\n")
    server.wait_for_log("Booting worker", count=2)


def test_a_default_that_is_set_on_a_setting_s_class_counts_where_nothing_else_is_set(with_agent):
    text = """
    gunicorn.config.Workers.default = 2
    gunicorn.config.WorkerClass.default = "gthread"
    def forks(server, worker): told(server, worker)
    gunicorn.config.Prefork.default = staticmethod(forks)
    gunicorn.config.Postfork.default = staticmethod(forks)
    """
    config = (
        "def post_fork(server, worker): server.log.info('SITE %s', worker.cfg.worker_class_str)\n"
    )
    server = with_agent(text, config=config)
    server.wait_for_log("SITE gthread", count=2)
    server.wait_for_log("AGENT ['Arbiter', 'ThreadWorker']", count=2)
    assert server.log.count("AGENT") == 2


def test_a_program_s_own_class_of_configurations_counts(server):
    server.write(
        "program.py",
        """
        from gunicorn.app.base import BaseApplication
        from gunicorn.config import Config
        from tests.apps.plain import application

        class Mine(Config):
            workers = 2
            def when_ready(self, server): server.log.info("READY %s", self.workers)

        class Site(BaseApplication):
            def load_default_config(self): self.cfg = Mine(self.usage, prog=self.prog)
            def load_config(self): self.cfg.set("bind", "127.0.0.1:0")
            def load(self): return application

        Site().run()
        """,
    )
    server.run_program("-m", "tricorn.as_gunicorn", "program.py")
    server.wait_for_log("Booting worker", count=2)
    server.wait_for_log("READY 2")
