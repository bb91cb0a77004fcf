"""What the protocols of the web say of bytes that they cannot use: the RPC's code, and the HTTP status.

`WebError` is an error within a protocol, which is answered in the protocol's own way. `HttpRefusal` is a request that is
no RPC of any, such as one for a page; whoever sent it reads the HTTP status, if anything.
"""

from __future__ import annotations

from clarion.errors import RemoteError
from clarion.status import StatusCode
from clarion.web.connect.codes import code_from_http, http_status_of

__all__ = ["HttpRefusal", "WebError"]

Fields = tuple[tuple[bytes, bytes], ...]


class WebError(RemoteError):
    """The peer's request or response cannot be used; the message says why.

    Args:
        code: the status that the call ends with.
        message: for the peer.
        http_status: what an answer that has one begins with; 0 for the one that belongs to `code` in Connect.
        messages: whole messages that stood before the fault in the same chunk, so that what an application sees does not
            depend on how bytes were cut.
    """

    def __init__(
        self,
        code: StatusCode,
        message: str,
        http_status: int = 0,
        messages: tuple[bytes, ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status or http_status_of(code)
        self.messages = messages


class HttpRefusal(WebError):
    """A request that is answered with an HTTP status and a text, and in no RPC protocol.

    Args:
        http_status: 404, 405, 415, ...
        message: the text.
        fields: header fields that the status asks for, such as `allow`.

    Attributes:
        code: what clients make of the status.
    """

    def __init__(self, http_status: int, message: str, fields: Fields = ()) -> None:
        super().__init__(code_from_http(http_status), message, http_status)
        self.fields = fields
