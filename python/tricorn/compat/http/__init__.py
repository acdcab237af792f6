"""Requests and answers, for code that looks at them, names their classes or derives from them.

Heads are parsed and answers are framed by the compiled core: there is no parser here to be driven,
and none to be patched.
"""

from tricorn.compat.http import body, errors, message, unreader, wsgi
from tricorn.compat.http.message import Message, Request

__all__ = ["Message", "Request", "body", "errors", "message", "unreader", "wsgi"]
