"""The place of grpcio's native module."""
