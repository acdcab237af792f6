"""A request's content: ``environ["wsgi.input"]``, ``req.body``."""

from __future__ import annotations

from tricorn import _native
from tricorn.compat.http._open import opened

Body = opened("Body", "gunicorn.http.body", _native.BodyInput)
