"""gRPC for threads; what `clarion` itself has of the API of `grpc`."""
