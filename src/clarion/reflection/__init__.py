"""What services a server has: telling clients (grpc.reflection.v1 and v1alpha), and calling servers that tell.

    clarion.reflection.add_service(server)

    with clarion.reflect("localhost:50051") as client:
        response = client.Greeter.SayHello({"name": "Alice"})

Both work with both front ends; `clarion.reflection.aio.reflect` is the client's twin for asyncio.
`enable_server_reflection`, `ReflectionServicer` and `ProtoReflectionDescriptorDatabase` have the API of
grpcio-reflection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarion.first_use import on_first_use

if TYPE_CHECKING:
    from clarion.reflection import aio as aio
    from clarion.reflection.client import Client, reflect
    from clarion.reflection.conversion import to_dict
    from clarion.reflection.database import ProtoReflectionDescriptorDatabase
    from clarion.reflection.descriptors import NotKnown, ReflectionError
    from clarion.reflection.methods import Method, Service, UnknownName
    from clarion.reflection.server import add_service, enable_server_reflection
    from clarion.reflection.servicer import ReflectionServicer
    from clarion.reflection.versions import Version
else:
    __getattr__ = on_first_use(
        __name__,
        {
            "clarion.reflection.client": "Client reflect",
            "clarion.reflection.conversion": "to_dict",
            "clarion.reflection.database": "ProtoReflectionDescriptorDatabase",
            "clarion.reflection.descriptors": "NotKnown ReflectionError",
            "clarion.reflection.methods": "Method Service UnknownName",
            "clarion.reflection.server": "add_service enable_server_reflection",
            "clarion.reflection.servicer": "ReflectionServicer",
            "clarion.reflection.versions": "Version",
        },
        submodules=("aio",),
    )

__all__ = [
    "Client",
    "Method",
    "NotKnown",
    "ProtoReflectionDescriptorDatabase",
    "ReflectionError",
    "ReflectionServicer",
    "Service",
    "UnknownName",
    "Version",
    "add_service",
    "enable_server_reflection",
    "reflect",
    "to_dict",
]
