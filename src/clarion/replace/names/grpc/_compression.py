"""The kinds of compression, by the names of `grpc.Compression`."""

from __future__ import annotations

from clarion import Compression

__all__ = ["Deflate", "Gzip", "NoCompression"]

NoCompression = Compression.NoCompression
Deflate = Compression.Deflate
Gzip = Compression.Gzip
