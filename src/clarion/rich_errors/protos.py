"""The messages of google/rpc/status.proto and google/rpc/error_details.proto.

Rules:

- protobuf is imported when the first of them is needed, not before.
- There is one set of them in a process, in protobuf's default pool. Where googleapis-common-protos is installed, or the
  program has generated code for these files, it is theirs; else it is made here. What is made here is the published
  contract, so that a library that brings the same files later does not conflict.
"""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Mapping
from typing import Any

__all__ = ["STATUS_FILE", "DETAILS_FILE", "message_class"]

STATUS_FILE = "google/rpc/status.proto"
DETAILS_FILE = "google/rpc/error_details.proto"

_MODULES = {STATUS_FILE: "google.rpc.status_pb2", DETAILS_FILE: "google.rpc.error_details_pb2"}
_IMPORTS = {
    STATUS_FILE: ("google.protobuf.any_pb2", "google/protobuf/any.proto"),
    DETAILS_FILE: ("google.protobuf.duration_pb2", "google/protobuf/duration.proto"),
}

# By message, the fields: name and type, numbered from 1. "*" stands before what is repeated, "?" before what is `optional`
# in the sense of proto3, and "map" maps strings to strings. A type with a dot is a message.
_Fields = tuple[str, ...]
_VIOLATION = "Violation"
_MESSAGES: Mapping[str, Mapping[str, _Fields]] = {
    STATUS_FILE: {
        "Status": (
            "code int32",
            "message string",
            "details *.google.protobuf.Any",
        ),
    },
    DETAILS_FILE: {
        "ErrorInfo": ("reason string", "domain string", "metadata map"),
        "RetryInfo": ("retry_delay .google.protobuf.Duration",),
        "DebugInfo": ("stack_entries *string", "detail string"),
        "QuotaFailure": ("violations *.google.rpc.QuotaFailure.Violation",),
        "QuotaFailure.Violation": (
            "subject string",
            "description string",
            "api_service string",
            "quota_metric string",
            "quota_id string",
            "quota_dimensions map",
            "quota_value int64",
            "future_quota_value ?int64",
        ),
        "PreconditionFailure": ("violations *.google.rpc.PreconditionFailure.Violation",),
        "PreconditionFailure.Violation": ("type string", "subject string", "description string"),
        "BadRequest": ("field_violations *.google.rpc.BadRequest.FieldViolation",),
        "BadRequest.FieldViolation": (
            "field string",
            "description string",
            "reason string",
            "localized_message .google.rpc.LocalizedMessage",
        ),
        "RequestInfo": ("request_id string", "serving_data string"),
        "ResourceInfo": (
            "resource_type string",
            "resource_name string",
            "owner string",
            "description string",
        ),
        "Help": ("links *.google.rpc.Help.Link",),
        "Help.Link": ("description string", "url string"),
        "LocalizedMessage": ("locale string", "message string"),
    },
}

_lock = threading.Lock()


@functools.cache
def message_class(name: str) -> Any:
    """A message's class.

    Args:
        name: `Status`, or that of a message of error_details.proto.
    """
    from google.protobuf import message_factory

    file = STATUS_FILE if name == "Status" else DETAILS_FILE
    return message_factory.GetMessageClass(_file(file).message_types_by_name[name])


def _file(name: str) -> Any:
    from google.protobuf import descriptor_pool

    pool = descriptor_pool.Default()
    with _lock:
        try:
            return pool.FindFileByName(name)
        except KeyError:
            pass
        try:
            # A package with the namespace `google` may be there without this module.
            importlib.import_module(_MODULES[name])
        except ImportError:
            importlib.import_module(_IMPORTS[name][0])
            pool.AddSerializedFile(_describe(name).SerializeToString())
        return pool.FindFileByName(name)


def _describe(name: str) -> Any:
    from google.protobuf import descriptor_pb2

    file: Any = descriptor_pb2.FileDescriptorProto(
        name=name, package="google.rpc", syntax="proto3", dependency=[_IMPORTS[name][1]]
    )
    file.options.java_package = "com.google.rpc"
    file.options.java_multiple_files = True
    file.options.objc_class_prefix = "RPC"
    of_status = name == STATUS_FILE
    file.options.java_outer_classname = "StatusProto" if of_status else "ErrorDetailsProto"
    package = "status" if of_status else "errdetails"
    file.options.go_package = f"google.golang.org/genproto/googleapis/rpc/{package};{package}"
    for path, fields in _MESSAGES[name].items():
        outer, _, inner = path.rpartition(".")
        if outer:
            parent = next(each for each in file.message_type if each.name == outer)
            message = parent.nested_type.add(name=inner)
        else:
            message = file.message_type.add(name=path)
        for number, field in enumerate(fields, 1):
            _add_field(message, f".google.rpc.{path}", number, *field.split())
    return file


def _add_field(message: Any, path: str, number: int, name: str, kind: str) -> None:
    field = message.field.add(name=name, number=number)
    repeated = kind[0] == "*" or kind == "map"
    field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
    if kind[0] == "?":
        field.proto3_optional = True
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")
    kind = kind.lstrip("*?")
    if kind == "map":
        entry = message.nested_type.add(name=name.title().replace("_", "") + "Entry")
        entry.options.map_entry = True
        _add_field(entry, "", 1, "key", "string")
        _add_field(entry, "", 2, "value", "string")
        kind = f"{path}.{entry.name}"
    if kind.startswith("."):
        field.type = field.TYPE_MESSAGE
        field.type_name = kind
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
