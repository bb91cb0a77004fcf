"""Filter strings of binary logs (gRFC A16)."""

from __future__ import annotations

import pytest

from clarion.binary_log import Filter, Limits, parse_filter


@pytest.mark.parametrize(
    ("text", "path", "limits"),
    [
        ("", "/Foo/Bar", None),
        ("*", "/Foo/Bar", Limits(None, None)),
        ("*{h}", "/Foo/Bar", Limits(None, 0)),
        ("*{h:10}", "/Foo/Bar", Limits(10, 0)),
        ("*{m}", "/Foo/Bar", Limits(0, None)),
        ("*{m:256}", "/Foo/Bar", Limits(0, 256)),
        ("*{h;m}", "/Foo/Bar", Limits(None, None)),
        ("*{h:1;m:2}", "/Foo/Bar", Limits(1, 2)),
        ("*{h;m:0}", "/Foo/Bar", Limits(None, 0)),
        ("Foo/*", "/Foo/Bar", Limits()),
        ("Foo/*", "/Food/Bar", None),
        ("a.b.Foo/*", "/a.b.Foo/Bar", Limits()),
        ("Foo/*{h},Foo/Bar{m:256}", "/Foo/Bar", Limits(0, 256)),
        ("Foo/*{h},Foo/Bar{m:256}", "/Foo/Baz", Limits(None, 0)),
        ("Foo/Bar{m:256},Foo/*{h}", "/Foo/Bar", Limits(0, 256)),
        ("Foo/*,-Foo/Bar", "/Foo/Bar", None),
        ("Foo/*,-Foo/Bar", "/Foo/Baz", Limits()),
        ("*,-Foo/Bar", "/Foo/Bar", None),
        ("*{h},Foo/*{m}", "/Foo/Bar", Limits(0, None)),
        ("*{h}, Foo/*{m}", "/Other/Bar", Limits(None, 0)),
        ("Foo/Bar", "not a path", None),
    ],
)
def test_the_most_exact_pattern_counts(text: str, path: str, limits: Limits | None) -> None:
    assert parse_filter(text).limits(path) == limits


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "*,",
        "*,*",
        "**",
        "*/Bar",
        "Foo",
        "Foo/",
        "/Bar",
        "Foo/Ba*",
        "-*",
        "-Foo/*",
        "-Foo/Bar{h}",
        "--Foo/Bar",
        "*{",
        "*{}",
        "*{;}",
        "*{h;}",
        "*{;m}",
        "*{m;h}",
        "*{hm}",
        "*{h:}",
        "*{h:-1}",
        "*{h:x}",
        "*{x}",
        "*{h}x",
        "Foo/Bar,Foo/Bar{h}",
        "Foo/Bar,-Foo/Bar",
        "Foo/*,Foo/*",
        "Foo/B-r",
    ],
)
def test_what_is_malformed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="binary log filter") as caught:
        parse_filter(text)
    assert repr(text) in str(caught.value)


def test_an_empty_filter_logs_nothing() -> None:
    assert parse_filter("  ") == Filter()
