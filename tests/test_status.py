"""The status codes are grpcio's, by name, number and words."""

from __future__ import annotations

from clarion.status import STATUS_CODES, StatusCode


def test_codes_by_number() -> None:
    assert [code.value[0] for code in STATUS_CODES] == list(range(17))
    assert STATUS_CODES[5] is StatusCode.NOT_FOUND


def test_words() -> None:
    for code in StatusCode:
        assert code.value[1] == code.name.lower().replace("_", " ")
