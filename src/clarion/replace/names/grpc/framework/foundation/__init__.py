"""Leftovers of the API before `grpc`, for programs that still import them."""
