"""From the path of a method, as interceptors see it, to what the .proto file says about the method.

Generated message modules put the descriptors of their files into protobuf's default pool when they are imported, and
generated service modules import those; so the pool knows every service that the program can call or serve by
generated code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor

__all__ = ["method_descriptor"]


def method_descriptor(method: str | bytes) -> MethodDescriptor:
    """Return the descriptor of a method: its options, its message types, its service.

    `method_descriptor(path).GetOptions()` are the `google.protobuf.MethodOptions`: `deprecated`,
    `idempotency_level`, and by `Extensions[...]` those that .proto files define. The service's are at
    `containing_service.GetOptions()`.

    Args:
        method: `/package.Service/Method`, as in `HandlerCallDetails.method` and `ClientCallDetails.method`. (grpcio's
            asyncio interceptors see bytes.)

    Raises:
        LookupError: no message module that was imported describes the method.
    """
    # What asks has generated code, which needs protobuf; `import grpc` alone does not.
    from google.protobuf import descriptor_pool

    path = method.decode("utf-8", "replace") if isinstance(method, bytes) else method
    service, slash, name = path.removeprefix("/").rpartition("/")
    if not slash:
        raise LookupError(
            f"{path!r} is not the path of a method, such as '/package.Service/Method'"
        )
    try:
        described = descriptor_pool.Default().FindServiceByName(service)
    except KeyError:
        raise LookupError(
            f"no .proto file known to this process defines the service {service!r} of {path!r}; "
            "import the generated module of its messages (NAME_pb2) first"
        ) from None
    try:
        return described.FindMethodByName(name)
    except KeyError:
        raise LookupError(
            f"the service {service!r}, as {described.file.name} defines it, has no method {name!r}"
        ) from None
