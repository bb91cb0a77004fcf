"""Write the seed corpus: what real calls say on the wire, cut up for each target, and a few values by hand.

    python fuzz/make_corpus.py

Rules: every exchange is a Clarion client and a Clarion server on a loopback socket, with a recorder between them.
Files that stand for a defect once found (`found-*`) stay as they are.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import socket
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import clarion  # noqa: E402 - the path comes first
from clarion.hpack import Decoder  # noqa: E402
from fuzz.connections import STREAMS  # noqa: E402
from fuzz.seeds import CORPUS  # noqa: E402
from support.http2 import DATA, HEADERS, PREFACE, Frame, frame, parse  # noqa: E402

__all__ = ["main"]

SECONDS = 10.0


class Recorder:
    """Forwards one connection to a port and keeps what each side said."""

    def __init__(self, target: int) -> None:
        self.said = {"client": b"", "server": b""}
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(("127.0.0.1", self._target))
        back = threading.Thread(target=self._forward, args=(server, client, "server"), daemon=True)
        self._threads.append(back)
        back.start()
        self._forward(client, server, "client")

    def _forward(self, source: socket.socket, sink: socket.socket, who: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self.said[who] += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(SECONDS)
        self._listener.close()


def _echo(request: bytes, context: Any) -> bytes:
    context.set_trailing_metadata((("trailing", "1"), ("trailing-bin", b"\0\xff")))
    return request


def _fail(request: bytes, context: Any) -> bytes:
    context.abort(clarion.StatusCode.NOT_FOUND, "no such thing: 50% of \u00e9, \u4e16\u754c")
    return b""


def _each(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    yield from requests


def _hang(request: bytes, context: Any) -> Iterator[bytes]:
    ended = threading.Event()
    context.add_callback(ended.set)
    yield b"first"
    ended.wait(SECONDS)


METHODS = {
    "Echo": clarion.unary_unary_rpc_method_handler(_echo),
    "Fail": clarion.unary_unary_rpc_method_handler(_fail),
    "Each": clarion.stream_stream_rpc_method_handler(_each),
    "Hang": clarion.unary_stream_rpc_method_handler(_hang),
}


def _plain(channel: Any) -> None:
    channel.unary_unary("/s.S/Echo")(b"hello")
    channel.unary_unary("/s.S/Echo")(b"again")


def _metadata(channel: Any) -> None:
    metadata = (("x-a", "text"), ("x-a-bin", b"\1\2\3"), ("authorization", "Bearer " + "t" * 40))
    for _ in range(3):
        channel.unary_unary("/s.S/Echo")(b"x", metadata=metadata, timeout=5)


def _status(channel: Any) -> None:
    for name in ("Fail", "Missing"):
        with contextlib.suppress(clarion.RpcError):
            channel.unary_unary(f"/s.S/{name}")(b"x", timeout=1.5)


def _streams(channel: Any) -> None:
    list(channel.stream_stream("/s.S/Each")(iter([b"a", b"", b"ccc" * 100])))


def _compressed(channel: Any) -> None:
    channel.unary_unary("/s.S/Echo")(b"z" * 900, compression=clarion.Compression.Gzip)
    channel.unary_unary("/s.S/Echo")(b"y" * 900, compression=clarion.Compression.Deflate)


def _cancelled(channel: Any) -> None:
    call = channel.unary_stream("/s.S/Hang")(b"x")
    next(call)
    call.cancel()
    channel.unary_unary("/s.S/Echo")(b"after")


CALLS: dict[str, Callable[[Any], None]] = {
    "plain": _plain,
    "metadata": _metadata,
    "status": _status,
    "streams": _streams,
    "compressed": _compressed,
    "cancelled": _cancelled,
}


def _record(calls: Callable[[Any], None]) -> dict[str, bytes]:
    with futures.ThreadPoolExecutor(4) as pool:
        server = clarion.server(pool)
        server.add_generic_rpc_handlers((clarion.method_handlers_generic_handler("s.S", METHODS),))
        recorder = Recorder(server.add_insecure_port("127.0.0.1:0"))
        server.start()
        options = [("grpc.default_authority", "localhost")]
        with clarion.insecure_channel(f"127.0.0.1:{recorder.port}", options) as channel:
            calls(channel)
        recorder.join()
        server.stop(None).wait(SECONDS)
    return recorder.said


# From what was said to the inputs of the targets


def _piece(data: bytes) -> bytes:
    if len(data) < 255:
        return bytes([len(data)]) + data
    return bytes([255]) + struct.pack(">H", len(data)) + data


def _listed(frames: Iterable[Frame]) -> bytes:
    """As `fuzz.connections.frames_of` reads it. Longer payloads than it can say are left out."""
    return b"".join(
        bytes([each.kind, each.flags, STREAMS.index(each.sid), len(each.payload)]) + each.payload
        for each in frames
        if len(each.payload) < 0x80 and each.sid in STREAMS
    )


def _fields(decoder: Decoder, frames: Iterable[Frame]) -> Iterator[tuple[tuple[bytes, bytes], ...]]:
    for each in frames:
        if each.kind == HEADERS:
            yield decoder.decode(each.payload).fields


class _Corpus:
    def __init__(self) -> None:
        for file in CORPUS.glob("*/*"):
            if not file.name.startswith("found-"):
                file.unlink()

    def add(self, targets: str, name: str, data: bytes) -> None:
        for target in targets.split():
            (CORPUS / target).mkdir(parents=True, exist_ok=True)
            (CORPUS / target / name).write_bytes(data)


def _add_exchange(corpus: _Corpus, name: str, said: dict[str, bytes]) -> None:
    for who, heard in (("client", "server"), ("server", "client")):
        whole = said[who]
        frames = parse(whole.removeprefix(PREFACE))
        # Without the first SETTINGS, which the targets have behind them.
        later = b"".join(frame(*each) for each in frames[1:])
        corpus.add(f"{heard}_connection", name, b"\2\0" + whole)
        corpus.add(f"{heard}_connection", f"{name}-cut", b"\0\7" + later)
        corpus.add(f"{heard}_call", name, b"\0\0" + later)
        listed = _listed(frames[1:])
        corpus.add(f"{heard}_call {heard}_connection", f"{name}-listed", b"\1\0" + listed)
        corpus.add("frames_differential", f"{name}-{who}", bytes([heard == "client"]) + listed)
        blocks = b"".join(_piece(each.payload) for each in frames if each.kind == HEADERS)
        corpus.add("hpack_decode", f"{name}-{who}", b"\0\0" + blocks)
        corpus.add("hpack_differential", f"{name}-{who}", blocks)
        lists = list(_fields(Decoder(), frames))
        first = b"".join(b"\0" + _piece(n) + _piece(v) for n, v in lists[0])
        corpus.add("metadata", f"{name}-{who}", first)
        corpus.add("heads", f"{name}-{who}", b"\0" + first)
        corpus.add(
            "hpack_sessions",
            f"{name}-{who}",
            b"\0"
            + b"".join(
                bytes([len(some)]) + b"".join(b"\0" + _piece(n) + _piece(v) for n, v in some)
                for fields in lists
                for some in (fields[:5],)
            ),
        )
        body = b"".join(each.payload for each in frames if each.kind == DATA)
        corpus.add("framing", f"{name}-{who}", b"\0\0" + body)
        corpus.add("framing", f"{name}-{who}-cut", b"\4\3" + body)


def _add_by_hand(corpus: _Corpus) -> None:
    packed = {0: gzip.compress(b"a" * 500, mtime=0), 1: zlib.compress(b"b" * 500), 2: b"plain"}
    for which, data in packed.items():
        corpus.add("compression", f"whole-{which}", bytes([which, 0]) + data)
        corpus.add("compression", f"short-{which}", bytes([which, 2]) + data[:-3])
    corpus.add("compression", "bomb", b"\0\0" + gzip.compress(bytes(100_000), mtime=0))
    values = {
        "timeout": [b"1S", b"99999999n", b"0m", b"100000000S", b"S", b"1h", struct.pack(">d", 1.5)],
        "percent": [b"plain", b"50%25 of it", b"%e4%b8%96", b"%zz%", b"\xff\xfe", b" %20 "],
        "base64": [b"AAEC", b"AA==", b"AA", b"AAEC,AA==, AAE", b"A", b"A===", b"A-_B", b",", b""],
        "target": [
            b"localhost:50051",
            b"dns:///example.com",
            b"dns://1.1.1.1/name:80",
            b"ipv4:1.2.3.4:5,6.7.8.9",
            b"ipv6:[::1]:80,[fe80::1%25eth0]:1",
            b"unix:relative",
            b"unix:///tmp/socket",
            b"unix-abstract:name",
            b"[::]:0",
            b"host:99999",
        ],
    }
    for target, inputs in values.items():
        for number, data in enumerate(inputs):
            corpus.add(target, f"value-{number}", data)


def _add_web(corpus: _Corpus) -> None:
    """What the protocols of the web have on the wire; messages and trailers are the same in all of them."""
    packed = gzip.compress(b"a" * 200, mtime=0)
    message = b"\0\0\0\0\5hello" + b"\1" + struct.pack(">I", len(packed)) + packed
    trailers = b"grpc-status:5\r\ngrpc-message:no %C3%A9\r\nx-bin:AAEC\r\n"
    end = b'{"error":{"code":"aborted","details":[{"type":"a.B","value":"QQ"}]},"metadata":{"x":["1"]}}'
    grpc = message + b"\x80" + struct.pack(">I", len(trailers)) + trailers
    connect = message + b"\2" + struct.pack(">I", len(end)) + end
    text = base64.b64encode(message) + base64.b64encode(grpc[len(message) :])
    bodies = (
        grpc,
        message,
        text,
        base64.b64encode(message),
        connect,
        b"\n\1a",
        end,
        message,
        b"\n\1a",
    )
    for case, body in enumerate(bodies):
        for encoding in (0, 1):
            corpus.add("web_bodies", f"case-{case}-{encoding}", bytes([encoding, case, 3]) + body)
    corpus.add("web_bodies", "bomb", b"\0\5\0" + gzip.compress(bytes(5000), mtime=0))
    query = _piece(b"connect=v1&encoding=json&message=%7B%7D&base64=1")
    listed = b"".join(b"\3" + bytes([name, value]) for name, value in ((0, 0), (1, 4), (2, 6)))
    metadata = b"\0" + _piece(b"x-bin") + _piece(b"AAE=") + b"\1\6" + _piece(b"1500")
    for number, data in enumerate(
        (query, query + listed, query + listed + metadata, b"\0\3\0\1\3\3\4")
    ):
        corpus.add("web_heads", f"head-{number}", b"\0" + data)
    for number, data in enumerate((trailers, b"A: b\n\r\n", b"a : b\r\n")):
        corpus.add("web_heads", f"trailers-{number}", b"\1" + data)
    texts = (
        end,
        b'{"name":"\\u00e9","number":7,"type":"TYPE_INT32"}',
        b"[" * 200,
        b'{"a":1,"a":NaN}',
    )
    for number, data in enumerate(texts):
        corpus.add("web_heads", f"json-{number}", b"\2" + data)


def _add_http1(corpus: _Corpus) -> None:
    """Answers of HTTP/1.1, and a session of three of them."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\n"
    answers = (
        head + b"content-length: 5\r\n\r\nhello",
        head + b"transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nx: y\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + head + b"keep-alive: timeout=5\r\n\r\nuntil the end",
        b"HTTP/1.0 503 No\r\nconnection: x, close\r\nx: y\r\n\r\n",
        head + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 204 \r\nx: a\n b\r\n\r\n",
    )
    for number, answer in enumerate(answers):
        for certain in (0, 1):
            name = f"answer-{number}-{certain}"
            corpus.add("http1_client", name, bytes([0, certain, 7]) + answer)
    whole, chunked = (b"\3\1" + _piece(b"x") + b"\4\0" + _piece(each) for each in answers[:2])
    streamed = b"\3\0" + _piece(b"x") + b"\4\6" + _piece(bytes(100)) + b"\1\4\0"
    corpus.add("http1_client", "session", b"\1" + whole + chunked + streamed + _piece(answers[0]))
    given_up = b"\3\1\0\4\0" + _piece(answers[1][:-9]) + b"\7\0\0" + _piece(answers[1][-9:])
    corpus.add("http1_client", "given-up", b"\1" + given_up + whole + b"\5\1")
    held = head + b"content-length: 400\r\n\r\n" + bytes(200)
    rest = b"\10\0" + _piece(bytes(200)) + b"\10\10\5\0"
    corpus.add("http1_client", "held", b"\1\3\1\0\4\0" + _piece(held) + rest)


def _add_http1_server(corpus: _Corpus) -> None:
    """Requests of HTTP/1.1, and sessions with streams and with calls of the web."""
    head = b"POST /test.Test/Unary HTTP/1.1\r\nHost: x\r\nContent-Type: application/proto\r\n"
    chunks = b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nx: y\r\n\r\n"
    length = b"Content-Length: 5\r\n"
    requests = (
        head + length + b"\r\nhello",
        head + chunks + head + length + b"\r\nagain",
        head + b"Expect: 100-continue\r\nConnection: close\r\n" + length + b"\r\nhello",
        head + length + chunks,
        head.replace(b"1.1", b"1.0") + length + b"\r\nhello",
        b"GET http://y/test.Test/Unary?a=b#c HTTP/1.1\nHost: x\nX: a\n b\n\n",
    )
    for number, request in enumerate(requests):
        corpus.add("http1_server", f"requests-{number}", b"\0\7" + request)
    answered = b"".join(b"\0" + _piece(each) + b"\10" + _piece(b"answer") for each in requests[:2])
    held = (
        b"\0"
        + _piece(head + b"Content-Length: 200\r\n\r\n" + bytes(150))
        + b"\0"
        + _piece(bytes(50))
    )
    corpus.add("http1_server", "streams", b"\1\1" + answered)
    corpus.add("http1_server", "held", b"\1\1" + held + b"\11\10" + _piece(b"x") + b"\7\1")
    corpus.add(
        "http1_server",
        "parked",
        b"\1\1\5\0" + _piece(requests[0]) + b"\10" + _piece(bytes(200)) + b"\4\6\4",
    )
    message = b"\0\0\0\0\2hi"
    kinds = {
        b"application/proto": b"hi",
        b"application/connect+proto": message * 2,
        b"application/grpc-web+proto": message * 2,
        b"application/grpc-web-text": base64.b64encode(message),
        b"application/json": b"{}",
        b"application/grpc": message,
    }
    for number, (kind, body) in enumerate(kinds.items()):
        path = b"Unary" if b"/proto" in kind else b"Stream"
        calls = head.replace(b"Unary", path).replace(b"application/proto", kind)
        calls += b"Content-Length: %d\r\n\r\n" % len(body) + body
        corpus.add("http1_server", f"call-{number}", b"\2\1\0" + _piece(calls) + b"\10\4")


def _add_web_calls(corpus: _Corpus) -> None:
    """A call of each protocol on a connection of HTTP/2, and some that are refused."""
    message = b"\0\0\0\0\2hi"
    bodies = {
        "grpc": (0, b"\1\0", message),
        "grpc-web": (2, b"\0", message),
        "text": (3, b"\0", base64.b64encode(message)),
        "unary": (4, b"\0", b"hi"),
        "json": (5, b"\1\6", b"{}"),
        "connect": (6, b"\0", message * 2),
        "nothing": (8, b"\0", b"hi"),
        "large": (6, b"\2\12\12", message),
    }
    for name, (kind, extra, body) in bodies.items():
        path = 0 if name in ("grpc", "grpc-web", "unary", "json") else 1
        head = b"\0" + bytes([0, path, kind]) + extra + b"\0"
        call = head + b"\2\1" + _piece(body) + b"\3\5"
        corpus.add("web_calls", name, call)
        corpus.add(
            "web_calls", f"{name}-cut", head + b"\2\0" + _piece(body[:-1]) + b"\0\5\7" + call
        )


def main() -> None:
    """Write everything anew."""
    corpus = _Corpus()
    for name, calls in CALLS.items():
        _add_exchange(corpus, name, _record(calls))
    _add_by_hand(corpus)
    _add_web(corpus)
    _add_http1(corpus)
    _add_http1_server(corpus)
    _add_web_calls(corpus)


if __name__ == "__main__":
    main()
