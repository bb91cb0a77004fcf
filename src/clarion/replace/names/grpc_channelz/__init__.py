"""`grpc_channelz` of grpcio-channelz."""
