"""A config file whose hooks each log a line: what fires when, and in which process.

A ``gunicorn.conf.py`` runs as it stands; this is one. Serve it with ``make serve``, ask it with
``curl http://127.0.0.1:8000/``, and send the arbiter HUP, TTIN, TTOU and TERM to see the rest.
"""

workers = 2
timeout = 30


def on_starting(server):
    server.log.info("on_starting: the arbiter is about to start")


def on_reload(server):
    server.log.info("on_reload: the arbiter was sent HUP")


def when_ready(server):
    server.log.info("when_ready: listening")


def pre_fork(server, worker):
    server.log.info("pre_fork: worker %s is about to be forked", worker.age)


def post_fork(server, worker):
    server.log.info("post_fork: worker %s runs as %s", worker.age, worker.pid)


def post_worker_init(worker):
    worker.log.info("post_worker_init: worker %s has loaded the application", worker.age)


def worker_int(worker):
    worker.log.info("worker_int: worker %s was sent INT or QUIT", worker.age)


def worker_abort(worker):
    worker.log.info("worker_abort: worker %s took too long", worker.age)


def pre_request(worker, req):
    worker.log.info("pre_request: %s %s", req.method, req.path)


def post_request(worker, req, environ, resp):
    worker.log.info("post_request: %s %s: %s", req.method, req.path, resp.status)


def child_exit(server, worker):
    server.log.info("child_exit: worker %s is gone", worker.age)


def worker_exit(server, worker):
    server.log.info("worker_exit: worker %s is leaving", worker.age)


def nworkers_changed(server, new_value, old_value):
    server.log.info("nworkers_changed: from %s to %s", old_value, new_value)


def on_exit(server):
    server.log.info("on_exit: the arbiter is leaving")
