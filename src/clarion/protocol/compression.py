"""Message compression: a registry of algorithms, and gzip, deflate, identity and zstd in it.

Rules kept (PROTOCOL-HTTP2, "Message-Encoding", and compression.md): each message is compressed by
itself, without a context from the one before; `deflate` is the zlib format. Decompressing never
makes more than the caller's limit: a small message that unfolds to gigabytes is given up when it
passes the limit. Truncated input and octets behind the end are errors.

zstd comes from the standard library (Python 3.14) or from the packages `backports.zstd` or
`zstandard`. Nothing is imported before an algorithm is used; to say that zstd is there, it is
enough to find it.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
from typing import TYPE_CHECKING, Any, Final, Protocol

from clarion.errors import LocalError, RemoteError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "Compressor",
    "DecompressedTooLarge",
    "InvalidCompressor",
    "MalformedCompression",
    "accept_encoding",
    "get_compressor",
    "register_compressor",
]

# RFC 9110 section 8.4.1: a content coding is a token; gRPC's are lower case.
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")

# 16 + 15: the gzip format, the largest window. 15: the zlib format.
_GZIP_FORMAT: Final = 31
_ZLIB_FORMAT: Final = 15

# A frame's header may ask for a window of gigabytes before it holds anything. RFC 9659 has every
# decoder of the `zstd` content coding accept 8 MiB and lets it refuse more.
_ZSTD_WINDOW_LOG: Final = 23


class DecompressedTooLarge(RemoteError):
    """A message is larger than the limit once it is decompressed: RESOURCE_EXHAUSTED."""


class MalformedCompression(RemoteError):
    """A message is corrupt in its encoding, truncated, or followed by more: INTERNAL."""


class InvalidCompressor(LocalError, ValueError):
    """A compressor cannot be registered under its name."""


class Compressor(Protocol):
    """One algorithm. Instances are shared by all calls and threads, so they keep no state."""

    @property
    def name(self) -> str:
        """The content coding, as in `grpc-encoding`: a lower-case token such as `gzip`."""

    def compress(self, data: bytes) -> bytes:
        """Return `data` compressed, complete in itself."""

    def decompress(self, data: bytes, max_size: int) -> bytes:
        """Return what `data` was before compression.

        Args:
            data: One whole message, from the network.
            max_size: The largest result in octets that is wanted; -1 for no limit. An
                implementation must not hold much more than this at any time.

        Raises:
            DecompressedTooLarge: The result would be larger than `max_size`.
            MalformedCompression: `data` is corrupt, truncated, or has octets behind its end.
        """


class _Identity:
    name = "identity"

    def compress(self, data: bytes) -> bytes:
        return data

    def decompress(self, data: bytes, max_size: int) -> bytes:
        _check_size(data, max_size, self.name)
        return data


class _Deflate:
    name = "deflate"

    def compress(self, data: bytes) -> bytes:
        import zlib

        return zlib.compress(data, wbits=_ZLIB_FORMAT)

    def decompress(self, data: bytes, max_size: int) -> bytes:
        import zlib

        stream = zlib.decompressobj(_ZLIB_FORMAT)
        return _decompress_one(
            stream, data, _one_more(max_size, 0), max_size, self.name, zlib.error
        )


class _Gzip:
    name = "gzip"

    def compress(self, data: bytes) -> bytes:
        import zlib

        # zlib leaves the time of modification zero: equal messages stay equal.
        return zlib.compress(data, wbits=_GZIP_FORMAT)

    def decompress(self, data: bytes, max_size: int) -> bytes:
        import zlib

        stream = zlib.decompressobj(_GZIP_FORMAT)
        try:
            result = stream.decompress(data, _one_more(max_size, 0))
            _check_size(result, max_size, self.name)
            rest = stream.unused_data
            if rest:
                return self._decompress_members(result, rest, max_size)
        except zlib.error as error:
            raise _malformed(self.name, error) from None
        if not stream.eof:
            raise _malformed(self.name, "it is truncated")
        return result

    def _decompress_members(self, first: bytes, data: bytes, max_size: int) -> bytes:
        """Decompress the members that follow the first one (RFC 1952 section 2.2).

        zlib copies what it has not used each time that a member ends. Members are fed in steps that
        grow from small, so that a message of a hundred thousand empty ones costs linear time.
        """
        import zlib

        result = bytearray(first)
        view = memoryview(data)
        position = 0
        while position < len(data):
            stream = zlib.decompressobj(_GZIP_FORMAT)
            step = 64
            while not stream.eof:
                if position >= len(data):
                    raise _malformed(self.name, "it is truncated")
                piece = view[position : position + step]
                room = max_size + 1 - len(result) if max_size >= 0 else 0
                result += stream.decompress(piece, room)
                _check_size(result, max_size, self.name)
                position += len(piece) - len(stream.unused_data)
                step *= 2
        return bytes(result)


class _Zstd:
    """zstd on the standard library's module, or on `backports.zstd`, which is the same."""

    name = "zstd"

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._options = {module.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}

    def compress(self, data: bytes) -> bytes:
        result: bytes = self._module.compress(data)
        return result

    def decompress(self, data: bytes, max_size: int) -> bytes:
        module = self._module
        stream = module.ZstdDecompressor(options=self._options)
        limit = _one_more(max_size, -1)
        return _decompress_one(stream, data, limit, max_size, self.name, module.ZstdError)


class _ZstandardZstd:
    """zstd on the package `zstandard`, whose incremental decompressor cannot limit its output."""

    name = "zstd"

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def compress(self, data: bytes) -> bytes:
        result: bytes = self._module.ZstdCompressor().compress(data)
        return result

    def decompress(self, data: bytes, max_size: int) -> bytes:
        module = self._module
        decompressor = module.ZstdDecompressor(max_window_size=1 << _ZSTD_WINDOW_LOG)
        try:
            size = module.get_frame_parameters(data).content_size
            if 0 < size <= max_size:
                # The frame says how large it is, and the buffer is made of that size.
                result: bytes = decompressor.decompress(data, allow_extra_data=False)
                return result
            # The reader stops at the limit, but takes a truncated frame for a whole one. Only when
            # the result is known to be small is it made by what tells the two apart.
            reader = decompressor.stream_reader(data)
            _check_size(reader.read(_one_more(max_size, -1)), max_size, self.name)
            stream = decompressor.decompressobj()
            return _decompress_one(stream, data, None, max_size, self.name, module.ZstdError)
        except module.ZstdError as error:
            raise _malformed(self.name, error) from None


def _one_more(max_size: int, unlimited: int) -> int:
    """The output to ask for: one octet above the limit tells a full result from one too large."""
    return max_size + 1 if max_size >= 0 else unlimited


def _check_size(result: bytes | bytearray, max_size: int, name: str) -> None:
    if 0 <= max_size < len(result):
        raise DecompressedTooLarge(
            f"Received message larger than max after {name} decompression (more than {max_size})"
        )


def _decompress_one(
    stream: Any,
    data: bytes,
    limit: int | None,
    max_size: int,
    name: str,
    failure: type[Exception],
) -> bytes:
    """Decompress what must be exactly one stream of an algorithm."""
    try:
        result: bytes = stream.decompress(data) if limit is None else stream.decompress(data, limit)
    except failure as error:
        raise _malformed(name, error) from None
    _check_size(result, max_size, name)
    if not stream.eof:
        raise _malformed(name, "it is truncated")
    if stream.unused_data:
        raise _malformed(name, "octets follow its end")
    return result


def _malformed(name: str, reason: object) -> MalformedCompression:
    return MalformedCompression(f"the peer sent a message that is not valid {name}: {reason}")


_registry: dict[str, Compressor] = {each.name: each for each in (_Identity(), _Deflate(), _Gzip())}

# The modules that may have zstd, best first. Those that turn out not to be there are taken out: the
# answer must be quick to a peer that asks for zstd all the time. A dict, so that two threads may.
_zstd_modules = dict.fromkeys(("compression.zstd", "backports.zstd", "zstandard"))


def register_compressor(compressor: Compressor) -> None:
    """Make an algorithm known under its name, in the place of the one that has it.

    Peers are told of it (`grpc-accept-encoding`) from the next call on.

    Raises:
        InvalidCompressor: The name is not a lower-case token, or is `identity`.
    """
    name = compressor.name
    if not _NAME.fullmatch(name) or name == "identity":
        raise InvalidCompressor(
            f"a compressor cannot be registered as {name!r}: the name must be a lower-case HTTP"
            " token, such as 'br', and not 'identity', which means no compression"
        )
    _registry[name] = compressor
    accept_encoding.cache_clear()


def get_compressor(name: str) -> Compressor | None:
    """Return the algorithm of a `grpc-encoding` value, or None if this side does not have it."""
    found = _registry.get(name)
    if found is None and name == "zstd":
        return _load_zstd()
    return found


@functools.cache
def accept_encoding() -> bytes:
    """Return the value of `grpc-accept-encoding`: every algorithm that this side has."""
    names = list(_registry)
    if "zstd" not in _registry and _find_zstd() is not None:
        names.append("zstd")
    return ",".join(names).encode("ascii")


def _find_zstd() -> str | None:
    """The first module of zstd that is installed, without importing it."""
    for module in tuple(_zstd_modules):
        try:
            if importlib.util.find_spec(module) is not None:
                return module
        except ImportError:  # the package around it is missing
            pass
        _zstd_modules.pop(module, None)
    return None


def _load_zstd() -> Compressor | None:
    while (module := _find_zstd()) is not None:
        try:
            imported = importlib.import_module(module)
        except ImportError:
            # Installed and broken, such as an interpreter built without libzstd: try the next one,
            # and tell peers the truth from now on.
            _zstd_modules.pop(module, None)
            accept_encoding.cache_clear()
        else:
            zstd: Compressor = (_ZstandardZstd if module == "zstandard" else _Zstd)(imported)
            return _registry.setdefault("zstd", zstd)
    return None
