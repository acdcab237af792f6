"""Making compiled classes ones that others derive from, and that can be patched."""

from __future__ import annotations

import abc
from typing import Any, NoReturn


def opened(name: str, module: str, *compiled: type[Any]) -> type[Any]:
    """Make a class with the methods of the first one, that objects of all of them are instances of.

    Its methods work on the server's objects. Objects of its own cannot be made: the server makes
    them.
    """

    def refuse(self: Any, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} is made by the server, out of a request that came"
        )

    attributes = {key: value for key, value in vars(compiled[0]).items() if key[:2] != "__"}
    attributes |= {
        "__doc__": compiled[0].__doc__,
        "__init__": refuse,
        "__module__": module,
    }
    made = abc.ABCMeta(name, (), attributes)
    for each in compiled:
        made.register(each)
    return made
