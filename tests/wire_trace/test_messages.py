"""gRPC messages out of DATA frames."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.wire_trace.messages import KEPT, Budget, MessageReader, SeenMessage


def prefixed(data: bytes, flag: int = 0) -> bytes:
    return bytes([flag]) + len(data).to_bytes(4, "big") + data


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=20)), st.integers(1, 9))
def test_messages_in_any_pieces(messages: list[bytes], size: int) -> None:
    data = b"".join(map(prefixed, messages))
    budget = Budget()
    reader = MessageReader(budget)
    seen = [m for at in range(0, len(data), size) for m in reader.feed(data[at : at + size])]
    assert seen == [SeenMessage(False, len(each), each) for each in messages]
    reader.close()
    assert budget.left == Budget().left


def test_the_flag_says_compressed() -> None:
    [message] = MessageReader(Budget()).feed(prefixed(b"x", 1))
    assert message.compressed


def test_of_a_large_message_only_the_beginning_is_kept() -> None:
    reader = MessageReader(Budget())
    data = prefixed(b"x" * 200_000)
    assert list(reader.feed(data[:100_000])) == []
    [message, after] = reader.feed(data[100_000:] + prefixed(b"y"))
    assert (message.length, message.data) == (200_000, b"x" * KEPT)
    assert after.data == b"y"


def test_what_was_not_kept_of_a_frame_is_skipped() -> None:
    reader = MessageReader(Budget())
    assert list(reader.feed(prefixed(b"x" * 100)[:50], missing=20)) == []
    [message] = reader.feed(b"x" * 35)
    assert (message.length, message.data) == (100, b"x" * 45)
    # Where messages begin is lost with the prefix of one.
    assert [m.length for m in reader.feed(prefixed(b"ab"), missing=3)] == [2]
    assert list(reader.feed(prefixed(b"cd"))) == []


def test_all_messages_share_a_budget() -> None:
    budget = Budget(10)
    first, second = MessageReader(budget), MessageReader(budget)
    assert list(first.feed(prefixed(b"x" * 8)[:-1])) == []
    [message] = second.feed(prefixed(b"y" * 8))
    assert (message.length, message.data) == (8, b"yy")
    first.close()
    [message] = second.feed(prefixed(b"y" * 8))
    assert message.data == b"y" * 8
