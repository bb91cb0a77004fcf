"""What tests of applications beside services wait for."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clarion.web import WebOptions
from support.front_end import FrontEnd
from support.libraries import LIMIT
from support.websockets import WebSocketClient


class Log(logging.Handler):
    """What the package logs, which may be a moment after the client has its answer."""

    def __init__(self) -> None:
        super().__init__()
        self._records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        self._records.put(record)

    def until(self, text: str) -> str:
        """Waits for a record with `text`. Raises `queue.Empty` if none comes."""
        while True:
            found = self._formatted(self._records.get(timeout=LIMIT))
            if text in found:
                return found

    def _formatted(self, record: logging.LogRecord) -> str:
        return logging.Formatter().format(record)


@pytest.fixture
def log() -> Iterator[Log]:
    handler = Log()
    logger = logging.getLogger("clarion.web.apps")
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    yield handler
    logger.propagate = propagate
    logger.removeHandler(handler)


class Sites:
    """Servers of one front end with nothing but an application."""

    def __init__(self, front: FrontEnd) -> None:
        self.front = front

    def asgi(self, app: Any, **options: Any) -> Any:
        return self.front.serve({}, options=[("clarion.web", WebOptions(asgi=app, **options))])

    def wsgi(self, app: Any, **options: Any) -> Any:
        return self.front.serve({}, options=[("clarion.web", WebOptions(wsgi=app, **options))])


@pytest.fixture
def sites(front: FrontEnd) -> Sites:
    return Sites(front)


@pytest.fixture
def open_websocket() -> Iterator[Callable[..., WebSocketClient]]:
    """Opens WebSockets, which are closed after the test."""
    opened: list[WebSocketClient] = []

    def open_one(*arguments: Any, **options: Any) -> WebSocketClient:
        opened.append(WebSocketClient(*arguments, **options))
        return opened[-1]

    yield open_one
    for client in opened:
        client.close_socket()
