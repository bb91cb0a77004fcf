"""gRPC-Web, both roles, without I/O (PROTOCOL-WEB: what differs from gRPC over HTTP/2).

Rules kept:

- Messages are framed as in gRPC. The response's trailers are its last frame, with flag 0x80, as lines of HTTP/1, names in
  lower case; or they are among the response's headers if it has no body (Trailers-Only). In text mode all of it is base64.
- Which of the modes a response has, the request's `accept` says; without a word there, the request's own.
- Binary metadata is base64 in every mode. The specification has text mode send its octets bare, where a line break in them
  would be another header; no implementation does.
- `grpc-encoding` compresses messages as in gRPC. The specification leaves that to the body's `content-encoding`, which
  browsers undo; clients that are no browsers send and read it, and a client that does not ask for it never gets it.
"""

from __future__ import annotations

from clarion.web.grpc_web.clients import Response, request_fields
from clarion.web.grpc_web.content_types import GrpcWebType, answer_type, parse_content_type
from clarion.web.grpc_web.frames import (
    frame,
    outcome_of,
    read_trailers,
    trailer_fields,
    trailer_frame,
)
from clarion.web.grpc_web.reader import Reader
from clarion.web.grpc_web.serving import GrpcWebRequest, read_request, response_fields

__all__ = [
    "GrpcWebRequest",
    "GrpcWebType",
    "Reader",
    "Response",
    "answer_type",
    "frame",
    "outcome_of",
    "parse_content_type",
    "read_request",
    "read_trailers",
    "request_fields",
    "response_fields",
    "trailer_fields",
    "trailer_frame",
]
