"""An RPC over an HTTP/2 stream: gRPC framing, metadata, status and compression, without I/O."""
