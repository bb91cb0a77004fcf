"""Interceptors of servers that see a call as a whole: requests, responses, status, exception and time.

Of a `CallInterceptor`, `intercept` is called for each call, whatever its pattern, and `ended` when the call is over. Both
are optional. It goes into the list `interceptors` of a server beside those of grpcio's kind (`ServerInterceptor`), in any
order.

    class Retell(interceptors.CallInterceptor):
        def intercept(self, call, requests, proceed):
            try:
                yield from proceed(requests)
            except KeyError as error:
                call.context.abort(StatusCode.NOT_FOUND, f"there is no {error}")

        def ended(self, call):
            print(call.method, call.code, call.duration)

The class here is for sync servers; `clarion.interceptors.aio` has that of asyncio servers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarion.first_use import on_first_use

if TYPE_CHECKING:
    from clarion.interceptors import aio as aio
    from clarion.interceptors.served import ServedCall
    from clarion.interceptors.sync import CallInterceptor
else:
    __getattr__ = on_first_use(
        "clarion.interceptors",
        {
            "clarion.interceptors.served": "ServedCall",
            "clarion.interceptors.sync": "CallInterceptor",
        },
        ["aio"],
    )

__all__ = ["CallInterceptor", "ServedCall", "aio"]
