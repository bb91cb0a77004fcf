"""One run of an ASGI application for a WebSocket: what it receives and sends (ASGI 3, WebSocket 2.5)."""

from __future__ import annotations

import asyncio
from typing import Any

from clarion.web.apps.answers import AnswerHead, BadAnswer
from clarion.web.apps.exchange import ClientGone
from clarion.web.apps.websocket.exchange import WebSocketExchange
from clarion.web.asgi_types import Message

__all__ = ["WebSocketTurn"]

_NORMAL, _NO_CODE, _LOST = 1000, 1005, 1006
# RFC 6455 §7.4 and IANA's registry; those that are never sent become 1000.
_CODES = frozenset((*range(1000, 1004), *range(1005, 1016), *range(3000, 5000)))
_FORBIDDEN = "the WebSocket was refused"
# So often the application is told something without having to wait, before others on its event loop get their turn. On a
# sync server a client can send as fast as the application receives.
_IN_A_ROW = 16


class WebSocketTurn:
    """What the application is called with.

    Args:
        exchange: the WebSocket.
        changed: set by its `wake`.
    """

    def __init__(self, exchange: WebSocketExchange, changed: asyncio.Event) -> None:
        self._exchange = exchange
        self._changed = changed
        self._told = False
        # Of an answer that refuses (the extension `websocket.http.response`).
        self._head: AnswerHead | None = None
        self._closed = False
        self._in_a_row = 0

    async def receive(self) -> Message:
        """See ASGI."""
        if not self._told:
            self._told = True
            return {"type": "websocket.connect"}
        exchange = self._exchange
        self._in_a_row += 1
        if self._in_a_row > _IN_A_ROW:
            self._in_a_row = 0
            await asyncio.sleep(0)
        while True:
            message, over = exchange.do(self._take)
            if message is not None:
                kind = "text" if isinstance(message, str) else "bytes"
                return {"type": "websocket.receive", kind: message}
            if over:
                code, reason = exchange.end or (_LOST, "")
                return {"type": "websocket.disconnect", "code": code, "reason": reason}
            self._in_a_row = 0
            await self._changed.wait()

    def _take(self) -> tuple[str | bytes | None, bool]:
        # What changes after this is not missed.
        self._changed.clear()
        return self._exchange.receive(), self._exchange.over

    async def send(self, message: Message) -> None:
        """See ASGI."""
        kind = message["type"]
        if kind == "websocket.send":
            await self._send(_content(message))
        elif kind == "websocket.close":
            await self._close(message)
        elif kind == "websocket.accept":
            if self._exchange.accepted or self._head is not None:
                raise BadAnswer("websocket.accept is out of order")
            fields = message.get("headers") or ()
            self._exchange.do(self._exchange.accept, message.get("subprotocol"), fields)
        elif kind == "websocket.http.response.start":
            if self._exchange.accepted or self._head is not None:
                raise BadAnswer("websocket.http.response.start is out of order")
            fields = message.get("headers") or ()
            self._head = AnswerHead(message["status"], fields, self._exchange.request.method)
        elif kind == "websocket.http.response.body":
            if self._head is None or self._closed:
                raise BadAnswer("websocket.http.response.body is out of order")
            more = bool(message.get("more_body", False))
            self._closed = not more
            await self._settle(self._answer, bytes(message.get("body", b"")), not more)
        else:
            raise BadAnswer(f"a message of type {kind!r} has no place in a WebSocket")

    def returned(self) -> None:
        """The application has returned.

        Raises:
            BadAnswer: it said nothing.
        """
        exchange = self._exchange
        if exchange.accepted:
            exchange.do(exchange.close, _NORMAL, "")
        elif not exchange.over:
            raise BadAnswer("the application returned without websocket.accept or websocket.close")

    async def _send(self, content: str | bytes) -> None:
        exchange = self._exchange
        if not exchange.accepted or self._closed:
            if exchange.gone:
                raise ClientGone("the client went away")
            raise BadAnswer("websocket.send is out of order")
        await self._settle(exchange.send, exchange.encode(content))

    async def _close(self, message: Message) -> None:
        exchange = self._exchange
        if self._closed or self._head is not None:
            raise BadAnswer("websocket.close is out of order")
        code, reason = message.get("code", _NORMAL), message.get("reason") or ""
        if code is None or code == _NO_CODE:
            code = _NORMAL
        if code not in _CODES:
            raise BadAnswer(f"{code!r} is no code that a WebSocket can be closed with")
        if not isinstance(reason, str) or not _is_unicode(reason):
            raise BadAnswer("the reason of websocket.close is no text")
        self._closed = True
        if exchange.accepted:
            exchange.do(exchange.close, int(code), reason)
        else:
            exchange.do(exchange.refuse, 403, _FORBIDDEN)

    async def _settle(self, function: Any, *arguments: Any) -> None:
        """Send, and wait until what was sent is on its way."""
        exchange = self._exchange
        settled, left = exchange.do(self._sent, function, *arguments)
        while not settled:
            try:
                async with asyncio.timeout(exchange.limits.write_timeout):
                    await self._changed.wait()
            except TimeoutError:
                exchange.do(exchange.too_slow_to_read, left)
            settled, left = exchange.do(self._look)

    def _sent(self, function: Any, *arguments: Any) -> tuple[bool, int]:
        function(*arguments)
        return self._look()

    def _look(self) -> tuple[bool, int]:
        self._changed.clear()
        return self._exchange.settled

    def _answer(self, body: bytes, end: bool) -> None:
        assert self._head is not None
        self._exchange.write(self._head, body, end)


def _content(message: Message) -> str | bytes:
    text, data = message.get("text"), message.get("bytes")
    if text is not None and data is None:
        if not isinstance(text, str) or not _is_unicode(text):
            raise BadAnswer("the text of websocket.send is no text that UTF-8 has")
        return text
    if data is not None and text is None:
        return bytes(memoryview(data))
    raise BadAnswer("websocket.send needs either text or bytes")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
