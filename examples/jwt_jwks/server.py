"""A service for callers with a signed token: `python server.py PORT`. README.md says what it shows.

The issuer is in the same program, so that nothing must be set up; its URL goes to standard output.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from issuer import NAME, Issuer

import clarion.aio
import clarion.auth


class Greeter:
    """Bytes in and bytes out, so that the example needs no generated code."""

    @clarion.auth.require(scopes="greet")
    async def greet(self, request: bytes, context: clarion.aio.ServicerContext) -> bytes:
        caller = clarion.auth.identity(context)
        assert caller is not None
        return f"Hello, {caller.subject}!".encode()

    @clarion.auth.require(scopes="greet.loudly")
    async def shout(self, request: bytes, context: clarion.aio.ServicerContext) -> bytes:
        return (await self.greet(request, context)).upper()


async def serve(port: str, issuer: Issuer) -> None:
    authenticator = clarion.auth.JwtAuthenticator(
        # Fetched with the first token, kept, and fetched again when a token has a key that is not known yet.
        # After a fetch that takes 30 s by default; the example does not have the time.
        clarion.auth.RemoteJwks(f"{issuer.url}/keys", min_interval=0.1),
        issuer=NAME,
        audience="greeter",
    )
    server = clarion.aio.server(
        interceptors=[clarion.auth.aio.AuthenticationInterceptor(authenticator)]
    )
    greeter = Greeter()
    handlers = {
        "Greet": clarion.unary_unary_rpc_method_handler(greeter.greet),
        "Shout": clarion.unary_unary_rpc_method_handler(greeter.shout),
    }
    # A method that did not say who may call it would be refused here.
    clarion.auth.strict(server).add_generic_rpc_handlers(
        (clarion.method_handlers_generic_handler("example.Greeter", handlers),)
    )
    # Tokens go over TLS, or within the machine as here; they are never sent on an insecure channel.
    bound = server.add_secure_port(f"127.0.0.1:{port}", clarion.local_server_credentials())
    await server.start()
    print(f"Server started, listening on {bound}", flush=True)
    print(f"Issuer: {issuer.url}", flush=True)
    stop = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    await stop.wait()
    await server.stop(grace=5)
    issuer.stop()
    print("Server stopped", flush=True)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Issuer()))
