"""Clarion's rich errors under grpcio-status's name; see `clarion.rich_errors`."""
