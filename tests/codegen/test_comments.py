"""Comments become docstrings that say the same, whatever the comment holds."""

from __future__ import annotations

import ast

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarion.codegen.comments import Comments, docstring


def _said(text: str) -> str | None:
    source = "\n".join(["class C:", *docstring(text, "    ")])
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.ClassDef)
    assert len(node.body) == 1
    return ast.get_docstring(node)


@pytest.mark.parametrize(
    "text",
    [
        "One line.",
        "Two\n\nparagraphs.",
        'Ends with a "quote"',
        '"""',
        "A back\\slash, \\n and \\",
        "Line\n  indented\nback",
        "Unicode: \u00e9 \u4e2d \u2028 \x07 \U000e0001",
    ],
)
def test_docstring_says_the_text(text: str) -> None:
    assert _said(text) == text


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    # Other white space is indentation to whoever reads the docstring, as spaces are.
    st.text(min_size=1).filter(lambda text: all(c in " \n" or not c.isspace() for c in text))
)
def test_no_text_escapes_from_its_docstring(text: str) -> None:
    said = _said("x" + text + "x")
    assert said is not None
    assert said.replace(" ", "").replace("\n", "") == f"x{text}x".replace(" ", "").replace("\n", "")


def _comments(leading: str = "", trailing: str = "") -> Comments:
    file = FileDescriptorProto()
    file.source_code_info.location.add(
        path=[6, 0], leading_comments=leading, trailing_comments=trailing
    )
    file.source_code_info.location.add(path=[6, 0, 2, 1], leading_comments=" of a method\n")
    return Comments(file)


@pytest.mark.parametrize(
    ("leading", "trailing", "text"),
    [
        (" One.\n", "", "One."),
        ("", " After.\n", "After."),
        (" One.\n", " After.\n", "One.\n\nAfter."),
        (" One.\n\n   code\n Two.\n", "", "One.\n\n  code\nTwo."),
        ("\n   block\n     inner\n", "", "block\n  inner"),
        (" \n", "", ""),
    ],
)
def test_comments_lose_only_the_space_around_them(leading: str, trailing: str, text: str) -> None:
    assert _comments(leading, trailing).service(0) == text


def test_comments_are_found_by_their_place() -> None:
    comments = _comments()
    assert comments.method(0, 1) == "of a method"
    assert comments.method(0, 0) == ""
    assert comments.service(1) == ""


@pytest.mark.parametrize(
    ("syntax", "package", "text"),
    [
        ("", "", ""),
        (" About.\n", "", "About."),
        ("", " Of the package.\n", "Of the package."),
        (" About.\n", " Of the package.\n", "About.\n\nOf the package."),
        (" Twice.\n", " Twice.\n", "Twice."),
        (" Copyright of somebody.\n", " About.\n", "About."),
        (" SPDX-License-Identifier: MIT\n", "", ""),
        (" Licensed under terms.\n", "", ""),
    ],
)
def test_a_file_is_described_before_its_syntax_and_package(
    syntax: str, package: str, text: str
) -> None:
    file = FileDescriptorProto()
    for number, comment in ((12, syntax), (2, package)):
        location = file.source_code_info.location.add(path=[number], leading_comments=comment)
        location.leading_detached_comments.append(" Set apart.\n")
    assert Comments(file).file() == text


def test_a_file_of_an_edition_is_described_before_it() -> None:
    file = FileDescriptorProto()
    file.source_code_info.location.add(path=[14], leading_comments=" About.\n")
    assert Comments(file).file() == "About."
