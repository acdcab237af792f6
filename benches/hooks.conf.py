"""The two hooks that run with each request."""

served = 0


def pre_request(worker, req):
    """Look at the request, as a tracing hook does."""
    worker.last_path = req.path


def post_request(worker, req, environ, resp):
    """Count, as a metrics hook does."""
    global served
    if resp.status_code < 500:
        served += 1
