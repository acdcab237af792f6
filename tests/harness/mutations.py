"""Requests with one, two or three things wrong or unusual, from a seeded grammar."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

CHUNKED = b"3\r\nabc\r\n0\r\n\r\n"


@dataclass(frozen=True)
class Mutant:
    """A request, by its parts."""

    prefix: bytes = b""
    method: bytes = b"GET"
    space: bytes = b" "
    target: bytes = b"/a?b=c"
    version: bytes = b"HTTP/1.1"
    line_end: bytes = b"\r\n"
    host: bytes | None = b"h"
    fields: tuple[bytes, ...] = ()
    length: bytes | None = None
    coding: bytes | None = None
    end: bytes = b"\r\n"
    body: bytes = b""

    @property
    def data(self) -> bytes:
        """The bytes of the request."""
        lines = [] if self.host is None else [b"Host: " + self.host]
        lines += self.fields
        if self.length is not None:
            lines.append(b"Content-Length: " + self.length)
        if self.coding is not None:
            lines.append(b"Transfer-Encoding: " + self.coding)
        first = self.prefix + self.space.join([self.method, self.target, self.version])
        block = b"".join(line + b"\r\n" for line in lines)
        return first + self.line_end + block + self.end + self.body

    def changes(self) -> dict[str, Any]:
        """Return the parts that are not those of an ordinary request."""
        plain = vars(Mutant())
        return {name: value for name, value in vars(self).items() if value != plain[name]}


#: What everything is a variant of.
BASES = (
    Mutant(),
    Mutant(method=b"POST", length=b"3", body=b"abc"),
    Mutant(method=b"POST", coding=b"chunked", body=CHUNKED),
    Mutant(version=b"HTTP/1.0"),
)


def _words(*lines: bytes) -> list[bytes]:
    return [word for line in lines for word in line.split()]


def _chunked(*parts: bytes) -> list[bytes]:
    """Return bodies whose size line, or what follows it, is one of these."""
    return [part + b"\r\nabc\r\n0\r\n\r\n" for part in parts]


FIELDS = [
    *(b"X: 1", b"X:1", b"X :1", b" X: 1", b"X\t: 1", b": 1", b"X", b"X:", b"X: \t ", b"\r\nX: 1"),
    *(b"X: a\x00", b"X: a\x01", b"X: a\x7f", b"X: a\rb", b"X: a\nY: b", b"X: \xff", b"X\xff: 1"),
    *(b"X: a\x0bb", b"X: a\x0cb", b"X: a\x85b", b"X: a\x1fb", b"X(: 1", b"X\x00: 1", b"X;: 1"),
    *(b'"X": 1', b"X/Y: 1", b"X: 1\r\nx: 2", b"X_Y: 1", b"X-Y: 1\r\nX_Y: 2", b"X: a\r\n b"),
    *(b"X: a\r\n\tb", b"X:\r\n y", b"X: a\r\n \r\nY: b", b"Host: g", b"Http-Host: z", b"Proxy: x"),
    *(b"Connection: close", b"Connection: keep-alive, x", b"Keep-Alive: x", b"TE: trailers"),
    *(b"Connection: close\r\nConnection: keep-alive", b"TE: chunked", b"Trailer: X", b"Date: x"),
    *(b"Expect: 100-Continue", b"Expect: x", b"Expect: 100-continue, x", b"Expect:"),
    *(b"Expect: 100-continue", b"Expect: 100-continue\r\nExpect: 100-continue"),
    *(b"Content-Type: a", b"Content-Type: a\r\nContent-Type: b", b"Content_Type: a"),
    *(b"Upgrade: websocket\r\nConnection: upgrade", b"Content-Encoding: gzip", b"Cookie: a=b"),
    *(b"SCRIPT_NAME: /a", b"Script-Name: /a", b"PATH_INFO: /z", b"Remote_User: u", b"If-Match: x"),
    *(b"X-Forwarded-Proto: https", b"X-Forwarded-Protocol: ssl", b"X-Forwarded-Proto: HTTPS"),
    *(b"X-Forwarded-Proto: https\r\nX-Forwarded-SSL: off", b"Authorization: a\r\nAuthorization: b"),
    *(b"User-Agent: a\r\nUser-Agent: b", b"Transfer-Encoding : chunked", b"Content-Length : 3"),
    *(b"X: " + b"a" * size for size in (90, 100, 8180, 8187, 8190)),
    *(b"A" * 8190 + b": 1", b"X: 1\r\n" * 8 + b"X: 1", b"X: 1\r\n" * 99 + b"X: 1"),
]

#: For each part the values it may take.
PARTS: dict[str, list[Any]] = {
    "prefix": [
        *(b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b"\xef\xbb\xbf"),
        *(b"\x16\x03\x01", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", b"PROXY UNKNOWN\r\n"),
    ],
    "method": [
        *_words(b"POST PUT get G GE GET1 G#T OPTIONS CONNECT HEAD TRACE PATCH G-T M-SEARCH GET_X"),
        *(b"", b"A" * 20, b"A" * 21, b"\xc9T", b"G T", b"G\tET", b"g-t", b"PRI"),
    ],
    "space": [b"  ", b"\t", b"\x0b"],
    "target": [
        *_words(b"/ * http://h/a https://u:p@h:1/a?b#c a //x ///x /% /%00 /%zz /a#f ? h:80 /;a"),
        *_words(b'[::1]:80 /[ http://[/a http://[::1/a /"<> /\\ /{}|^` http:/a ftp://x/a /a?b?c'),
        *_words(b"/..%2f mailto:x h:x h http://h?q //h:80x/p /? /a?# http://"),
        *(b"", b"/\xe9", b"/\x01", b"/\x7f", b"/a b", b"/\t", b"/a?\xff", b"/" + b"a" * 4090),
    ],
    "version": [
        *_words(
            b"HTTP/1.0 HTTP/1.2 HTTP/2.0 HTTP/0.9 HTTP/1 http/1.1 HTTP/1.10 HTTP/01.1 HTTP/1.9"
        ),
        *_words(b"HTTPS/1.1 HTTP/-1.1 HTTP/3.0 HTTP/1,1 HTTP/2.1 HTTP/1.1x"),
        *(b"HTTP/1.1 ", b"", b"HTTP/1.1\t", b"HTTP/ 1.1"),
    ],
    "line_end": [b"\n", b"\r", b"\n\r"],
    "host": [
        *(
            None,
            b"",
            b"h:80",
            b"h:",
            b"[::1]",
            b"[::1]:80",
            b"_h",
            b"-",
            b".",
            b"*",
            b"%41",
            b"h,g",
        ),
        *(b"h:x", b"[::1", b"::1", b"h h", b"h/x", b"u@h", b"\xe9", b"h:80:80", b"h\x00", b"h?q"),
        *(b"h#q", b"h\\", b"h:+1", b"h: 80", b"<h>", b"h\tg", b"a" * 300),
    ],
    "fields": [(field,) for field in FIELDS],
    "length": [
        *(
            b"0",
            b"3",
            b"+3",
            b"-3",
            b"3 ",
            b" 3",
            b"03",
            b"3,3",
            b"3, 3",
            b"0x3",
            b"3.0",
            b"",
            b"3\t",
        ),
        *(b"3\r\nContent-Length: 3", b"3\r\nContent-Length: 4", b"\xb3", b"1_0", b"3;x", b"9" * 20),
        *(b"9223372036854775808", b"18446744073709551615", b"0" * 50 + b"3"),
    ],
    "coding": [
        *(b"chunked", b"Chunked", b"chunked ", b"\tchunked", b"chunked, chunked", b"gzip, chunked"),
        *(b"chunked, gzip", b"identity", b"identity, chunked", b"chunked, identity", b"x", b"gzip"),
        *(
            b"",
            b"chunked;q=1",
            b'"chunked"',
            b"chunked,",
            b",chunked",
            b"x, chunked",
            b"chun\x0bked",
        ),
        *(b"chunked\r\nTransfer-Encoding: chunked", b"gzip\r\nTransfer-Encoding: chunked"),
        *(b"identity\r\nTransfer-Encoding: chunked", b"deflate, gzip, chunked"),
    ],
    "end": [b"\n", b"\n\r", b"\r"],
    "body": [
        *(b"", b"abc", CHUNKED, b"0\r\n\r\n", b"3\nabc\n0\n\n", b"3\r\nabc0\r\n\r\n", b"A\r\nabc"),
        *_chunked(b"3;x=y", b"03", b"0x3", b"+3", b"-3", b" 3", b"3 ", b"g", b"", b"3;\x00"),
        *_chunked(b"3;\xff", b'3;a="b', b"3\r", b"1_0", b"3;\na", b"3\t", b"3 ;x", b"F" * 17),
        *(b"3\r\nabcd\r\n0\r\n\r\n", b"3\r\nabc\r\n0\r\n", b"3\r\nabc\r\n00\r\n\r\n"),
        *(
            b"3\r\nabc\r\n0\r\n" + trailer + b"\r\n\r\n"
            for trailer in (b"T: 1", b"T", b" T: 1", b"Content-Length: 3", b"T: \x00", b"Host: a")
        ),
    ],
}


def singles() -> Iterator[Mutant]:
    """Give every base with one part changed, each way there is."""
    yield from BASES
    for base in BASES:
        for part, values in PARTS.items():
            yield from (replace(base, **{part: value}) for value in values)


def drawn(count: int, seed: int) -> Iterator[Mutant]:
    """Give so many requests with two or three parts changed."""
    rng = random.Random(seed)
    for _ in range(count):
        mutant = rng.choice(BASES)
        for part in rng.sample(sorted(PARTS), rng.choice([2, 2, 3])):
            mutant = replace(mutant, **{part: rng.choice(PARTS[part])})
        yield mutant
