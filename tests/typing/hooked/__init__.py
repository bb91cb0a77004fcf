"""A package whose .proto files are imported without generated code."""

from __future__ import annotations

import clarion

clarion.import_protos(__name__)
