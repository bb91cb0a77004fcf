"""`grpc_health` of grpcio-health-checking."""
