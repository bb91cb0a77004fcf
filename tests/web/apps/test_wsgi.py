"""WSGI applications (PEP 3333), on both front ends."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from support.front_end import SERVICE
from support.libraries import LIMIT
from support.simple import echo
from support.web_clients import WebClient, read_until

Connect = Callable[..., WebClient]


def test_the_validator_finds_nothing(sites: Any, connect: Connect) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        source = environ["wsgi.input"]
        lines = [source.readline(), *source.readlines(), source.read(10)]
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"written ")
        return [b"%d" % len(lines), b" lines"]

    checked = validator(app)
    client = connect(sites.wsgi(checked))
    body = b"one\ntwo\nthree"
    for _ in range(2):
        answer = client.request("/a?b=c", {"content-type": "text/plain"}, body)
        assert (answer.status, answer.body) == (200, b"written 4 lines")


def test_the_environment(sites: Any, connect: Connect) -> None:
    seen: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        seen.put(environ)
        start_response("204 No Content", [])
        return []

    server = sites.wsgi(app)
    client = connect(server)
    headers = {
        "content-type": "text/x",
        "content-length": "3",
        "x-some-thing": "one",
        "x_some_thing": "two",
        "proxy": "http://evil.example",
    }
    client.request("/p%C3%A4th?q=%41", headers, b"abc", method="PUT")
    environ = seen.get(timeout=LIMIT)
    assert environ["REQUEST_METHOD"] == "PUT"
    assert environ["PATH_INFO"] == "/päth".encode().decode("latin-1")
    assert (environ["SCRIPT_NAME"], environ["QUERY_STRING"]) == ("", "q=%41")
    assert environ["REQUEST_URI"] == "/p%C3%A4th?q=%41"
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("text/x", "3")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("127.0.0.1", str(server.ports[0]))
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["SERVER_PROTOCOL"] == ("HTTP/2" if client.name == "h2" else "HTTP/1.1")
    assert (environ["HTTP_HOST"], environ["HTTP_X_SOME_THING"]) == ("localhost", "one")
    assert "HTTP_PROXY" not in environ
    assert environ["wsgi.multithread"] is True
    assert environ["wsgi.url_scheme"] == "http"


def test_start_response_with_exc_info(sites: Any, connect: Connect, log: Any) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [("x-which", "first")])
        if environ["PATH_INFO"] == "/late":
            write(b"begun")
        try:
            raise ValueError("what went wrong")
        except ValueError:
            start_response("502 Oh", [("x-which", "second")], sys.exc_info())
        return [b"sorry"]

    server = sites.wsgi(app)
    answer = connect(server).request("/early", {}, method="GET")
    assert (answer.status, answer["x-which"], answer.body) == (502, "second", b"sorry")
    client = connect(server)
    client.send_head("/late", {}, method="GET")
    client.send_end()
    assert client.head().status == 200
    with pytest.raises(Exception):  # noqa: B017 - as the client's library has it
        list(client.pieces())
    log.until("ValueError: what went wrong")


@pytest.mark.parametrize(
    "mistake", ["start twice", "no start", "text", "status", "header", "beyond latin-1"]
)
def test_mistakes(sites: Any, connect: Connect, log: Any, mistake: str) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[Any]:
        if mistake == "no start":
            return [b"hello"]
        headers: list[Any] = []
        if mistake == "header":
            headers = [(b"x-bytes", "one")]
        elif mistake == "beyond latin-1":
            headers = [("x-word", "\u20ac")]
        start_response("fine" if mistake == "status" else "200 OK", headers)
        if mistake == "start twice":
            start_response("200 OK", [])
        return ["hello"] if mistake == "text" else [b"hello"]

    answer = connect(sites.wsgi(app)).request("/", {}, method="GET")
    assert (answer.status, answer.body) == (500, b"Internal Server Error\n")
    log.until("BadAnswer")


def test_what_is_iterated_over_is_closed(sites: Any, connect: Connect) -> None:
    closed: queue.SimpleQueue[str] = queue.SimpleQueue()
    go_on = threading.Event()

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        path = environ["PATH_INFO"]
        start_response("200 OK", [])
        try:
            yield b"first"
            if path == "/whole":
                yield b" last"
                return
            go_on.wait(LIMIT)
            while True:
                yield bytes(100_000)
        finally:
            closed.put(path)

    server = sites.wsgi(app)
    assert connect(server).request("/whole", {}, method="GET").body == b"first last"
    assert closed.get(timeout=LIMIT) == "/whole"
    client = connect(server)
    client.send_head("/endless", {}, method="GET")
    client.send_end()
    client.head()
    assert next(client.pieces()) == b"first"
    client.cancel()
    go_on.set()
    assert closed.get(timeout=LIMIT) == "/endless"


def test_reading_after_the_client_is_gone(sites: Any, connect: Connect) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        heard.put("reads")
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            heard.put(type(error).__name__)
            raise
        return []

    client = connect(sites.wsgi(app))
    client.send_head("/", {})
    client.send_piece(b"some")
    assert heard.get(timeout=LIMIT) == "reads"
    client.cancel()
    assert heard.get(timeout=LIMIT) == "ClientGone"


def test_a_slow_site_keeps_no_call_waiting(front: Any, connect: Connect) -> None:
    from clarion.web import WebOptions

    asked, go_on = threading.Semaphore(0), threading.Event()

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        asked.release()
        go_on.wait(LIMIT)
        start_response("200 OK", [])
        return [b"at last"]

    options = [("clarion.web", WebOptions(wsgi=app, wsgi_threads=1))]
    server = front.serve({"unary_unary": echo}, options=options)
    slow = [connect(server) for _ in range(3)]
    for client in slow:
        client.send_head("/", {}, method="GET")
        client.send_end()
    assert asked.acquire(timeout=LIMIT)
    called = connect(server).request(
        SERVICE + "UnaryUnary", {"content-type": "application/proto"}, b"hello"
    )
    assert called.body == b"hello"
    go_on.set()
    assert [client.answer().body for client in slow] == [b"at last"] * 3


def test_stopping_at_once(sites: Any, connect: Connect) -> None:
    asked, heard = threading.Event(), queue.SimpleQueue[str]()

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        asked.set()
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            heard.put(type(error).__name__)
            raise
        return []

    server = sites.wsgi(app)
    client = connect(server)
    client.send_head("/", {})
    client.send_piece(b"some")
    assert asked.wait(LIMIT)
    wait_stopped = server.stop(None)
    # h2 takes nothing behind GOAWAY.
    read_until(client.sock, b"the server was stopped")
    client.close()
    wait_stopped()
    assert heard.get(timeout=LIMIT) == "ClientGone"
