"""Adding the reflection service to a server, in both versions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from clarion.reflection.servicer import AsyncReflectionServicer, ReflectionServicer
from clarion.reflection.versions import Version

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool

    from clarion.aio import interfaces as aio_interfaces
    from clarion.sync.interfaces import Server

__all__ = ["add_service", "enable_server_reflection"]


def add_service(
    server: Server | aio_interfaces.Server,
    service_names: Iterable[str] | Callable[[], Iterable[str]] | None = None,
    *,
    pool: DescriptorPool | None = None,
) -> None:
    """Let clients of `server` ask which services it has, and what their .proto files say.

    Args:
        server: a server of either front end, before or after it was started.
        service_names: the full names of the services to tell of, or a function that gives them. None: those that have
            handlers when a client asks, except of generic handlers that do not say whose they are.
        pool: where their files are; None: protobuf's default pool, where generated modules register them. Those of
            Clarion's own services are known as well.

    Raises:
        TypeError: `server` is none of Clarion's, and `service_names` is None.
    """
    if service_names is None:
        core: Any = getattr(server, "core", None)
        if core is None:
            raise TypeError(
                f"what services {server!r} has is not known, for it is no server of Clarion's; give service_names"
            )
        service_names = core.service_names
    loaded = sys.modules.get("clarion.aio")
    is_async = loaded is not None and isinstance(server, loaded.Server)
    servicer = AsyncReflectionServicer if is_async else ReflectionServicer
    for version in Version:
        handlers = version.method_handlers(servicer(service_names, pool, version=version))
        server.add_registered_method_handlers(version.service, handlers)


def enable_server_reflection(
    service_names: Iterable[str],
    server: Server | aio_interfaces.Server,
    pool: DescriptorPool | None = None,
) -> None:
    """The same as `add_service`, with the arguments of grpcio-reflection.

    Args:
        service_names: the full names of the services to tell of.
        server: see `add_service`.
        pool: see `add_service`.
    """
    add_service(server, tuple(service_names), pool=pool)
