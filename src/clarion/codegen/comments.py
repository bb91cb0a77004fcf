"""Comments of .proto files as Python docstrings.

protoc keeps comments apart from what they describe, under the path of field numbers that leads to it
(descriptor.proto, SourceCodeInfo). A comment's text is data: it must not be able to end the
docstring it becomes.
"""

from __future__ import annotations

import re
import textwrap

from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    ServiceDescriptorProto,
    SourceCodeInfo,
)

__all__ = ["Comments", "docstring"]

_FILE = (
    FileDescriptorProto.SYNTAX_FIELD_NUMBER,
    FileDescriptorProto.EDITION_FIELD_NUMBER,
    FileDescriptorProto.PACKAGE_FIELD_NUMBER,
)
_SERVICE = FileDescriptorProto.SERVICE_FIELD_NUMBER
_METHOD = ServiceDescriptorProto.METHOD_FIELD_NUMBER


def _clean(comment: str) -> str:
    """Take away the space that follows `//` and blank lines around the text."""
    lines = [
        # Only what protoc takes for the end of a line: Python knows more of them.
        line.removeprefix(" ").rstrip(" \r")
        for line in comment.expandtabs(4).removesuffix("\n").split("\n")
    ]
    return textwrap.dedent("\n".join(lines)).strip("\n")


def _is_licence(text: str) -> bool:
    return re.search(r"copyright|spdx-license|licensed under", text, re.IGNORECASE) is not None


class Comments:
    """The comments of one file."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._locations: dict[tuple[int, ...], SourceCodeInfo.Location] = {
            tuple(location.path): location for location in file.source_code_info.location
        }

    def at(self, path: tuple[int, ...]) -> str:
        """Return what is said about what is found under a path of field numbers and indexes, or ""."""
        return self._at(*path)

    def _at(self, *path: int) -> str:
        location = self._locations.get(path)
        if location is None:
            return ""
        parts = (_clean(location.leading_comments), _clean(location.trailing_comments))
        return "\n\n".join(part for part in parts if part)

    def file(self) -> str:
        """Return what is said about the file, or "".

        That stands right before its syntax, edition or package. What a blank line sets apart, and what is about
        rights, is about something else.
        """
        said = [_clean(self._leading(number)) for number in _FILE]
        return "\n\n".join(dict.fromkeys(text for text in said if text and not _is_licence(text)))

    def _leading(self, *path: int) -> str:
        location = self._locations.get(path)
        return "" if location is None else location.leading_comments

    def service(self, index: int) -> str:
        """Return what is said about the service with this index, or ""."""
        return self._at(_SERVICE, index)

    def method(self, service: int, index: int) -> str:
        """Return what is said about a method of a service, or ""."""
        return self._at(_SERVICE, service, _METHOD, index)


def docstring(text: str, indent: str) -> list[str]:
    """Return the lines of a docstring that says `text`, which is not empty."""
    safe = re.sub(r'"(?="|\Z)', r'\\"', text.replace("\\", "\\\\"))
    # Control characters would otherwise end a line, or the file, for Python's tokenizer.
    if not safe.replace("\n", "").isprintable():
        safe = "".join(c if c == "\n" or c.isprintable() else f"\\U{ord(c):08x}" for c in safe)
    lines = safe.split("\n")
    if len(lines) == 1:
        return [f'{indent}"""{safe}"""']
    body = [f"{indent}{line}" if line else "" for line in lines[1:]]
    return [f'{indent}"""{lines[0]}', *body, f'{indent}"""']
