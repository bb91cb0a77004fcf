"""HPACK (RFC 7541): header compression for HTTP/2, without I/O and without dependencies.

One `Encoder` and one `Decoder` belong to each connection, because each direction has one dynamic
table that both ends keep in step, block by block and in order. gRPC repeats the same few blocks, so
both remember whole blocks: while the dynamic table is unchanged, a repeated block costs one lookup.

Rules of this layer: input from the peer parses or raises `HpackError`, in time linear in the block
and in memory bounded by the limits given; names and values are `bytes` and are not interpreted
(letter case, pseudo-header order and forbidden fields are the business of the layer above).
"""

from __future__ import annotations

from clarion.hpack.decoder import Decoder, HeaderList
from clarion.hpack.encoder import Encoder, encode_literal
from clarion.hpack.errors import HpackError

__all__ = ["Decoder", "Encoder", "HeaderList", "HpackError", "encode_literal"]
