"""Handlers that libraries add to the server's events, beside those of the config file.

The module must be imported before the workers are forked: by the config file, by ``--hook``, or by
an entry point of the group ``tricorn.hooks``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

_Handler = TypeVar("_Handler", bound=Callable[..., Any])


class Registration(NamedTuple):
    """One use of :func:`hook`."""

    event: str
    handler: Callable[..., Any]
    name: str
    module: str
    priority: int
    before: tuple[str, ...]
    after: tuple[str, ...]


#: Every registration so far, in the order in which they were made.
registrations: list[Registration] = []


def hook(
    event: str,
    *,
    name: str | None = None,
    priority: int = 0,
    before: Iterable[str] = (),
    after: Iterable[str] = (),
) -> Callable[[_Handler], _Handler]:
    """Add the decorated function to the handlers of `event`.

    `event` is the name of a server hook, such as ``"pre_request"``; the function takes that hook's
    arguments. Handlers run by `priority`, lower first, and among equals by source. `before` and
    `after` name other handlers, and win over priorities. `name` is what others call this one; it is
    ``module:function`` unless given.
    """

    def register(handler: _Handler) -> _Handler:
        module = getattr(handler, "__module__", None) or "?"
        qualified = getattr(handler, "__qualname__", None) or type(handler).__qualname__
        registrations.append(
            Registration(
                event=event,
                handler=handler,
                name=name or f"{module}:{qualified}",
                module=module,
                priority=priority,
                before=tuple(before),
                after=tuple(after),
            )
        )
        return handler

    return register
