"""`protoc-gen-clarion`: what `clarion generate` makes, as a plugin of protoc and of buf.

Rules: standard input holds a CodeGeneratorRequest, standard output gets a CodeGeneratorResponse and nothing else. What is
wrong with the request is said in the response, as protoc wants it; then the exit code is 0 all the same.

Options (`--clarion_opt=`, several with commas between them): `messages`, `types`, `services` and `relative` with `=true`
(the default) or `=false`; `init=true` for an `__init__.py` in each folder; `package=google/api:google.api` for where the
modules of other files are, as often as needed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest

__all__ = ["main", "respond"]

_SWITCHES = ("messages", "types", "services", "relative", "init")


class _OptionError(Exception):
    """An option makes no sense; the message is one line."""


@dataclass
class _Options:
    messages: bool = True
    types: bool = True
    services: bool = True
    relative: bool = True
    init: bool = False
    packages: dict[str, str] = field(default_factory=dict)


def _options(parameter: str) -> _Options:
    options = _Options()
    for part in filter(None, (part.strip() for part in parameter.split(","))):
        name, _, value = part.partition("=")
        if name == "package":
            folder, colon, package = value.partition(":")
            if not colon:
                raise _OptionError(f"package needs FOLDER:PACKAGE, not {value!r}")
            options.packages[folder.strip("/")] = package
        elif name not in _SWITCHES:
            raise _OptionError(
                f"unknown option {name!r}; there are: {', '.join((*_SWITCHES, 'package'))}"
            )
        elif value not in ("", "true", "false"):
            raise _OptionError(f"{name} must be true or false, not {value!r}")
        else:
            setattr(options, name, value != "false")
    return options


def respond(request: bytes) -> bytes:
    """Answer one request.

    Args:
        request: a serialized google.protobuf.compiler.CodeGeneratorRequest.

    Returns:
        The serialized CodeGeneratorResponse.
    """
    from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse

    from clarion.cli._generation import ClashError
    from clarion.codegen.names import UnusableNameError

    asked = CodeGeneratorRequest.FromString(request)
    answer = CodeGeneratorResponse()
    features = CodeGeneratorResponse.Feature
    answer.supported_features = (
        features.FEATURE_PROTO3_OPTIONAL | features.FEATURE_SUPPORTS_EDITIONS
    )
    # Numbers of google.protobuf.Edition: old runtimes do not know the newest by name.
    answer.minimum_edition, answer.maximum_edition = 998, 1001
    try:
        files = _files(asked)
    except (_OptionError, ClashError, UnusableNameError) as error:
        answer.error = f"protoc-gen-clarion: {error}"
    else:
        for name, text in files.items():
            answer.file.add(name=name, content=text)
    return answer.SerializeToString()


def _files(asked: CodeGeneratorRequest) -> dict[str, str]:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    from clarion.cli._generation import GENERATED_KINDS, check_clashes, make_files
    from clarion.cli._outputs import INIT_TEXT, folders_of
    from clarion.codegen.layout import Layout

    options = _options(asked.parameter)
    names = list(asked.file_to_generate)
    check_clashes(names)
    layout = Layout(names if options.relative else (), options.packages)
    descriptor_set = FileDescriptorSet(file=asked.proto_file).SerializeToString()
    kinds = [kind for kind in GENERATED_KINDS if getattr(options, kind)]
    files = make_files(descriptor_set, names, layout, kinds)
    if options.init:
        files |= {f"{folder}__init__.py": INIT_TEXT for folder in folders_of(files)}
    return dict(sorted(files.items()))


def main(stdin: BinaryIO | None = None, stdout: BinaryIO | None = None) -> int:
    """Answer the request on standard input.

    Returns:
        0, or 1 where standard input holds no request; protoc shows what is said then.
    """
    from google.protobuf.message import DecodeError

    source, target = stdin or sys.stdin.buffer, stdout or sys.stdout.buffer
    if source.isatty():
        print(
            "protoc-gen-clarion is run by protoc (--clarion_out=DIR) or buf; `clarion generate` is for people",
            file=sys.stderr,
        )
        return 1
    try:
        answer = respond(source.read())
    except DecodeError as error:
        print(f"protoc-gen-clarion: no CodeGeneratorRequest: {error}", file=sys.stderr)
        return 1
    target.write(answer)
    target.flush()
    return 0
