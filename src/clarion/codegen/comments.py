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


class Comments:
    """The comments of one file."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._locations: dict[tuple[int, ...], SourceCodeInfo.Location] = {
            tuple(location.path): location for location in file.source_code_info.location
        }

    def _at(self, *path: int) -> str:
        location = self._locations.get(path)
        if location is None:
            return ""
        parts = (_clean(location.leading_comments), _clean(location.trailing_comments))
        return "\n\n".join(part for part in parts if part)

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
    safe = "".join(c if c == "\n" or c.isprintable() else f"\\U{ord(c):08x}" for c in safe)
    lines = safe.split("\n")
    if len(lines) == 1:
        return [f'{indent}"""{safe}"""']
    body = [f"{indent}{line}" if line else "" for line in lines[1:]]
    return [f'{indent}"""{lines[0]}', *body, f'{indent}"""']
