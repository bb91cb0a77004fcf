"""Fuzzing: bytes from a peer parse, or raise the one error that remote bytes may raise. See docs/conformance.md."""
