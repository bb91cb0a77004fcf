"""`grpc-message`, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.protocol.percent import decode_message, encode_message, shorten_message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", b""),
        ("not found", b"not found"),
        ("! \"#$&'()*+,-./:;<=>?@[]^_`{|}~\\", b"! \"#$&'()*+,-./:;<=>?@[]^_`{|}~\\"),
        (" a", b"%20a"),
        ("a b: ", b"a b:%20"),
        ("  ", b"%20%20"),
        (" ", b"%20"),
        ("   é ", b"%20  %C3%A9%20"),
        ("100%", b"100%25"),
        ("a\tb\r\nc", b"a%09b%0D%0Ac"),
        ("\x00\x7f", b"%00%7F"),
        ("é", b"%C3%A9"),
        ("\U0001f600", b"%F0%9F%98%80"),
        ("%C3%A9", b"%25C3%25A9"),
    ],
)
def test_round_trip(text: str, value: bytes) -> None:
    assert encode_message(text) == value
    assert decode_message(value) == text


def test_lone_surrogate_becomes_a_question_mark() -> None:
    assert encode_message("a\ud800b") == b"a?b"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"%c3%a9", "é"),
        (b"%", "%"),
        (b"%4", "%4"),
        (b"100%", "100%"),
        (b"%zz%41", "%zzA"),
        (b"%%41", "%A"),
        (b"%4%31", "%41"),
        (b"\xc3\xa9", "é"),
        (b"\xc3%A9", "é"),
        (b"%C3", "�"),
        (b"a\xffb", "a�b"),
        (b"%ED%A0%80", "���"),
        (b"%00", "\x00"),
    ],
)
def test_decode_keeps_what_it_cannot_read(value: bytes, text: str) -> None:
    assert decode_message(value) == text


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_round_trips_in_allowed_octets(text: str) -> None:
    value = encode_message(text)
    assert all(0x20 <= octet <= 0x7E for octet in value)
    assert decode_message(value) == text


@settings(max_examples=200, deadline=None)
@given(st.binary() | st.lists(st.sampled_from([b"%", b"4", b"C3", b"z", b"\xff"])).map(b"".join))
def test_decode_never_fails(value: bytes) -> None:
    text = decode_message(value)
    # Encoding the result again, and reading that, changes nothing more.
    assert decode_message(encode_message(text)) == text


@pytest.mark.parametrize(
    ("value", "size", "expected"),
    [
        (b"hello", 5, b"hello"),
        (b"hello!", 5, b"he..."),
        (b"hello", 3, b"..."),
        (b"a%41%42%43", 8, b"a%41..."),
        (b"a%41%42%43", 7, b"a%41..."),
        (b"a%41%42%43", 6, b"a..."),
        (b"%41%42", 5, b"..."),
        (b"%41%42", 4, b"..."),
    ],
)
def test_shorten(value: bytes, size: int, expected: bytes) -> None:
    assert shorten_message(value, size) == expected
