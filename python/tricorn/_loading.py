"""Finding the operator's own code: config files, hooks and the application."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import inspect
import os
import sys
import traceback
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: The group of entry points by which packages offer handlers.
ENTRY_POINTS = "tricorn.hooks"

#: The group of entry points by which packages offer compiled plugins.
PLUGIN_ENTRY_POINTS = "tricorn.plugins"


class Mistake(Exception):
    """Something of the operator's is not as it should be: what, and how to mend it.

    Where it is a setting's value, `setting` names the setting.
    """

    def __init__(self, what: str, mend: str, setting: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend
        self.setting = setting


class WrongValue(Mistake, ValueError, TypeError):
    """A setting does not take a value."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "")


class NoSetting(Mistake, AttributeError):
    """There is no setting of a name."""

    def __init__(self, name: str, meant: str | None) -> None:
        mend = f"is {meant!r} meant?" if meant else "see docs/reference/settings.md"
        super().__init__(f"there is no setting {name!r}", mend)


class AppNotFound(Mistake):
    """The application is not where the operator says."""


class NoModule(AppNotFound):
    """There is no such module."""


def read_file(path: str, start: str) -> dict[str, Any]:
    """Run a config file, named from the directory `start`, and return the names it leaves."""
    try:
        with open(os.path.join(start, path), "rb") as file:
            source = file.read()
    except OSError as error:
        reason = error.strerror or str(error)
        raise Mistake(f"the config file {path} cannot be read: {reason}", "check -c") from None
    module = types.ModuleType("__config__")
    # The whole path: tracebacks look for the file's lines from wherever the server works.
    module.__file__ = os.path.normpath(os.path.join(start, path))
    sys.modules["__config__"] = module
    try:
        exec(compile(source, module.__file__, "exec"), module.__dict__)  # noqa: S102
    except Exception as error:
        raise _broken(f"the config file {path}", error, (module.__file__, path)) from error
    return vars(module)


def read_module(name: str, _start: str) -> dict[str, Any]:
    """Import a config module, anew if it was imported before, and return its names.

    It may be the application's too. So it is another module each time, without the names that are
    gone from its source; and where it raises, the one that was there before stays.
    """
    before = sys.modules.pop(name, None)
    importlib.invalidate_caches()
    try:
        return vars(importlib.import_module(name))
    except Exception as error:
        raise _broken(f"the config module {name}", error, None) from error
    finally:
        if before is not None:
            sys.modules.setdefault(name, before)


def _broken(what: str, error: Exception, file: tuple[str, str] | None) -> Mistake:
    """Describe an exception in one line, with the place in the operator's file.

    The file is its whole path, and the name that the operator has for it.
    """
    whole, named = file or ("", "")

    def place_of(path: str | None, line: int | None) -> str:
        return f"{named if path == whole else path}, line {line}"

    if isinstance(error, SyntaxError):
        place = f" ({place_of(error.filename, error.lineno)})" if error.filename else ""
        return Mistake(f"{what} has a syntax error: {error.msg}{place}", "mend it")
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.filename == (whole or frame.filename)] or frames
    place = place_of(inside[-1].filename, inside[-1].lineno) if inside else "?"
    return Mistake(f"{what} raises {type(error).__name__}: {error} ({place})", "mend it")


def import_dotted(name: str) -> Any:
    """Import what ``pkg.mod:name`` or ``pkg.mod.name`` stands for."""
    module_name, colon, attribute = name.partition(":")
    if not colon:
        module_name, _, attribute = name.rpartition(".")
    if not module_name or not attribute:
        raise Mistake(f"'{name}' is not a dotted name", "give pkg.module:name")
    try:
        found = importlib.import_module(module_name)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise Mistake(f"'{name}' cannot be imported: {reason}", "check the name") from error
    try:
        return functools.reduce(getattr, attribute.split("."), found)
    except AttributeError:
        where = f"the module {module_name}"
        raise Mistake(f"'{name}': {where} has no {attribute}", "check the name") from None


def import_setting(setting: str, name: str) -> Any:
    """Import what a setting names."""
    try:
        return import_dotted(name)
    except Mistake as mistake:
        raise Mistake(mistake.what, mistake.mend, setting) from mistake


def entry_points(group: str, name: str | None = None) -> list[EntryPoint]:
    """Return what installed packages offer in a group, under one name or under all.

    Whoever can find it out imports much for that: it is asked only where a package says that it
    has something.
    """
    if not any(_may_offer(place, group) for place in sys.path):
        return []
    import importlib.metadata

    found = importlib.metadata.entry_points(group=group)
    return [entry for entry in found if name is None or entry.name == name]


def _may_offer(place: str, group: str) -> bool:
    """Say whether a package in a place of ``sys.path`` may offer something in a group."""
    try:
        names = os.listdir(place or os.curdir)
    except NotADirectoryError:
        # An archive: whoever can look into it is to look.
        return True
    except OSError:
        return False
    for name in names:
        if name.endswith((".dist-info", ".egg-info", ".egg")):
            path = os.path.join(place, name, "entry_points.txt")
            with contextlib.suppress(OSError), open(path, "rb") as offers:
                if group.encode() in offers.read():
                    return True
            if name.endswith(".egg"):
                return True
    return False


def arity(handler: Callable[..., Any]) -> int | None:
    """Count the positional parameters, as gunicorn counts them; None where nobody can."""
    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in positional for parameter in parameters)


def is_async(handler: Any) -> bool:
    """Say whether calling it does nothing yet, but makes what is to be awaited."""
    if inspect.isclass(handler):
        return False
    return any(map(inspect.iscoroutinefunction, (handler, type(handler).__call__)))


def describe(handler: Any) -> str:
    """Name a handler, as ``module:function``."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    module = getattr(handler, "__module__", None) or type(handler).__module__
    name = getattr(handler, "__qualname__", None) or type(handler).__qualname__
    if module != "__config__":
        return f"{module}:{name}"
    file = getattr(sys.modules.get("__config__"), "__file__", None) or "config"
    return f"{os.path.basename(file)}:{name}"


def load_entry_points() -> list[tuple[str, int]]:
    """Import what packages offer; for each package, how many registrations there are after it."""
    from tricorn import hooks

    found = []
    for entry in entry_points(ENTRY_POINTS):
        package = entry.dist.name if entry.dist else entry.name
        try:
            entry.load()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            what = f"the handlers of package {package} ({entry.value}) cannot be imported: {reason}"
            raise Mistake(what, "update or remove the package") from error
        found.append((package, len(hooks.registrations)))
    return found


def find_plugin(name: str) -> str:
    """Return the file of the compiled plugin that a package offers under this name.

    The entry point names a path, or a function that returns one.
    """
    found = entry_points(PLUGIN_ENTRY_POINTS, name)
    if not found:
        offered = sorted({entry.name for entry in entry_points(PLUGIN_ENTRY_POINTS)})
        what = f"no package offers a plugin '{name}'"
        raise Mistake(what, f"install one, or name one of: {', '.join(offered) or 'there is none'}")
    try:
        value = found[0].load()
        return os.fsdecode(value() if callable(value) else value)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        what = f"the plugin '{name}' ({found[0].value}) cannot be found: {reason}"
        raise Mistake(what, "update or remove the package") from error


def sdk_folder() -> str:
    """Return the folder with the sources of the SDK for plugins.

    They travel with the package; a checkout that is installed in place has its own.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    packed = os.path.join(here, "_sdk", "sdk")
    if os.path.isdir(packed):
        return packed
    return os.path.normpath(os.path.join(here, "..", "..", "hooks-api", "sdk"))


def load_application(uri: str | None) -> Callable[..., Any]:
    """Import the application that ``MODULE``, ``MODULE:NAME`` or ``MODULE:NAME(ARGS)`` names.

    What the module itself raises is not caught: it is the application's own affair.
    """
    if not uri:
        raise AppNotFound("no application is named", "give MODULE:NAME, or set wsgi_app")
    module_name, colon, expression = uri.partition(":")
    name, args, kwargs = _parse(uri, expression if colon else "application")
    if not all(part.isidentifier() for part in module_name.split(".")):
        what = f"'{module_name}' in the application '{uri}' is not the name of a module"
        raise AppNotFound(what, "give MODULE:NAME, and the directory with --chdir")
    try:
        module: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            what = f"there is no module {error.name} for the application '{uri}'"
            raise NoModule(what, "check the name, --chdir and --pythonpath") from None
        raise
    try:
        application: Callable[..., Any] = functools.reduce(getattr, name.split("."), module)
    except AttributeError:
        what = f"the module {module_name} has no {name} for the application '{uri}'"
        raise AppNotFound(what, "check the name") from None
    if args is not None:
        _check_arguments(uri, application, args, kwargs)
        application = application(*args, **kwargs)
    if not callable(application):
        what = f"the application '{uri}' is not callable: {type(application).__name__}"
        raise AppNotFound(what, "name a WSGI application")
    return application


def _check_arguments(
    uri: str, factory: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
) -> None:
    """Tell arguments that a factory does not take from an error inside it."""
    try:
        inspect.signature(factory).bind(*args, **kwargs)
    except TypeError as error:
        raise AppNotFound(
            f"the application '{uri}' cannot be called so: {error}", "check it"
        ) from None
    except ValueError:
        # Nobody can tell what it takes.
        pass


def _parse(uri: str, expression: str) -> tuple[str, list[Any] | None, dict[str, Any]]:
    """Split ``name`` or ``name(literal, key=literal)``."""
    wrong = AppNotFound(
        f"the application '{uri}' is neither MODULE:NAME nor MODULE:NAME(LITERALS)", "check it"
    )
    try:
        node = ast.parse(expression, mode="eval").body
    except SyntaxError:
        raise wrong from None
    if isinstance(node, ast.Call):
        try:
            args = [ast.literal_eval(argument) for argument in node.args]
            kwargs = {key.arg: ast.literal_eval(key.value) for key in node.keywords if key.arg}
        except ValueError:
            raise wrong from None
        return ast.unparse(node.func), args, kwargs
    if isinstance(node, ast.Name | ast.Attribute):
        return ast.unparse(node), None, {}
    raise wrong
