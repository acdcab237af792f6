"""A request, as hooks and loggers get it."""

from __future__ import annotations

from tricorn import _native
from tricorn.compat.http._open import opened

Message = opened("Message", "gunicorn.http.message", _native.Request)


class Request(Message):  # type: ignore[misc, valid-type]
    """A request."""


Request.register(_native.Request)
