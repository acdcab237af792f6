"""A logger in Python, as sites have them that leave out their health checks."""

from tricorn.glogging import Logger


class Quiet(Logger):
    """Logs all requests but those of one path."""

    def access(self, resp, req, environ, request_time):
        """Log a request."""
        if environ["PATH_INFO"] != "/health":
            super().access(resp, req, environ, request_time)


logger_class = Quiet
