"""Compression: every algorithm, hostile input, and the registry."""

from __future__ import annotations

import gzip
import importlib
import importlib.machinery
import importlib.util
import random
import subprocess
import sys
import tracemalloc
import types
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.errors import LocalError, RemoteError
from clarion.protocol import compression
from clarion.protocol.compression import (
    Compressor,
    DecompressedTooLarge,
    InvalidCompressor,
    MalformedCompression,
    accept_encoding,
    get_compressor,
    register_compressor,
)

ZSTD_MODULES = ("compression.zstd", "backports.zstd", "zstandard")
BOMB_SIZE = 64 << 20


class FakeZstd(types.ModuleType):
    """The standard library's module `compression.zstd`, as far as Clarion uses it, over zlib."""

    ZstdError = zlib.error

    class DecompressionParameter:
        window_log_max = 100

    class ZstdDecompressor:
        def __init__(self, options: dict[int, int]) -> None:
            assert options == {100: 23}
            self._stream = zlib.decompressobj()

        def decompress(self, data: bytes, max_length: int) -> bytes:
            return self._stream.decompress(data, 0 if max_length < 0 else max_length)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._stream, name)

    @staticmethod
    def compress(data: bytes) -> bytes:
        return zlib.compress(data)


class FakeZstandard(types.ModuleType):
    """The package `zstandard`, as far as Clarion uses it, over zlib.

    A frame begins with `+` where its header gives the size of its content, and else with `-`.
    """

    ZstdError = zlib.error

    class Reader:
        def __init__(self, data: bytes) -> None:
            self._data = data

        def read(self, size: int) -> bytes:
            return zlib.decompressobj().decompress(self._data[1:], 0 if size < 0 else size)

    class Stream:
        def __init__(self) -> None:
            self._stream = zlib.decompressobj()

        def decompress(self, data: bytes) -> bytes:
            return self._stream.decompress(data[1:])

        def __getattr__(self, name: str) -> Any:
            return getattr(self._stream, name)

    class ZstdCompressor:
        def compress(self, data: bytes) -> bytes:
            return b"+" + zlib.compress(data)

    class ZstdDecompressor:
        def __init__(self, max_window_size: int) -> None:
            assert max_window_size == 1 << 23

        def decompress(self, data: bytes, allow_extra_data: bool) -> bytes:
            assert not allow_extra_data
            stream = zlib.decompressobj()
            result = stream.decompress(data[1:])
            if not stream.eof or stream.unused_data:
                raise zlib.error("not one frame")
            return result

        def stream_reader(self, data: bytes) -> FakeZstandard.Reader:
            return FakeZstandard.Reader(data)

        def decompressobj(self) -> FakeZstandard.Stream:
            return FakeZstandard.Stream()

    @staticmethod
    def get_frame_parameters(data: bytes) -> types.SimpleNamespace:
        if data[:1] not in (b"+", b"-"):
            raise zlib.error("no frame")
        known = data[:1] == b"+"
        size = len(zlib.decompressobj().decompress(data[1:])) if known else (1 << 64) - 1
        return types.SimpleNamespace(content_size=size)


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A registry as at import, which the test may change, on an interpreter without zstd."""
    built_in = {name: compression._registry[name] for name in ("identity", "deflate", "gzip")}
    monkeypatch.setattr(compression, "_registry", built_in)
    monkeypatch.setattr(compression, "_zstd_modules", dict.fromkeys(ZSTD_MODULES))
    for name in ZSTD_MODULES:
        # As the interpreter has it: None stands for a module that cannot be imported.
        monkeypatch.setitem(sys.modules, name, None)
    accept_encoding.cache_clear()
    return monkeypatch


@pytest.fixture(autouse=True)
def forget_cached_header() -> Any:
    yield
    accept_encoding.cache_clear()


def install(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Make a fake of zstd importable as module `name`."""
    module = (FakeZstandard if name == "zstandard" else FakeZstd)(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    monkeypatch.setitem(sys.modules, name, module)


def compressor(name: str) -> Compressor:
    found = get_compressor(name)
    assert found is not None
    return found


def is_installed(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


INSTALLED = [module for module in ZSTD_MODULES if is_installed(module)]


def make(name: str) -> Compressor:
    """The algorithm of a name, of a module of zstd, or of a fake of one."""
    if name == "fake zstd":
        return compression._Zstd(FakeZstd(name))
    if name == "fake zstandard":
        return compression._ZstandardZstd(FakeZstandard(name))
    if name not in ZSTD_MODULES:
        return compressor(name)
    zstd = compression._ZstandardZstd if name == "zstandard" else compression._Zstd
    return zstd(importlib.import_module(name))


FORMATS = ["deflate", "gzip", "fake zstd", "fake zstandard", *INSTALLED]


@pytest.fixture(params=["identity", *FORMATS])
def algorithm(request: pytest.FixtureRequest) -> Compressor:
    return make(request.param)


@pytest.fixture(params=FORMATS)
def not_identity(request: pytest.FixtureRequest) -> Compressor:
    return make(request.param)


def require(module: str) -> None:
    if module not in INSTALLED:
        pytest.skip(f"{module} is not installed; only a fake of it is tested here")


@pytest.mark.parametrize("module", ZSTD_MODULES)
def test_zstd_modules_read_each_other(module: str) -> None:
    require(module)
    for other in INSTALLED:
        assert make(module).decompress(make(other).compress(b"hello" * 100), 500) == b"hello" * 100


PAYLOADS = [b"", b"a", b"hello " * 1000, random.Random(1).randbytes(100_000), bytes(1 << 20)]


@pytest.mark.parametrize("payload", PAYLOADS, ids=len)
def test_round_trip_with_exact_limit(algorithm: Compressor, payload: bytes) -> None:
    data = algorithm.compress(payload)
    assert algorithm.compress(payload) == data
    for limit in (len(payload), len(payload) + 1, -1):
        assert algorithm.decompress(data, limit) == payload
    if payload:
        for limit in (0, len(payload) // 2, len(payload) - 1):
            with pytest.raises(DecompressedTooLarge, match=f"{algorithm.name}.*{limit}"):
                algorithm.decompress(data, limit)


def test_formats_are_those_of_other_implementations() -> None:
    assert zlib.decompress(compressor("deflate").compress(b"abc")) == b"abc"
    assert compressor("deflate").decompress(zlib.compress(b"abc", 9), 3) == b"abc"
    assert gzip.decompress(compressor("gzip").compress(b"abc")) == b"abc"
    assert compressor("gzip").decompress(gzip.compress(b"abc", 1, mtime=77), 3) == b"abc"
    assert compressor("gzip").compress(b"abc")[4:8] == bytes(4)


@pytest.mark.parametrize("limit", [100_000, -1])
def test_truncated(not_identity: Compressor, limit: int) -> None:
    data = not_identity.compress(b"hello, world" * 100)
    for end in range(len(data)):
        with pytest.raises(MalformedCompression, match=f"not valid {not_identity.name}"):
            not_identity.decompress(data[:end], limit)


@pytest.mark.parametrize("limit", [100_000, -1])
@pytest.mark.parametrize("garbage", [b"\0", b"garbage", bytes(1000)])
def test_trailing_garbage(not_identity: Compressor, limit: int, garbage: bytes) -> None:
    for payload in (b"", b"hello" * 100):
        with pytest.raises(MalformedCompression):
            not_identity.decompress(not_identity.compress(payload) + garbage, limit)


def test_corrupt(not_identity: Compressor) -> None:
    data = not_identity.compress(b"hello" * 100)
    for bad in (b"garbage!" * 10, b"\xff" + data[1:], data[::-1]):
        with pytest.raises(MalformedCompression):
            not_identity.decompress(bad, 100_000)


def test_checksums_are_checked() -> None:
    data = bytearray(compressor("gzip").compress(b"hello"))
    data[-8] ^= 1
    with pytest.raises(MalformedCompression, match="incorrect data check"):
        compressor("gzip").decompress(bytes(data), 100)


def test_preset_dictionary_is_malformed() -> None:
    stream = zlib.compressobj(zdict=b"hello world")
    data = stream.compress(b"hello world") + stream.flush()
    with pytest.raises(MalformedCompression):
        compressor("deflate").decompress(data, 100)


def bomb(name: str) -> tuple[Compressor, bytes]:
    """A small message that unfolds to `BOMB_SIZE` zero octets, and who is to survive it."""
    if name == "gzip members":
        return compressor("gzip"), gzip.compress(bytes(BOMB_SIZE // 64)) * 64
    algorithm = make(name)
    return algorithm, algorithm.compress(bytes(BOMB_SIZE))


@pytest.mark.parametrize("name", ["deflate", "gzip", "gzip members", *INSTALLED])
def test_bombs_are_given_up_at_the_limit(name: str) -> None:
    algorithm, data = bomb(name)
    assert len(data) < BOMB_SIZE // 500
    limit = 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(DecompressedTooLarge):
            algorithm.decompress(data, limit)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The growing buffer may have been copied once; the bomb was not made.
    assert peak < 4 * limit


@pytest.mark.parametrize("name", ["compression.zstd", "backports.zstd"])
def test_zstd_frame_that_asks_for_a_giant_window(name: str) -> None:
    require(name)
    module: Any = importlib.import_module(name)
    stream = module.ZstdCompressor(options={module.CompressionParameter.window_log: 27})
    data = stream.compress(b"small") + stream.flush()
    for reader in INSTALLED:
        with pytest.raises(MalformedCompression, match="memory"):
            make(reader).decompress(data, 1000)


def test_zstandard_frames_without_content_size() -> None:
    require("zstandard")
    algorithm = make("zstandard")
    stream = importlib.import_module("zstandard").ZstdCompressor().compressobj()
    data = stream.compress(bytes(200_000)) + stream.flush()
    assert algorithm.decompress(data, 200_000) == bytes(200_000)
    with pytest.raises(DecompressedTooLarge):
        algorithm.decompress(data, 199_999)
    for bad in (data[:-1], data + b"x"):
        with pytest.raises(MalformedCompression):
            algorithm.decompress(bad, 200_000)


def test_fake_zstandard_frames_without_content_size() -> None:
    algorithm = compression._ZstandardZstd(FakeZstandard("fake"))
    data = b"-" + zlib.compress(bytes(1000))
    assert algorithm.decompress(data, 1000) == bytes(1000)
    with pytest.raises(DecompressedTooLarge):
        algorithm.decompress(data, 999)
    for bad in (data[:-1], data + b"x", b"-"):
        with pytest.raises(MalformedCompression):
            algorithm.decompress(bad, 1000)


@pytest.mark.parametrize("limit", [10_000, -1])
def test_gzip_members_are_joined(limit: int) -> None:
    parts = [b"", b"hello", bytes(3000), b"", random.Random(2).randbytes(5000), b"end"]
    data = b"".join(map(gzip.compress, parts))
    assert compressor("gzip").decompress(data, limit) == b"".join(parts)
    with pytest.raises(MalformedCompression, match="truncated"):
        compressor("gzip").decompress(data[:-1], limit)
    with pytest.raises(MalformedCompression, match="header"):
        compressor("gzip").decompress(data + b"garbage", limit)


def test_gzip_members_count_together_against_the_limit() -> None:
    data = gzip.compress(bytes(600)) + gzip.compress(bytes(400))
    assert compressor("gzip").decompress(data, 1000) == bytes(1000)
    for limit in (999, 600, 599):
        with pytest.raises(DecompressedTooLarge):
            compressor("gzip").decompress(data, limit)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["identity", "deflate", "gzip"]),
    st.binary(max_size=64) | st.binary(max_size=64).map(gzip.compress),
    st.integers(0, 80),
    st.binary(max_size=20),
)
def test_any_octets_decompress_or_raise_remote_error(
    name: str, data: bytes, limit: int, more: bytes
) -> None:
    for attempt in (data, data + more, data + data):
        try:
            result = compressor(name).decompress(attempt, limit)
        except RemoteError:
            continue
        assert len(result) <= limit


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_gzip_members_round_trip(parts: list[bytes]) -> None:
    data = b"".join(compressor("gzip").compress(part) for part in parts)
    assert compressor("gzip").decompress(data, 1500) == b"".join(parts)


def test_registry_without_zstd(clean: pytest.MonkeyPatch) -> None:
    assert accept_encoding() == b"identity,deflate,gzip"
    for name in ("identity", "deflate", "gzip"):
        assert compressor(name).name == name
    for name in ("zstd", "br", "", "GZIP"):
        assert get_compressor(name) is None
    # Not searched for again and again: peers may ask for it with every call.
    assert compression._zstd_modules == {}


def test_missing_parent_package_of_zstd(clean: pytest.MonkeyPatch) -> None:
    clean.setattr(compression, "_zstd_modules", {"no_such_package_at_all.zstd": None})
    assert get_compressor("zstd") is None
    assert accept_encoding() == b"identity,deflate,gzip"


@pytest.mark.parametrize("name", ZSTD_MODULES)
def test_zstd_is_announced_before_it_is_imported(clean: pytest.MonkeyPatch, name: str) -> None:
    install(clean, name)
    imported: list[str] = []

    def record(module: str) -> types.ModuleType:
        imported.append(module)
        return sys.modules[module]

    clean.setattr(importlib, "import_module", record)
    assert accept_encoding() == b"identity,deflate,gzip,zstd"
    assert imported == []
    zstd = compressor("zstd")
    assert zstd.name == "zstd"
    assert compressor("zstd") is zstd
    assert imported == [name]
    assert zstd.decompress(zstd.compress(b"hello"), 5) == b"hello"
    accept_encoding.cache_clear()
    assert accept_encoding() == b"identity,deflate,gzip,zstd"


def test_broken_zstd_gives_way_to_the_next(clean: pytest.MonkeyPatch) -> None:
    install(clean, "compression.zstd")
    install(clean, "zstandard")

    def importing(module: str) -> types.ModuleType:
        if module == "compression.zstd":
            raise ImportError("no _zstd in this interpreter")
        return sys.modules[module]

    clean.setattr(importlib, "import_module", importing)
    assert isinstance(get_compressor("zstd"), compression._ZstandardZstd)
    assert accept_encoding() == b"identity,deflate,gzip,zstd"


def test_broken_zstd_is_not_announced_any_longer(clean: pytest.MonkeyPatch) -> None:
    install(clean, "compression.zstd")

    def importing(module: str) -> types.ModuleType:
        raise ImportError("no _zstd in this interpreter")

    clean.setattr(importlib, "import_module", importing)
    assert accept_encoding() == b"identity,deflate,gzip,zstd"
    assert get_compressor("zstd") is None
    assert accept_encoding() == b"identity,deflate,gzip"


class Reverse:
    def __init__(self, name: str) -> None:
        self.name = name

    def compress(self, data: bytes) -> bytes:
        return data[::-1]

    def decompress(self, data: bytes, max_size: int) -> bytes:
        return data[::-1]


def test_users_register_their_own(clean: pytest.MonkeyPatch) -> None:
    assert accept_encoding() == b"identity,deflate,gzip"
    mine = Reverse("x-reverse")
    register_compressor(mine)
    assert get_compressor("x-reverse") is mine
    assert accept_encoding() == b"identity,deflate,gzip,x-reverse"
    faster = Reverse("gzip")
    register_compressor(faster)
    assert get_compressor("gzip") is faster
    own_zstd = Reverse("zstd")
    install(clean, "zstandard")
    register_compressor(own_zstd)
    assert get_compressor("zstd") is own_zstd
    assert accept_encoding() == b"identity,deflate,gzip,x-reverse,zstd"


@pytest.mark.parametrize("name", ["", "GZIP", "a,b", "a b", "é", "a\n", "identity"])
def test_names_that_cannot_be_registered(clean: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(InvalidCompressor, match="cannot be registered") as caught:
        register_compressor(Reverse(name))
    assert isinstance(caught.value, LocalError)
    assert isinstance(caught.value, ValueError)
    assert compressor("identity").compress(b"ab") == b"ab"


def test_nothing_is_imported_with_the_module() -> None:
    code = (
        "import sys; before = set(sys.modules); import clarion.protocol.compression;"
        "print(sorted({'zlib', 'gzip', '_zstd', 'compression.zstd', 'backports.zstd', 'zstandard'}"
        " & (set(sys.modules) - before)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
