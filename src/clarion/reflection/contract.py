"""The descriptors of grpc.reflection.v1 and v1alpha, as protoc makes them.

A test compiles the .proto files below `protos/` and says what to put here if the two differ.
"""

from __future__ import annotations

__all__ = ["V1", "V1ALPHA"]

V1 = (
    b'\n#grpc/reflection/v1/reflection.proto\x12\x12grpc.reflection.v1"\x85\x02'
    b"\n\x17ServerReflectionRequest\x12\x0c\n\x04host\x18\x01 \x01(\t\x12\x1a\n\x10file_by_filename\x18"
    b"\x03 \x01(\tH\x00\x12 \n\x16file_containing_symbol\x18\x04 \x01(\tH\x00\x12I\n\x19file_containing"
    b"_extension\x18\x05 \x01(\x0b2$.grpc.reflection.v1.ExtensionRequestH\x00\x12'\n\x1d"
    b"all_extension_numbers_of_type\x18\x06 \x01(\tH\x00\x12\x17\n\rlist_services\x18\x07 \x01(\t"
    b'H\x00B\x11\n\x0fmessage_request"E\n\x10ExtensionRequest\x12\x17\n\x0fcontaining_type'
    b'\x18\x01 \x01(\t\x12\x18\n\x10extension_number\x18\x02 \x01(\x05"\xb8\x03\n\x18ServerReflectionRespons'
    b"e\x12\x12\n\nvalid_host\x18\x01 \x01(\t\x12E\n\x10original_request\x18\x02 \x01(\x0b2+.grpc.refle"
    b"ction.v1.ServerReflectionRequest\x12N\n\x18file_descriptor_response"
    b"\x18\x04 \x01(\x0b2*.grpc.reflection.v1.FileDescriptorResponseH\x00\x12U\n\x1eall_"
    b"extension_numbers_response\x18\x05 \x01(\x0b2+.grpc.reflection.v1.Extens"
    b"ionNumberResponseH\x00\x12I\n\x16list_services_response\x18\x06 \x01(\x0b2'.grpc.r"
    b"eflection.v1.ListServiceResponseH\x00\x12;\n\x0eerror_response\x18\x07 \x01(\x0b2!"
    b'.grpc.reflection.v1.ErrorResponseH\x00B\x12\n\x10message_response"7\n\x16F'
    b'ileDescriptorResponse\x12\x1d\n\x15file_descriptor_proto\x18\x01 \x03(\x0c"K\n\x17Exte'
    b"nsionNumberResponse\x12\x16\n\x0ebase_type_name\x18\x01 \x01(\t\x12\x18\n\x10extension_num"
    b'ber\x18\x02 \x03(\x05"K\n\x13ListServiceResponse\x124\n\x07service\x18\x01 \x03(\x0b2#.grpc.ref'
    b'lection.v1.ServiceResponse"\x1f\n\x0fServiceResponse\x12\x0c\n\x04name\x18\x01 \x01(\t"'
    b":\n\rErrorResponse\x12\x12\n\nerror_code\x18\x01 \x01(\x05\x12\x15\n\rerror_message\x18\x02 \x01(\t2"
    b"\x89\x01\n\x10ServerReflection\x12u\n\x14ServerReflectionInfo\x12+.grpc.reflecti"
    b"on.v1.ServerReflectionRequest\x1a,.grpc.reflection.v1.ServerRef"
    b"lectionResponse(\x010\x01Bf\n\x15io.grpc.reflection.v1B\x15ServerReflecti"
    b"onProtoP\x01Z4google.golang.org/grpc/reflection/grpc_reflection"
    b"_v1b\x06proto3"
)

V1ALPHA = (
    b"\n(grpc_reflection/v1alpha/reflection.proto\x12\x17grpc.reflection."
    b'v1alpha"\x8a\x02\n\x17ServerReflectionRequest\x12\x0c\n\x04host\x18\x01 \x01(\t\x12\x1a\n\x10file_by'
    b"_filename\x18\x03 \x01(\tH\x00\x12 \n\x16file_containing_symbol\x18\x04 \x01(\tH\x00\x12N\n\x19file_"
    b"containing_extension\x18\x05 \x01(\x0b2).grpc.reflection.v1alpha.Extensi"
    b"onRequestH\x00\x12'\n\x1dall_extension_numbers_of_type\x18\x06 \x01(\tH\x00\x12\x17\n\rlist"
    b'_services\x18\x07 \x01(\tH\x00B\x11\n\x0fmessage_request"E\n\x10ExtensionRequest\x12\x17\n\x0f'
    b'containing_type\x18\x01 \x01(\t\x12\x18\n\x10extension_number\x18\x02 \x01(\x05"\xd1\x03\n\x18ServerRe'
    b"flectionResponse\x12\x12\n\nvalid_host\x18\x01 \x01(\t\x12J\n\x10original_request\x18\x02 \x01"
    b"(\x0b20.grpc.reflection.v1alpha.ServerReflectionRequest\x12S\n\x18file"
    b"_descriptor_response\x18\x04 \x01(\x0b2/.grpc.reflection.v1alpha.FileDes"
    b"criptorResponseH\x00\x12Z\n\x1eall_extension_numbers_response\x18\x05 \x01(\x0b20."
    b"grpc.reflection.v1alpha.ExtensionNumberResponseH\x00\x12N\n\x16list_se"
    b"rvices_response\x18\x06 \x01(\x0b2,.grpc.reflection.v1alpha.ListServiceR"
    b"esponseH\x00\x12@\n\x0eerror_response\x18\x07 \x01(\x0b2&.grpc.reflection.v1alpha."
    b'ErrorResponseH\x00B\x12\n\x10message_response"7\n\x16FileDescriptorRespons'
    b'e\x12\x1d\n\x15file_descriptor_proto\x18\x01 \x03(\x0c"K\n\x17ExtensionNumberResponse\x12'
    b'\x16\n\x0ebase_type_name\x18\x01 \x01(\t\x12\x18\n\x10extension_number\x18\x02 \x03(\x05"P\n\x13ListSer'
    b"viceResponse\x129\n\x07service\x18\x01 \x03(\x0b2(.grpc.reflection.v1alpha.Serv"
    b'iceResponse"\x1f\n\x0fServiceResponse\x12\x0c\n\x04name\x18\x01 \x01(\t":\n\rErrorRespons'
    b"e\x12\x12\n\nerror_code\x18\x01 \x01(\x05\x12\x15\n\rerror_message\x18\x02 \x01(\t2\x93\x01\n\x10ServerRefle"
    b"ction\x12\x7f\n\x14ServerReflectionInfo\x120.grpc.reflection.v1alpha.Serv"
    b"erReflectionRequest\x1a1.grpc.reflection.v1alpha.ServerReflecti"
    b"onResponse(\x010\x01Bs\n\x1aio.grpc.reflection.v1alphaB\x15ServerReflecti"
    b"onProtoP\x01Z9google.golang.org/grpc/reflection/grpc_reflection"
    b"_v1alpha\xb8\x01\x01b\x06proto3"
)
