"""What the modules beside it share."""

from __future__ import annotations

from clarion.rich_errors import DETAILS_KEY as GRPC_DETAILS_METADATA_KEY
from clarion.rich_errors.sending import code_of as code_to_grpc_status_code

__all__ = ["GRPC_DETAILS_METADATA_KEY", "code_to_grpc_status_code"]
