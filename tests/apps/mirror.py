"""A WSGI application that shows what it was asked, for comparison with what was sent."""

from __future__ import annotations

import json


def application(environ, start_response):
    body = environ["wsgi.input"].read()
    shown = {
        "method": environ["REQUEST_METHOD"],
        "target": environ["RAW_URI"],
        "decoded": environ["PATH_INFO"],
        "query": environ["QUERY_STRING"],
        "version": environ["SERVER_PROTOCOL"],
        "body": body.decode("latin-1"),
        "scheme": environ["wsgi.url_scheme"],
        "client": f"{environ['REMOTE_ADDR']}:{environ['REMOTE_PORT']}",
        "environ": {key: value for key, value in environ.items() if isinstance(value, str)},
    }
    answer = json.dumps(shown).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
