"""Which handler serves a call."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.method import (
    Compression,
    GenericRpcHandler,
    method_handlers_generic_handler,
    unary_unary_rpc_method_handler,
)
from clarion.protocol.compression import get_compressor
from clarion.protocol.request_head import RequestHead
from clarion.server_core import ServerCore, ServerOptions


def core(*handlers: Any, max_concurrent: int | None = None, compression: Any = None) -> ServerCore:
    return ServerCore(handlers, ServerOptions(), max_concurrent, compression)


def head(path: str) -> RequestHead:
    made = RequestHead()
    made.path = path
    return made


def handler() -> Any:
    def behavior(request: Any, context: Any) -> Any: ...

    return unary_unary_rpc_method_handler(behavior)


def found(server: ServerCore, path: str) -> Any:
    method = server.find(head(path))
    return None if method is None else method.behavior


class Rule(GenericRpcHandler):
    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[Any] = []

    def service(self, handler_call_details: Any) -> Any:
        self.asked.append(handler_call_details)
        return self.answers.get(handler_call_details.method.rpartition("/")[2])


def test_a_service() -> None:
    one = handler()
    server = core(method_handlers_generic_handler("a.B", {"C": one}))
    assert found(server, "/a.B/C") is one.unary_unary
    for path in ("/a.B/D", "/a.B", "a.B/C", "/a.B/C/", "", "/", "/a.b/c"):
        assert server.find(head(path)) is None


def test_a_method_is_made_ready_once() -> None:
    server = core(method_handlers_generic_handler("a.B", {"C": handler()}))
    assert server.find(head("/a.B/C")) is server.find(head("/a.B/C"))


def test_rules_are_asked_in_order_and_every_time() -> None:
    one, other = handler(), handler()
    first, second = Rule(C=one), Rule(C=other, D=other)
    server = core(first, second)
    assert found(server, "/a.B/C") is one.unary_unary
    assert found(server, "/a.B/D") is other.unary_unary
    assert found(server, "/a.B/E") is None
    first.answers.clear()
    assert found(server, "/a.B/C") is other.unary_unary
    assert [details.method for details in first.asked] == ["/a.B/C", "/a.B/D", "/a.B/E", "/a.B/C"]


def test_a_rule_sees_the_metadata() -> None:
    rule = Rule()
    request = head("/a.B/C")
    request.metadata = (("x", "1"),)  # type: ignore[assignment]
    core(rule).find(request)
    assert rule.asked[0].invocation_metadata == (("x", "1"),)


def test_the_first_service_of_a_name_wins() -> None:
    one, other = handler(), handler()
    server = core(
        method_handlers_generic_handler("a.B", {"C": one}),
        method_handlers_generic_handler("a.B", {"C": other, "D": other}),
    )
    assert found(server, "/a.B/C") is one.unary_unary
    assert found(server, "/a.B/D") is other.unary_unary


def test_a_service_behind_a_rule_does_not_overtake_it() -> None:
    one, other = handler(), handler()
    server = core(Rule(C=one), method_handlers_generic_handler("a.B", {"C": other}))
    assert found(server, "/a.B/C") is one.unary_unary


@pytest.mark.parametrize("asked_before", [False, True])
def test_registered_methods_come_before_all_others(asked_before: bool) -> None:
    one, other = handler(), handler()
    server = core(method_handlers_generic_handler("a.B", {"C": other}), Rule(C=other, D=other))
    if asked_before:
        assert found(server, "/a.B/C") is other.unary_unary
    server.add_methods("a.B", {"C": one, "D": one})
    assert found(server, "/a.B/C") is one.unary_unary
    assert found(server, "/a.B/D") is one.unary_unary


def test_what_is_no_handler() -> None:
    with pytest.raises(AttributeError, match="no method 'service'"):
        core(object())


def test_compression() -> None:
    assert core().compressor is None
    assert core(compression=Compression.NoCompression).compressor is None
    assert core(compression=Compression.Gzip).compressor is get_compressor("gzip")


def test_it_says_when_the_last_call_ended() -> None:
    server = core()
    server.active = 3
    server.call_ended()
    told: list[bool] = []
    server.on_idle = lambda: told.append(True)
    server.call_ended()
    assert told == []
    server.call_ended()
    assert told == [True]
