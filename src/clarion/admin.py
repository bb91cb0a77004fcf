"""The services for operators of a server, added with one call (gRFC A38).

    clarion.admin.add_services(server)

They are those that every gRPC library has for its administrators, as far as Clarion has what they tell about:

- `grpc.channelz.v1.Channelz`: channels, servers and connections (`clarion.channelz`).

Not among them is CSDS (`envoy.service.status.v3.ClientStatusDiscoveryService`): it shows the configuration that xDS gave a
process, and Clarion has no xDS. Health and reflection are services for clients, not for administrators, and are added by
themselves (`clarion.health`, `clarion.reflection`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarion import channelz

if TYPE_CHECKING:
    from clarion.aio import interfaces as aio_interfaces
    from clarion.sync.interfaces import Server

__all__ = ["add_services"]


def add_services(server: Server | aio_interfaces.Server) -> tuple[str, ...]:
    """Let clients of `server` ask about this process.

    What they are told is for operators alone. So the server had better listen on an address of theirs, such as
    `localhost:PORT`, and serve nothing else.

    Args:
        server: a server of either front end, before or after it was started.

    Returns:
        The names of the services that were added. Later versions may add more.
    """
    channelz.add_service(server)
    return (channelz.SERVICE_NAME,)
