"""A program that serves an application of its own, with a hook and a compiled plugin.

Run it with ``python serve_site.py``, or ``python serve_site.py 8080``.
"""

import sys

import tricorn


def application(environ, start_response):
    """Answer with the id that the plugin has given the request."""
    body = f"request {environ['REQUEST_ID']}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def worker_ready(server, worker):
    """Tell of each worker that serves."""
    server.log.info("worker %s serves", worker.id)


if __name__ == "__main__":
    port = sys.argv[1] if len(sys.argv) > 1 else "8000"
    tricorn.serve(
        application,
        bind=f"127.0.0.1:{port}",
        workers=2,
        threads=4,
        worker_ready=worker_ready,
        plugins=["package:request-id"],
    )
