"""Judges what a site asks for: each setting, hook, import and package of it.

What a setting is for, and whether it can be honoured, the server is asked; what becomes of it
stands in `_migrate_facts`.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tricorn import _classes, _loading, _migrate_facts, _native
from tricorn._logger import OWN
from tricorn._migrate_facts import BETTER, DIFFERENT, NOT_YET, REFUSED, SAME, UNKNOWN, Fact
from tricorn._migrate_site import COMMAND_LINE, Site, imports

#: The longest that a value is shown.
SHOWN = 60


class Row(NamedTuple):
    """A line of the report."""

    verdict: str
    name: str
    value: str
    sentence: str
    source: str | None = None


#: How alike a function's name and a hook's are for the one to be meant as the other.
LIKENESS = 0.87

#: What is said of a name that is tricorn's, with a value that is not.
VARIABLE = "left alone, as in gunicorn; tricorn has a {} of this name, and says so at the start"


class Setting(NamedTuple):
    """What the server knows of a setting."""

    name: str
    default: Any
    help: str
    flags: list[str]
    reach: str
    why: str
    is_ours: bool


class Event(NamedTuple):
    """What the server knows of a hook."""

    name: str
    arguments: list[str]
    counts: list[int]
    process: str
    fires: str
    on_failure: str
    is_gunicorns: bool


def _kept(value: Any) -> Any:
    """Return what can be looked at more than once."""
    return list(value) if isinstance(value, Iterator) else value


class Examiner:
    """Judges what a site asks for."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.known = {row[0]: Setting(*row) for row in _native.known_settings()}
        self.events = {row[0]: Event(*row) for row in _native.known_events()}
        self.file = site.place or ""
        #: The settings that the site sets: each one's value, and where it comes from.
        self.given: dict[str, tuple[Any, str]] = {
            name: (_kept(value), self.file)
            for name, value in site.names.items()
            if name in self.known
        }
        for source, line in site.lines.items():
            self.given.update((name, (value, source)) for name, value in line.settings.items())

    def look(self, name: str) -> Any:
        """Return the value that is in force of a setting."""
        default = self.known[name].default
        value = self.given.get(name, (default, ""))[0]
        try:
            return _native.check_setting(name, value)
        except ValueError:
            return default

    def settings(self) -> Iterator[Row]:
        """Judge every setting that the site sets, alone and together."""
        if self.file.startswith("python:"):
            yield Row(
                _migrate_facts.MODULE.verdict, "config", self.file, _migrate_facts.MODULE.sentence
            )
        sound = []
        for name, (value, source) in self.given.items():
            fact = self._setting(self.known[name], value, source)
            shown = source if source != self.file else None
            yield Row(fact.verdict, name, show(value, name), fact.sentence, shown)
            if not self._judge([(name, value)])[0]:
                sound.append((name, value))
        refusal, _ = self._judge(sound)
        if refusal:
            yield Row(REFUSED, "all together", "", refusal)

    def _judge(self, values: list[tuple[str, Any]]) -> tuple[str | None, list[str]]:
        closed = [(name, value) for name, value in values if not self._is_open(name)]
        return _native.judge_settings(closed, self.file or "the site")

    def _is_open(self, name: str) -> bool:
        """Say whether a shell is to fill in the value of a setting."""
        value, source = self.given[name]
        items = value if isinstance(value, list) else [value]
        return source == COMMAND_LINE and any("$" in str(item) for item in items)

    def _setting(self, setting: Setting, value: Any, source: str) -> Fact:
        if self._is_open(setting.name):
            return Fact(SAME, "filled in by the shell, and not looked at here")
        refusal, unhonoured = self._judge([(setting.name, value)])
        if refusal and setting.is_ours and source == self.file:
            return Fact(SAME, VARIABLE.format("setting"))
        if refusal:
            why = refusal.removeprefix(f"setting '{setting.name}': ")
            return self._refused(setting, value, why)
        if setting.is_ours:
            return Fact(BETTER, f"tricorn's own: {lower(setting.help)}")
        if setting.name == "logger_class":
            return self._logger(value)
        if setting.name == "worker_class" and _is_dotted(value):
            return self._worker_class(value)
        fact = self._fact(setting)
        if fact:
            return fact
        if unhonoured:
            return Fact(NOT_YET, setting.why)
        if setting.reach == "later":
            return Fact(SAME, "gunicorn's default, so that nothing is missed")
        return Fact(SAME, f"{lower(re.split('[:;]', setting.help)[0])}, as in gunicorn")

    def _fact(self, setting: Setting) -> Fact | None:
        value = self.look(setting.name)
        for fact in _migrate_facts.SETTINGS.get(setting.name, ()):
            if fact.holds(value, self.look):
                return fact
        return None

    def _refused(self, setting: Setting, value: Any, refusal: str) -> Fact:
        if setting.name == "worker_class":
            name = describe_class(value).lower()
            advice = [text for word, text in _migrate_facts.WORKER_CLASSES.items() if word in name]
            return Fact(NOT_YET, advice[0] if advice else refusal)
        fact = self._fact(setting) if setting.reach == "refused" else None
        return fact or Fact(REFUSED, refusal)

    def _logger(self, value: Any) -> Fact:
        if value is None or value in OWN:
            return _migrate_facts.OWN_LOGGER
        if isinstance(value, str) and value.startswith("plugin:"):
            return Fact(BETTER, "tricorn's own: a compiled logger")
        try:
            _classes.load_logger_class(value)
        except _loading.Mistake as mistake:
            return Fact(REFUSED, f"{mistake.what}; {mistake.mend}")
        return _migrate_facts.OTHER_LOGGER

    def _worker_class(self, value: Any) -> Fact:
        try:
            _, loop, unheard = _classes.examine_worker_class(value)
        except _loading.Mistake as mistake:
            return Fact(REFUSED, f"{mistake.what}; {mistake.mend}")
        if loop is None:
            return _migrate_facts.OWN_LOOP
        if unheard:
            return Fact(DIFFERENT, f"the server's own loop serves: it does not call {unheard[0]}")
        return _migrate_facts.DERIVED_WORKER

    def hooks(self) -> Iterator[Row]:
        """Judge every hook that the site defines."""
        given = [(name, value, self.file) for name, value in self.site.names.items()]
        for source, line in self.site.lines.items():
            given += [(name, value, source) for name, value in line.hooks]
        for name, value, source in given:
            if name in self.events and name not in self.known:
                fact, shown = self._hook(self.events[name], value)
                place = source if source != self.file else None
                yield Row(fact.verdict, name, shown, fact.sentence, place)

    def _hook(self, event: Event, value: Any) -> tuple[Fact, str]:
        several = isinstance(value, list | tuple)
        handlers = list(value) if several else [value]
        try:
            found = [
                _loading.import_dotted(one) if isinstance(one, str) else one for one in handlers
            ]
        except _loading.Mistake as mistake:
            return Fact(REFUSED, f"{mistake.what}; {mistake.mend}"), show(value)
        shown = ", ".join(_loading.describe(one) for one in found)
        takes = [self._takes(event, one) for one in found]
        wanted = f"({', '.join(event.arguments)})"
        if not all(takes) and not event.is_gunicorns:
            return Fact(SAME, VARIABLE.format("hook")), shown
        if not all(takes):
            return Fact(REFUSED, f"it does not take {wanted}; gunicorn refuses it too"), shown
        if any(map(_loading.is_async, found)):
            return Fact(SAME, "async, and nobody awaits it: it does nothing, as in gunicorn"), shown
        if several or any(isinstance(one, str) and ":" in one for one in handlers):
            return Fact(BETTER, "tricorn's own way to name handlers; gunicorn refuses it"), shown
        usual = f"in {event.process}: {event.fires}"
        usual = f"{usual}; as in gunicorn" if event.is_gunicorns else f"tricorn's own, {usual}"
        return _migrate_facts.HOOKS.get(
            event.name, Fact(SAME if event.is_gunicorns else BETTER, usual)
        ), shown

    def _takes(self, event: Event, handler: Any) -> bool:
        count = _loading.arity(handler) if callable(handler) else -1
        return count is None or count in event.counts

    def unknown(self) -> Iterator[Row]:
        """Point out names that look like a setting's or a hook's, and are none."""
        for name, value in self.site.names.items():
            if name in self.known or name in self.events or name.startswith("_"):
                continue
            if callable(value):
                meant, what = self._nearly_a_hook(name), "hook"
            else:
                meant, what = _native.nearly_a_setting(name), "setting"
                meant = None if meant in self.given else meant
            if meant:
                sentence = f"no {what}, in gunicorn neither: is {meant} meant?"
                yield Row(UNKNOWN, name, show(value, name), sentence)

    def _nearly_a_hook(self, name: str) -> str | None:
        if name in _migrate_facts.OLD_HOOKS:
            return _migrate_facts.OLD_HOOKS[name]
        close = difflib.get_close_matches(name, self.events, 1, LIKENESS)
        return next((meant for meant in close if meant not in self.site.names), None)

    def imports(self) -> Iterator[Row]:
        """Say who answers what the file imports of gunicorn."""
        taken: dict[str, list[str]] = {}
        for module, name in imports(self.site.names):
            if module.split(".")[0] == "gunicorn":
                taken.setdefault(module, []).extend([name] if name else [])
        for module, names in taken.items():
            fact = _imported(module, names)
            words = f"from {module} import {', '.join(names)}" if names else f"import {module}"
            yield Row(fact.verdict, words, "", fact.sentence)

    def packages(self) -> Iterator[Row]:
        """Say what becomes of installed packages that have to do with the server."""
        version = installed("gunicorn")
        if version:
            what = "not needed by the config file, and not in the way"
            if self.look("gunicorn_compat") is False and any(self.imports()):
                what = "answers imports from when the configuration is read: keep it installed"
            yield Row(SAME, f"gunicorn {version}", "", what)
        version = installed("inotify")
        if version and self.look("reload"):
            yield Row(SAME, f"inotify {version}", "", "not needed: reload does without it")
        given, _ = self.given.get("worker_class", ("", ""))
        refusal, _ = self._judge([("worker_class", given)] if given else [])
        for word in _migrate_facts.WORKER_CLASSES if refusal else ():
            version = installed(word)
            if version and word in describe_class(given).lower():
                what = "its worker class is not there yet: see worker_class"
                yield Row(NOT_YET, f"{word} {version}", "", what)


def _is_dotted(value: Any) -> bool:
    """Say whether a worker class is none of the server's own names."""
    own = ("gunicorn.workers.sync.SyncWorker", "gunicorn.workers.gthread.ThreadWorker")
    return callable(value) or (value not in own and any(sign in value for sign in ".:"))


def _imported(module: str, names: list[str]) -> Fact:
    """Say who answers an import, and whether all of it."""
    try:
        found = importlib.import_module(module)
        for name in names:
            if name != "*" and not hasattr(found, name):
                importlib.import_module(f"{module}.{name}")
    except Exception as error:
        return Fact(NOT_YET, f"not answered ({type(error).__name__}: {error})")
    return Fact(SAME, "answered by tricorn")


def installed(package: str) -> str | None:
    """Return the version of a package, if it is installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def describe_class(value: Any) -> str:
    """Name a class, given as an object or by its name."""
    return value if isinstance(value, str) else f"{getattr(value, '__module__', '')}.{value!r}"


def show(value: Any, name: str = "") -> str:
    """Show a value, in one line, without what may be a secret in it."""
    if callable(value):
        shown = " ".join(_loading.describe(value).split())
    else:
        shown = repr(_native.without_secrets(name, value))
    shown = _native.text_without_secrets(shown)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."


def lower(text: str) -> str:
    """Begin a text with a small letter, unless its first word is written in capitals."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]
