"""The descriptor of `grpc/binlog/v1/binarylog.proto`, which lies beside this under protos/, as protoc writes it."""

from __future__ import annotations

__all__ = ["FILE", "NAME"]

NAME = "grpc/binlog/v1/binarylog.proto"

FILE = (
    b"\n\x1egrpc/binlog/v1/binarylog.proto\x12\x11grpc.binarylog.v1\x1a\x1egoogle/protobuf/d"
    b'uration.proto\x1a\x1fgoogle/protobuf/timestamp.proto"\xbe\x06\n\x0cGrpcLogEntry\x12-\n'
    b"\ttimestamp\x18\x01 \x01(\x0b2\x1a.google.protobuf.Timestamp\x12\x0f\n\x07call_id\x18"
    b"\x02 \x01(\x04\x12\x1f\n\x17sequence_id_within_call\x18\x03 \x01(\x04\x127\n\x04type"
    b"\x18\x04 \x01(\x0e2).grpc.binarylog.v1.GrpcLogEntry.EventType\x126\n\x06logger\x18\x05"
    b" \x01(\x0e2&.grpc.binarylog.v1.GrpcLogEntry.Logger\x128\n\rclient_header\x18\x06 \x01("
    b"\x0b2\x1f.grpc.binarylog.v1.ClientHeaderH\x00\x128\n\rserver_header\x18\x07 \x01(\x0b2"
    b"\x1f.grpc.binarylog.v1.ServerHeaderH\x00\x12-\n\x07message\x18\x08 \x01(\x0b2\x1a.grpc"
    b".binarylog.v1.MessageH\x00\x12-\n\x07trailer\x18\t \x01(\x0b2\x1a.grpc.binarylog.v1.Tr"
    b"ailerH\x00\x12\x19\n\x11payload_truncated\x18\n \x01(\x08\x12(\n\x04peer\x18\x0b \x01("
    b'\x0b2\x1a.grpc.binarylog.v1.Address"\xf5\x01\n\tEventType\x12\x16\n\x12EVENT_TYPE_UNKN'
    b"OWN\x10\x00\x12\x1c\n\x18EVENT_TYPE_CLIENT_HEADER\x10\x01\x12\x1c\n\x18EVENT_TYPE_SERV"
    b"ER_HEADER\x10\x02\x12\x1d\n\x19EVENT_TYPE_CLIENT_MESSAGE\x10\x03\x12\x1d\n\x19EVENT_TY"
    b"PE_SERVER_MESSAGE\x10\x04\x12 \n\x1cEVENT_TYPE_CLIENT_HALF_CLOSE\x10\x05\x12\x1d\n\x19"
    b'EVENT_TYPE_SERVER_TRAILER\x10\x06\x12\x15\n\x11EVENT_TYPE_CANCEL\x10\x07"B\n\x06Logger'
    b"\x12\x12\n\x0eLOGGER_UNKNOWN\x10\x00\x12\x11\n\rLOGGER_CLIENT\x10\x01\x12\x11\n\rLOGGE"
    b'R_SERVER\x10\x02B\t\n\x07payload"\x91\x01\n\x0cClientHeader\x12-\n\x08metadata\x18\x01'
    b" \x01(\x0b2\x1b.grpc.binarylog.v1.Metadata\x12\x13\n\x0bmethod_name\x18\x02 \x01(\t"
    b"\x12\x11\n\tauthority\x18\x03 \x01(\t\x12*\n\x07timeout\x18\x04 \x01(\x0b2\x19.google."
    b'protobuf.Duration"=\n\x0cServerHeader\x12-\n\x08metadata\x18\x01 \x01(\x0b2\x1b.grpc.b'
    b'inarylog.v1.Metadata"}\n\x07Trailer\x12-\n\x08metadata\x18\x01 \x01(\x0b2\x1b.grpc.bin'
    b"arylog.v1.Metadata\x12\x13\n\x0bstatus_code\x18\x02 \x01(\r\x12\x16\n\x0estatus_messag"
    b"e\x18\x03 \x01(\t\x12\x16\n\x0estatus_details\x18\x04 \x01(\x0c\"'\n\x07Message\x12"
    b'\x0e\n\x06length\x18\x01 \x01(\r\x12\x0c\n\x04data\x18\x02 \x01(\x0c";\n\x08Metadata'
    b'\x12/\n\x05entry\x18\x01 \x03(\x0b2 .grpc.binarylog.v1.MetadataEntry"+\n\rMetadataEntr'
    b'y\x12\x0b\n\x03key\x18\x01 \x01(\t\x12\r\n\x05value\x18\x02 \x01(\x0c"\xa1\x01\n\x07Ad'
    b"dress\x12-\n\x04type\x18\x01 \x01(\x0e2\x1f.grpc.binarylog.v1.Address.Type\x12\x0f\n"
    b'\x07address\x18\x02 \x01(\t\x12\x0f\n\x07ip_port\x18\x03 \x01(\r"E\n\x04Type\x12\x10\n'
    b"\x0cTYPE_UNKNOWN\x10\x00\x12\r\n\tTYPE_IPV4\x10\x01\x12\r\n\tTYPE_IPV6\x10\x02\x12\r\n"
    b"\tTYPE_UNIX\x10\x03B\\\n\x14io.grpc.binarylog.v1B\x0eBinaryLogProtoP\x01Z2google.golan"
    b"g.org/grpc/binarylog/grpc_binarylog_v1b\x06proto3"
)
