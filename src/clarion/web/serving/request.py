"""What a web request says before its body, and which protocol that is."""

from __future__ import annotations

import enum
import re
from typing import Any

from clarion.hpack import HeaderList
from clarion.http2.semantics import check_request
from clarion.protocol.content_type import is_grpc_content_type
from clarion.protocol.request_head import RequestHead
from clarion.web import grpc_web
from clarion.web.connect import content_types

__all__ = ["Kind", "WebRequest"]

Fields = tuple[tuple[bytes, bytes], ...]

# What a call by GET has; one that lacks another of them is a call, and told so.
_GET = re.compile(rb"(?:^|&)(?:message=|encoding=|connect=v)")


class Kind(enum.Enum):
    """Which protocol a request speaks."""

    GRPC_WEB = "gRPC-Web"
    CONNECT_UNARY = "Connect, unary"
    CONNECT_GET = "Connect, unary by GET"
    CONNECT_STREAM = "Connect, streaming"
    GRPC = "gRPC"
    PREFLIGHT = "CORS preflight"
    WRONG_METHOD = "no method for calls"
    UNKNOWN = "no content type of calls"


class WebRequest:
    """A request's head.

    Args:
        headers: a header list of HTTP/2.

    Attributes:
        all_fields, size: the list, and its size as HPACK counts it.
        fields: all of it but pseudo-header fields.
        values: the last value of each.
        method, path, authority: what the request line of HTTP/1.1 says, without the query.
        content_length: bytes that the body promises, or None.
        origin: the page's, if a browser sent it.
        kind: the protocol.
        query: what stands behind the path.
        target: path and query as they came.
        cut: the list is larger than what is kept of one, and its end is missing.
        said, call_head: what the protocol reads of it, and the head of its call, once they are known.

    Raises:
        MalformedHeaders: RFC 9113 forbids the list.
    """

    __slots__ = (
        "all_fields",
        "authority",
        "call_head",
        "content_length",
        "cut",
        "fields",
        "kind",
        "method",
        "origin",
        "path",
        "query",
        "said",
        "size",
        "target",
        "values",
    )

    def __init__(self, headers: HeaderList, *, cut: bool = False) -> None:
        self.cut = cut
        self.said: Any = None
        self.call_head: HeaderList | None = None
        self.content_length: int | None = None
        if cut:
            # Nothing can be said of what is there.
            pseudo = dict.fromkeys((b":method", b":path"), b"") | dict(headers.fields)
        else:
            pseudo, self.content_length = check_request(headers.fields)
        self.all_fields, self.size = headers.fields, headers.size
        self.fields: Fields = tuple(field for field in headers.fields if field[0][:1] != b":")
        self.values = dict(self.fields)
        self.method = pseudo[b":method"]
        self.authority = pseudo.get(b":authority", b"")
        self.target = pseudo[b":path"]
        self.path, _mark, self.query = self.target.partition(b"?")
        self.origin = self.values.get(b"origin")
        self.kind = self._find_kind()

    @classmethod
    def of(cls, headers: HeaderList) -> WebRequest:
        """The request of a whole list. Connections give lists that repeat once, so they are read once, too.

        Raises:
            MalformedHeaders: as for the class.
        """
        head = headers.memo
        if isinstance(head, WebRequest):
            return head
        if not isinstance(head, RequestHead):
            request = headers.memo = cls(headers)
            return request
        if head.elsewhere is None:
            head.elsewhere = cls(headers)
        assert isinstance(head.elsewhere, WebRequest)
        return head.elsewhere

    def _find_kind(self) -> Kind:
        if self.method == b"POST":
            return self._kind_of_post()
        if self.method == b"GET" and _GET.search(self.query) is not None:
            return Kind.CONNECT_GET
        wanted = b"access-control-request-method" in self.values
        if self.method == b"OPTIONS" and self.origin is not None and wanted:
            return Kind.PREFLIGHT
        return Kind.WRONG_METHOD

    def _kind_of_post(self) -> Kind:
        content_type = self.values.get(b"content-type", b"")
        if grpc_web.parse_content_type(content_type) is not None:
            return Kind.GRPC_WEB
        connect = content_types.parse_content_type(content_type)
        if connect is not None:
            return Kind.CONNECT_STREAM if connect.streaming else Kind.CONNECT_UNARY
        return Kind.GRPC if is_grpc_content_type(content_type) else Kind.UNKNOWN
