"""Clarion under the name `grpc`.

This is one module file and not a folder, so that installing grpcio beside it, or removing either, never overwrites or
deletes a file of the other. A folder `grpc` at the same place wins over it; `clarion_grpc` then refuses the import.
"""

import sys

import clarion_grpc

clarion_grpc.refuse_a_second_one()

# The name is this half-made module's until now. The import system returns what stands in
# `sys.modules` when this file has run.
del sys.modules[__name__]

import clarion  # noqa: E402

clarion.install_as_grpc()
