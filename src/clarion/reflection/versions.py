"""The two versions of the reflection service, whose messages are the same on the wire."""

from __future__ import annotations

import enum
from typing import Any

from clarion.method import RpcMethodHandler, stream_stream_rpc_method_handler
from clarion.reflection.contract import V1 as _V1
from clarion.reflection.contract import V1ALPHA as _V1ALPHA
from clarion.service_protos import ServiceMessages, load

__all__ = ["Version"]


class Version(enum.Enum):
    """grpc.reflection.v1, or v1alpha, which is all that older programs know."""

    V1 = "v1"
    V1ALPHA = "v1alpha"

    @property
    def service(self) -> str:
        """The service's full name."""
        return f"grpc.reflection.{self.value}.ServerReflection"

    @property
    def path(self) -> str:
        """The path of its one method."""
        return f"/{self.service}/ServerReflectionInfo"

    @property
    def messages(self) -> ServiceMessages:
        """The message classes."""
        return load(_V1 if self is Version.V1 else _V1ALPHA)

    def method_handlers(self, servicer: Any) -> dict[str, RpcMethodHandler]:
        """The handlers of a servicer of either front end, by method name."""
        messages = self.messages
        return {
            "ServerReflectionInfo": stream_stream_rpc_method_handler(
                servicer.ServerReflectionInfo,
                messages.ServerReflectionRequest.FromString,
                messages.ServerReflectionResponse.SerializeToString,
            )
        }
