"""Why a request cannot be served: for workers of one's own to raise and to catch.

The server's core raises none of them: it answers such requests itself.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ParseException(Exception):
    """A request cannot be read."""

    #: What is wrong, with ``{0}`` for what was found.
    TEXT: ClassVar[str] = ""

    #: The attributes that the arguments become.
    FIELDS: ClassVar[tuple[str, ...]] = ()

    #: The status to answer with.
    code: ClassVar[int] = 400

    def __init__(self, *args: Any, **named: Any) -> None:
        given = {**dict(zip(self.FIELDS, args, strict=False)), **named}
        if len(args) > len(self.FIELDS) > 0 or given.keys() - set(self.FIELDS):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self.FIELDS) or 'nothing'}")
        super().__init__(*args, *named.values())
        for name in self.FIELDS:
            setattr(self, name, given.get(name))

    def __str__(self) -> str:
        if not self.TEXT:
            return super().__str__()
        return self.TEXT.format(*(repr(getattr(self, name)) for name in self.FIELDS))


class NoMoreData(IOError):
    """The client has sent less than it should have."""

    def __init__(self, buf: bytes | None = None) -> None:
        super().__init__(f"nothing comes after {buf!r}")
        self.buf = buf


class ConfigurationProblem(ParseException):
    """The configuration does not suit the request."""

    TEXT = "the configuration does not suit the request: {0}"
    FIELDS = ("info",)
    code = 500


class InvalidRequestLine(ParseException):
    """The first line is no request line."""

    TEXT = "not a request line: {0}"
    FIELDS = ("req",)


class InvalidRequestMethod(ParseException):
    """The method is none."""

    TEXT = "not a method: {0}"
    FIELDS = ("method",)


class ExpectationFailed(ParseException):
    """The client expects what is not done here."""

    TEXT = "not an expectation that is met: {0}"
    FIELDS = ("expect",)
    code = 417


class InvalidHTTPVersion(ParseException):
    """The version is none that is spoken here."""

    TEXT = "not a version of HTTP that is spoken: {0}"
    FIELDS = ("version",)


class InvalidHeader(ParseException):
    """A field is not as it should be."""

    TEXT = "not a field: {0}"
    FIELDS = ("hdr", "req")


class ObsoleteFolding(ParseException):
    """A field goes on in the next line."""

    TEXT = "a field that goes on in the next line: {0}"
    FIELDS = ("hdr",)


class InvalidHeaderName(ParseException):
    """A field's name is none."""

    TEXT = "not the name of a field: {0}"
    FIELDS = ("hdr",)


class InvalidResponseHeader(InvalidHeader):
    """A field of an answer is not as it should be."""

    code = 500


class InvalidResponseHeaderName(InvalidHeaderName):
    """The name of a field of an answer is none."""

    code = 500


class UnsupportedTransferCoding(ParseException):
    """The content is coded in a way that is not known."""

    TEXT = "not a transfer coding that is known: {0}"
    FIELDS = ("hdr",)
    code = 501


class InvalidChunkSize(ParseException):
    """A chunk's size is no number."""

    TEXT = "not the size of a chunk: {0}"
    FIELDS = ("data",)


class ChunkMissingTerminator(ParseException):
    """A chunk does not end where it should."""

    TEXT = "a chunk that ends with {0}"
    FIELDS = ("term",)


class InvalidChunkExtension(ParseException):
    """A chunk's extension is none."""

    TEXT = "not an extension of a chunk: {0}"
    FIELDS = ("reason",)


class LimitRequestLine(ParseException):
    """The request line is too long."""

    TEXT = "a request line of {0} bytes, where {1} are allowed"
    FIELDS = ("size", "max_size")
    code = 414


class LimitRequestHeaders(ParseException):
    """There are too many fields, or too long ones."""

    TEXT = "fields that are too many or too long: {0}"
    FIELDS = ("msg",)
    code = 431


class InvalidProxyLine(ParseException):
    """The line of a proxy is none."""

    TEXT = "not a line of the PROXY protocol: {0}"
    FIELDS = ("line",)


class InvalidProxyHeader(ParseException):
    """What a proxy puts before the request is not as it should be."""

    TEXT = "not a head of the PROXY protocol: {0}"
    FIELDS = ("msg",)


class ForbiddenProxyRequest(ParseException):
    """A peer speaks for others that may not."""

    TEXT = "a peer that may not speak for others: {0}"
    FIELDS = ("host",)
    code = 403


class InvalidSchemeHeaders(ParseException):
    """Fields that tell of the scheme contradict each other."""

    TEXT = "fields that contradict each other about the scheme"


class InvalidH2CPreface(ParseException):
    """What announces HTTP/2 is not as it should be."""

    TEXT = "not the preface of HTTP/2: {0}"
    FIELDS = ("data",)
