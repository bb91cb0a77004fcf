"""The descriptor of grpc.health.v1, as protoc makes it.

A test compiles the .proto file below `protos/` and says what to put here if the two differ.
"""

from __future__ import annotations

__all__ = ["HEALTH"]

HEALTH = (
    b'\n\x1bgrpc_health/v1/health.proto\x12\x0egrpc.health.v1"%\n\x12HealthCheck'
    b'Request\x12\x0f\n\x07service\x18\x01 \x01(\t"\xa9\x01\n\x13HealthCheckResponse\x12A\n\x06status\x18\x01'
    b' \x01(\x0e21.grpc.health.v1.HealthCheckResponse.ServingStatus"O\n\rS'
    b"ervingStatus\x12\x0b\n\x07UNKNOWN\x10\x00\x12\x0b\n\x07SERVING\x10\x01\x12\x0f\n\x0bNOT_SERVING\x10\x02\x12\x13\n\x0fS"
    b'ERVICE_UNKNOWN\x10\x03"\x13\n\x11HealthListRequest"\xae\x01\n\x12HealthListResponse'
    b"\x12B\n\x08statuses\x18\x01 \x03(\x0b20.grpc.health.v1.HealthListResponse.Statu"
    b"sesEntry\x1aT\n\rStatusesEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x122\n\x05value\x18\x02 \x01(\x0b2#.grpc"
    b'.health.v1.HealthCheckResponse:\x028\x012\xfd\x01\n\x06Health\x12P\n\x05Check\x12".grp'
    b"c.health.v1.HealthCheckRequest\x1a#.grpc.health.v1.HealthCheckR"
    b'esponse\x12M\n\x04List\x12!.grpc.health.v1.HealthListRequest\x1a".grpc.he'
    b'alth.v1.HealthListResponse\x12R\n\x05Watch\x12".grpc.health.v1.HealthC'
    b"heckRequest\x1a#.grpc.health.v1.HealthCheckResponse0\x01Bp\n\x11io.grp"
    b"c.health.v1B\x0bHealthProtoP\x01Z,google.golang.org/grpc/health/gr"
    b"pc_health_v1\xa2\x02\x0cGrpcHealthV1\xaa\x02\x0eGrpc.Health.V1b\x06proto3"
)
