"""A coffee bar for browsers: its services by gRPC, gRPC-Web and Connect, and the page that calls them, all on one port.

npm ci && npm run build
python server.py            # or another port than 8080: python server.py 8090
python server.py 8443 --key server.key --certificate server.pem

The same page is on the next port as well, which makes it one of another origin: CORS decides what it may do.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import clarion
from clarion import StatusCode
from clarion.rich_errors import BadRequest, FieldViolation, StatusError
from clarion.web import CorsPolicy, WebOptions

protos, services = clarion.protos_and_services("coffee.proto")

DIST = Path(__file__).parent / "dist"
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/main.js": ("main.js", "text/javascript; charset=utf-8"),
    "/main.js.map": ("main.js.map", "application/json"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/style.css.map": ("style.css.map", "application/json"),
}

# What a cup costs, in cents, and how many steps it takes.
MENU = {
    "espresso": (220, 8),
    "cappuccino": (340, 12),
    "décaf": (200, 8),
    "cold brew": (450, 100_000),
}
STEPS = ("grinding", "heating", "brewing", "pouring")


class BarServicer(services.BarServicer):
    """The bar. `pace` is how many seconds a step takes."""

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._numbers = itertools.count(1)
        self._orders: dict[int, Any] = {}

    def Menu(self, request: Any, context: clarion.ServicerContext) -> Any:
        drinks = [protos.Drink(name=name, cents=cents) for name, (cents, _) in MENU.items()]
        return protos.MenuReply(drinks=drinks)

    def Order(self, request: Any, context: clarion.ServicerContext) -> Any:
        violations = []
        if request.drink not in MENU:
            violations.append(FieldViolation("drink", "is not on the menu"))
        if not 1 <= request.cups <= 8:
            violations.append(FieldViolation("cups", "must be between 1 and 8"))
        if violations:
            raise StatusError(
                StatusCode.INVALID_ARGUMENT, "we cannot make that", BadRequest(violations)
            )
        cents = MENU[request.drink][0] * request.cups
        receipt = protos.Receipt(
            number=next(self._numbers), drink=request.drink, cups=request.cups, cents=cents
        )
        self._orders[receipt.number] = receipt
        return receipt

    def Watch(self, request: Any, context: clarion.ServicerContext) -> Iterator[Any]:
        receipt = self._find(request.number)
        print(f"Order {receipt.number}: somebody watches", flush=True)
        count = MENU[receipt.drink][1]
        try:
            for step in self._made(receipt, context):
                if receipt.drink == "décaf" and step == 3:
                    raise StatusError(StatusCode.RESOURCE_EXHAUSTED, "there is no décaf left")
                name = "ready" if step == count else STEPS[step * len(STEPS) // count]
                yield protos.Progress(percent=step * 100 // count, step=name)
        finally:
            # A stream whose client has gone may also end where it yields.
            if not context.is_active():
                print(f"Order {receipt.number}: nobody watches", flush=True)

    def Collect(self, request: Any, context: clarion.ServicerContext) -> Any:
        receipt = self._find(request.number)
        for _ in self._made(receipt, context):
            pass
        if not context.is_active():
            print(f"Order {receipt.number}: nobody waits", flush=True)
        return receipt

    def _find(self, number: int) -> Any:
        if number not in self._orders:
            raise StatusError(StatusCode.NOT_FOUND, f"there is no order {number}")
        return self._orders[number]

    def _made(self, receipt: Any, context: clarion.ServicerContext) -> Iterator[int]:
        """The steps of an order, while it is made. There are no more when the call has ended."""
        ended = threading.Event()
        context.add_callback(ended.set)
        for step in range(1, MENU[receipt.drink][1] + 1):
            if ended.wait(self._pace) or not context.is_active():
                return
            yield step


def page(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The page and its files, as a WSGI application."""
    name, content_type = FILES.get(environ["PATH_INFO"], ("", "text/plain"))
    if not name or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        start_response("404 Not Found", [("content-type", content_type)])
        return [b"There is no such file.\n"]
    content = (DIST / name).read_bytes()
    headers = [("content-type", content_type), ("content-length", str(len(content)))]
    start_response("200 OK", [*headers, ("cache-control", "no-cache")])
    return [content] if environ["REQUEST_METHOD"] == "GET" else []


class ElsewhereServer(ThreadingMixIn, WSGIServer):
    """The page alone, on a port of its own."""

    daemon_threads = True

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def start_elsewhere(port: int) -> ElsewhereServer:
    elsewhere = make_server("127.0.0.1", port, page, ElsewhereServer, QuietHandler)
    threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
    return elsewhere


def web_options(elsewhere: ElsewhereServer) -> WebOptions:
    return WebOptions(cors=CorsPolicy(origins=[elsewhere.origin]), wsgi=page)


def add_port(server: Any, args: argparse.Namespace) -> int:
    address = f"127.0.0.1:{args.port}"
    if not args.key:
        return server.add_insecure_port(address)
    pair = (args.key.read_bytes(), args.certificate.read_bytes())
    return server.add_secure_port(address, clarion.ssl_server_credentials([pair]))


def announce(args: argparse.Namespace, port: int, elsewhere: ElsewhereServer) -> None:
    origin = f"{'https' if args.key else 'http'}://127.0.0.1:{port}"
    print(f"Server started, listening on {port}")
    print(f"The page:                     {origin}/")
    print(f"The page from another origin: {elsewhere.origin}/?server={origin}", flush=True)


def serve(args: argparse.Namespace) -> None:
    elsewhere = start_elsewhere(args.port and args.port + 1)
    server = clarion.server(
        futures.ThreadPoolExecutor(max_workers=20),
        options=[("clarion.web", web_options(elsewhere))],
    )
    services.add_BarServicer_to_server(BarServicer(args.pace), server)
    port = add_port(server, args)
    server.start()
    announce(args, port, elsewhere)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=5).wait()
        print("Server stopped", flush=True)
    finally:
        elsewhere.shutdown()
        elsewhere.server_close()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", nargs="?", type=int, default=8080)
    parser.add_argument("--key", type=Path, help="with --certificate: TLS, and so HTTP/2")
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--pace", type=float, default=0.4, help="seconds for each step of a drink")
    args = parser.parse_args()
    if bool(args.key) != bool(args.certificate):
        parser.error("--key and --certificate go together")
    if not (DIST / "main.js").exists():
        parser.error("the page is not built: npm ci && npm run build")
    return args


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve(arguments())
