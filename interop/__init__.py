"""Clarion against other gRPC implementations, case by case; see `README.md`. No part of the package."""
