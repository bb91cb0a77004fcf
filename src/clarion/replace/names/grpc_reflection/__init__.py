"""`grpc_reflection` of grpcio-reflection."""
