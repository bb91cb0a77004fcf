"""A service and a site on one port.

clarion protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. hello.proto
python server.py            # or another port than 50051: python server.py 8080
python client.py
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import hello_pb2
import hello_pb2_grpc

import clarion
from clarion.web import WebOptions

PAGE = b"""<!doctype html>
<meta charset="utf-8">
<title>Greeter</title>
<form><input name="name" value="Alice"> <button>Greet</button></form>
<output></output>
<p id="live"></p>
<script>
  const live = new WebSocket(location.href.replace("http", "ws") + "live");
  live.onmessage = (event) => { document.querySelector("#live").textContent = event.data; };
  document.querySelector("input").oninput = (event) => live.send(event.target.value);
  document.forms[0].onsubmit = async (event) => {
    event.preventDefault();
    const answer = await fetch("/example.Greeter/SayHello", {
      method: "POST",
      headers: {"content-type": "application/json"},
      body: JSON.stringify({name: event.target.name.value}),
    });
    document.querySelector("output").textContent = (await answer.json()).message;
  };
</script>
"""


class GreeterServicer(hello_pb2_grpc.GreeterServicer):
    async def SayHello(
        self, request: hello_pb2.HelloRequest, context: clarion.aio.ServicerContext
    ) -> hello_pb2.HelloReply:
        return hello_pb2.HelloReply(message=f"Hello, {request.name}!")


async def site(scope: Any, receive: Any, send: Any) -> None:
    """The site: an ASGI application, as FastAPI, Starlette and Django make them."""
    if scope["type"] == "websocket":
        await live(scope, receive, send)
        return
    if scope["type"] != "http":
        raise RuntimeError("requests and WebSockets are all that it knows")
    found = (scope["method"], scope["path"]) == ("GET", "/")
    kind = b"text/html" if found else b"text/plain"
    headers = [(b"content-type", kind + b"; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200 if found else 404, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE if found else b"no such page\n"})


async def live(scope: Any, receive: Any, send: Any) -> None:
    """A WebSocket at /live: greets whoever is named in a message."""
    await receive()
    headers = dict(scope["headers"])
    # A page of any site can open a WebSocket here; see docs/web.md.
    own = headers.get(b"origin", b"").partition(b"://")[2] == headers[b"host"]
    if not own or scope["path"] != "/live":
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": f"Hello, {message.get('text')}!"})


async def serve(port: str) -> None:
    server = clarion.aio.server(options=[("clarion.web", WebOptions(asgi=site))])
    hello_pb2_grpc.add_GreeterServicer_to_server(GreeterServicer(), server)
    bound = server.add_insecure_port(f"[::]:{port}")
    await server.start()
    print(f"Server started, listening on {bound}", flush=True)
    try:
        await server.wait_for_termination()
    except asyncio.CancelledError:
        await server.stop(grace=5)
        print("Server stopped", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asyncio.run(serve(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051")))
    except KeyboardInterrupt:
        pass
