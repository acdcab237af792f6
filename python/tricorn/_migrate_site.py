"""What a site asks its server for: read as the server reads it, and never put in force."""

from __future__ import annotations

import ast
import os
import re
import shlex
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from tricorn import _loading, _native, _standin

#: Where gunicorn looks for a config file, and where tricorn looks before that.
DEFAULT = "./gunicorn.conf.py"
OURS = "./tricorn.conf.py"

#: The variable that holds arguments for gunicorn.
VARIABLE = "GUNICORN_CMD_ARGS"

#: What values of a command line are said to come from.
COMMAND_LINE = "command line"

#: Programs whose arguments are read.
PROGRAMS = ("gunicorn", "gunicorn3", "tricorn")

#: Where a shell's command ends.
END = re.compile(r"[;&|]+|\d?>.*")

#: A variable that is set for one command.
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


class Command(NamedTuple):
    """A shell's command that starts gunicorn."""

    before: list[str]
    #: The word that names the program; empty where there are arguments alone.
    program: str
    arguments: list[str]
    after: list[str]


class Line(NamedTuple):
    """What arguments say."""

    app: str | None
    settings: dict[str, Any]
    #: Events and the dotted names of handlers.
    hooks: list[tuple[str, str]]


class Site:
    """A site's config file, variable and command line. What is wrong with them is a `Mistake`."""

    def __init__(self, file: str | None, words: list[str]) -> None:
        self.command = split_command(words)
        found = [ASSIGNMENT.fullmatch(word) for word in self.command.before]
        os.environ.update({match[1]: match[2] for match in found if match})
        #: What holds arguments; the later wins.
        self.lines = {
            VARIABLE: read_line(split_words(os.environ.get(VARIABLE, "")), VARIABLE),
            COMMAND_LINE: read_line(self.command.arguments, f"the {COMMAND_LINE}"),
        }
        named = [line.settings.pop("config", None) for line in self.lines.values()]
        #: The config file that arguments name.
        self.named: str | None = named[1] or named[0]
        if file and self.named and file != self.named:
            what = f"two config files are named: {file} and {self.named}"
            raise _loading.Mistake(what, "leave one of them out")
        #: The config file, if there is one.
        self.place = file or self.named or (DEFAULT if os.path.isfile(DEFAULT) else None)
        if not self.place and not words and VARIABLE not in os.environ:
            what = f"there is no {DEFAULT} here, and no command line"
            raise _loading.Mistake(what, "see: tricorn migrate --help")
        #: Every name that it leaves.
        self.names = read_place(self.place) if self.place else {}

    @property
    def app(self) -> str | None:
        """The application that is named."""
        named = [line.app for line in self.lines.values()]
        return named[1] or named[0] or self.names.get("wsgi_app")

    def start(self) -> str:
        """Return the command that starts the site here."""
        before, program, arguments, after = self.command
        words = [*before, program.removesuffix(os.path.basename(program)) + "tricorn"]
        is_found = self.place == DEFAULT and not os.path.isfile(OURS)
        if self.place and not self.named and not is_found:
            words += ["-c", self.place]
        words += arguments
        if not self.app:
            words.append("MODULE:NAME")
        return " ".join([*map(quote, words), *after])


def quote(word: str) -> str:
    """Quote a word for a shell, which is to fill variables in."""
    if "$" not in word:
        return shlex.quote(word)
    return word if re.fullmatch(r"[\w${}:/.,=@%+-]+", word) else f'"{word}"'


def split_words(line: str) -> list[str]:
    """Split a line as a shell does."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise _loading.Mistake(f"{line!r} cannot be split: {error}", "mend it") from None


def split_command(words: list[str]) -> Command:
    """Find gunicorn's arguments in a command.

    It is given as words or as one line: a command, a line of a Procfile or of a systemd unit, or
    nothing but the arguments.
    """
    if len(words) == 1 and re.search(r"\s", words[0]):
        words = split_words(words[0])
    at = next((at for at in range(len(words)) if _is_program(words, at)), None)
    begin = 0 if at is None else at + 1
    ends = [index for index in range(begin, len(words)) if END.fullmatch(words[index])]
    end = ends[0] if ends else len(words)
    before, program = ([], "") if at is None else (words[:at], words[at])
    return Command(before, program, words[begin:end], words[end:])


def _is_program(words: list[str], at: int) -> bool:
    """Say whether a word is gunicorn, and not an argument of it."""
    is_argument = words[0].startswith("-") or words[at - 1] in ("-n", "--name")
    return os.path.basename(words[at]) in PROGRAMS and not is_argument


def read_line(words: list[str], where: str) -> Line:
    """Read arguments as the server does."""
    try:
        app, settings, hooks = _native.read_arguments(words)
    except ValueError as error:
        raise _loading.Mistake(f"{where}: {error}", "mend it") from None
    return Line(app, dict(settings), hooks)


def read_place(place: str) -> dict[str, Any]:
    """Run a config file, named as for the server, and return the names it leaves."""
    start = _native.start_directory()
    if start not in sys.path:
        sys.path.insert(0, start)
    _standin.install()
    try:
        if place.startswith("python:"):
            return _loading.read_module(place.removeprefix("python:"), start)
        return _loading.read_file(place.removeprefix("file:"), start)
    except _loading.Mistake as mistake:
        missing = getattr(mistake.__cause__, "name", None)
        if isinstance(mistake.__cause__, ImportError) and f"{missing}.".startswith("gunicorn."):
            mend = "tricorn does not answer this import: see docs/gunicorn-imports.md"
            raise _loading.Mistake(mistake.what, mend) from None
        raise


def imports(names: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Give the modules that a config file imports, and the names it takes out of each."""
    try:
        with open(names["__file__"], "rb") as file:
            tree = ast.parse(file.read())
    except (KeyError, OSError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.module, alias.name) for alias in node.names)
