"""A WSGI application that sends file-like objects of every kind, each under its name."""
# ruff: noqa: SIM115 - whoever sends a file closes it

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import socket
import tempfile
import threading
import zipfile

CONTENT = b"0123456789" * 20_000
OTHER = b"not what is to be read; " * 10_000


class Proxy:
    """As Django's ``File``: what it has of a file is the file's own."""

    def __init__(self, file):
        self.file = file

    read = property(lambda self: self.file.read)
    tell = property(lambda self: self.file.tell)
    fileno = property(lambda self: self.file.fileno)
    close = property(lambda self: self.file.close)


class Changing(Proxy):
    """Gives something else than the file that it stands before."""

    def read(self, size=-1):
        return self.file.read(size).swapcase().replace(b"0", b"O")


class Reader(io.BufferedReader):
    """A subclass of the interpreter's own reader."""

    def read(self, size=-1):
        return super().read(size).replace(b"0", b"O")


class Raw(io.FileIO):
    """A subclass of the interpreter's own file."""

    def readinto(self, buffer):
        data = super().read(len(buffer)).replace(b"0", b"O")
        buffer[: len(data)] = data
        return len(data)

    def read(self, size=-1):
        return super().read(size).replace(b"0", b"O")


def prepare():
    """Write the files that are opened below."""
    for name, content in [("data", CONTENT), ("other", OTHER), ("text", b"text")]:
        with open(name, "wb") as file:
            file.write(content)
    for module in [gzip, bz2, lzma]:
        with module.open(f"data.{module.__name__}", "wb") as file:
            file.write(CONTENT)
    with zipfile.ZipFile("data.zip", "w") as archive:
        archive.writestr("member", CONTENT)


def data(buffering=-1):
    return open("data", "rb", buffering)


def other():
    return open("other", "rb")


def temporary(kind, **options):
    file = kind(**options)
    file.write(CONTENT)
    file.seek(0)
    return file


def at(position):
    file = data()
    file.seek(position)
    return file


def begun():
    file = data()
    file.read(7)
    return file


def peeked():
    file = at(5)
    file.peek(100)
    return file


def unflushed():
    """Hold a change back, which `read` would show."""
    file = temporary(tempfile.TemporaryFile)
    file.write(b"changed")
    file.seek(-7, os.SEEK_CUR)
    return file


def piped():
    reading, writing = os.pipe()
    threading.Thread(target=fill, args=(open(writing, "wb"),)).start()
    return open(reading, "rb")


def over_a_socket():
    ours, theirs = socket.socketpair()
    threading.Thread(target=fill, args=(theirs.makefile("wb"),)).start()
    theirs.close()
    with ours:
        return ours.makefile("rb")


def fill(sink):
    with sink:
        sink.write(CONTENT)


def replaced(file, read):
    file.read = read
    return file


def function():
    file = other()
    return lambda size=-1: file.read(size)


def replaced_below():
    file = data()
    file.raw.readinto = open("other", "rb", 0).readinto
    return file


#: Files whose descriptor holds what is to be read.
SENT_BY_THE_KERNEL = {
    "file": data,
    "unbuffered": lambda: data(0),
    "changeable": lambda: open("data", "r+b"),
    "sought": lambda: at(12345),
    "begun": begun,
    "peeked": peeked,
    "unflushed": unflushed,
    "temporary": lambda: temporary(tempfile.TemporaryFile),
    "named": lambda: temporary(tempfile.NamedTemporaryFile),
    "proxy": lambda: Proxy(data()),
    "proxy-of-named": lambda: Proxy(temporary(tempfile.NamedTemporaryFile)),
}

#: Objects of which that is not so, or not certain.
READ_BY_HAND = {
    "gzip": lambda: gzip.open("data.gzip"),
    "bz2": lambda: bz2.open("data.bz2"),
    "lzma": lambda: lzma.open("data.lzma"),
    "proxy-of-gzip": lambda: Proxy(gzip.open("data.gzip")),
    "proxy-of-a-proxy-of-gzip": lambda: Proxy(Proxy(gzip.open("data.gzip"))),
    "buffered-gzip": lambda: io.BufferedReader(gzip.open("data.gzip")),
    "zip": lambda: zipfile.ZipFile("data.zip").open("member"),
    "changing": lambda: Changing(data()),
    "subclass": lambda: Reader(data(0)),
    "raw-subclass": lambda: Raw("data"),
    "buffered-raw-subclass": lambda: io.BufferedReader(Raw("data")),
    "bytes": lambda: io.BytesIO(CONTENT),
    "spooled": lambda: temporary(tempfile.SpooledTemporaryFile, max_size=10**6),
    "spooled-on-disk": lambda: temporary(tempfile.SpooledTemporaryFile, max_size=100),
    "pipe": piped,
    "socket": over_a_socket,
    "other-method": lambda: replaced(data(), other().read1),
    "function": lambda: replaced(data(), function()),
    "named-replaced": lambda: replaced(temporary(tempfile.NamedTemporaryFile), function()),
    "replaced-below": replaced_below,
    "kernel-made": lambda: open("/proc/self/limits", "rb"),
    "no-regular-file": lambda: open(os.devnull, "rb"),
    "at-the-end": lambda: at(len(CONTENT)),
    "beyond-the-end": lambda: at(2 * len(CONTENT)),
}

#: A second descriptor of the file that was sent last: it shares its position.
watched: list[int] = []


def application(environ, start_response):
    name, how = environ["PATH_INFO"][1:], environ["QUERY_STRING"]
    if not os.path.exists("data"):
        prepare()
    start_response("200 OK", [])
    if name == "position":
        return [str(os.lseek(watched.pop(), 0, os.SEEK_CUR)).encode()]
    if name == "text":
        return environ["wsgi.file_wrapper"](open("text"))
    file = {**SENT_BY_THE_KERNEL, **READ_BY_HAND}[name]()
    if how == "by-hand":
        return [b"".join(iter(lambda: file.read(5000), b""))]
    if how == "watched":
        watched.append(os.dup(file.fileno()))
    return wrapped(environ["wsgi.file_wrapper"], file, how)


def wrapped(kind, file, how):
    class Plain(kind):
        pass

    class Doubling(kind):
        def __next__(self):
            return super().__next__() * 2

    return {"plain": Plain, "doubling": Doubling}.get(how, kind)(file, 4096)
