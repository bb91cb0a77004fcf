"""base64 in pieces: cut anywhere, padded anywhere."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.status import StatusCode
from clarion.web.base64_stream import Base64Decoder, encode
from clarion.web.errors import WebError


def decode(text: bytes, cut: int = 0) -> tuple[bytes, bool]:
    """What a text stands for, and whether it is base64 to its end."""
    decoder = Base64Decoder()
    step = cut or len(text) or 1
    data = b"".join(
        decoder.feed(memoryview(text)[at : at + step]) for at in range(0, len(text), step)
    )
    try:
        decoder.finish()
    except WebError as error:
        return data, error.code is not StatusCode.INTERNAL
    return data, True


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=6), st.integers(1, 9))
def test_pieces_are_put_together_however_they_are_cut(pieces: list[bytes], cut: int) -> None:
    text = b"".join(map(encode, pieces))
    assert decode(text, cut) == decode(text) == (b"".join(pieces), True)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40), st.integers(1, 9))
def test_what_is_not_base64_gives_the_same_up_to_the_fault(text: bytes, cut: int) -> None:
    assert decode(text, cut) == decode(text)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=9), max_size=20), st.sampled_from([b"!", b"\n", b"-", b"="]))
def test_all_in_front_of_a_fault_is_decoded(pieces: list[bytes], fault: bytes) -> None:
    good = b"".join(map(encode, pieces))
    assert decode(good + fault * 4 + b"QUJD") == (b"".join(pieces), False)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"QQ==QUI=QUJD", b"AABABC"),
        (b"QQ==QQ==QQ==", b"AAA"),
        (b"+/+/", b"\xfb\xff\xbf"),
    ],
)
def test_padding_may_stand_between_groups(text: bytes, data: bytes) -> None:
    assert [decode(text, cut) for cut in range(4)] == [(data, True)] * 4


@pytest.mark.parametrize(
    "text",
    [
        b"Q",
        b"QQ",
        b"QQQ",
        b"QQ=",
        b"Q===",
        b"====",
        b"Q=QQ",
        b"QQ=Q",
        b"-_-_",
        b"QQ\r\nQQ",
        b"QUJ\xff",
    ],
)
def test_what_is_no_base64(text: bytes) -> None:
    assert [decode(text, cut)[1] for cut in range(4)] == [False] * 4


def test_nothing_comes_out_behind_a_fault() -> None:
    decoder = Base64Decoder()
    assert decoder.feed(b"QUJD????") == b"ABC"
    assert decoder.fault is not None
    assert decoder.feed(b"QUJD") == b""


def test_a_body_may_end_between_groups_alone() -> None:
    decoder = Base64Decoder()
    assert decoder.at_boundary
    decoder.feed(b"QU")
    assert not decoder.at_boundary
    assert decoder.feed(b"JD") == b"ABC"
    assert decoder.at_boundary


def test_encoding_is_padded() -> None:
    assert encode(b"AB") == b"QUI="
    assert base64.b64decode(encode(bytes(range(256)))) == bytes(range(256))
